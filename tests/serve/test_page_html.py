"""The server's page as text: one policy, one script, nothing loaded, nothing parsed as markup."""

import base64
import hashlib
import json
import re
from importlib.resources import files

import pytest
from report.page_parts import PageParts

from flowgauge.report.assets import DRAWING_SCRIPTS
from flowgauge.report.render import SCRIPTS as REPORT_SCRIPTS
from flowgauge.serve.page import OWN_SCRIPTS, examples, page

MARKUP = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|srcdoc|</script"


@pytest.fixture(scope="module")
def html() -> str:
    return page()


@pytest.fixture(scope="module")
def parts(html: str) -> PageParts:
    return PageParts(html)


def policy_of(parts: PageParts) -> dict[str, str]:
    """The page's policy by directive."""
    [policy] = [str(a["content"]) for t, a in parts.elements if t == "meta" and "http-equiv" in a]
    return dict(part.strip().split(" ", 1) for part in policy.split(";"))


def test_the_policy_allows_this_script_this_style_and_this_server(
    html: str, parts: PageParts
) -> None:
    policy = policy_of(parts)
    for tag in ("script", "style"):
        body = re.search(rf"<{tag}>(.*?)</{tag}>", html, re.S)
        assert body
        digest = base64.b64encode(hashlib.sha256(body.group(1).encode()).digest()).decode()
        assert policy.pop(f"{tag}-src") == f"'sha256-{digest}'"
    assert policy == {
        "default-src": "'none'",
        "img-src": "data:",
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }


def test_the_page_loads_nothing_and_has_one_script(html: str, parts: PageParts) -> None:
    assert len(parts.scripts) == 1
    for tag, attributes in parts.elements:
        assert "src" not in attributes, tag
        assert not [name for name in attributes if name.startswith("on")], tag
        if "href" in attributes:
            assert str(attributes["href"]).startswith(("#", "data:")), tag
    style = re.search(r"<style>(.*?)</style>", html, re.S)
    assert style
    assert "url(" not in style.group(1)
    assert "@import" not in style.group(1)
    without_data = re.sub(r"<script type.*?</script>", "", html, flags=re.S)
    addresses = set(re.findall(r"https?://[^'\"\s)>]+", without_data))
    assert addresses == {"http://www.w3.org/2000/svg"}  # a name, never asked for


@pytest.mark.parametrize("name", OWN_SCRIPTS)
def test_scripts_parse_no_markup(name: str) -> None:
    source = (files("flowgauge.serve") / "static" / name).read_text(encoding="utf-8")
    assert not re.search(MARKUP, source)
    assert not re.search(r"\beval\b|new Function|import\(", source)


def test_every_script_is_in_the_page() -> None:
    static = files("flowgauge.serve") / "static"
    assert {p.name for p in static.iterdir() if p.name.endswith(".js")} == set(OWN_SCRIPTS)


def test_the_report_s_scripts_are_shared_in_their_order(html: str) -> None:
    assert list(DRAWING_SCRIPTS) == [name for name in REPORT_SCRIPTS if name in DRAWING_SCRIPTS]
    alone = {"data.js", "list.js", "overview.js", "page.js"}  # these need a run inside the page
    assert set(REPORT_SCRIPTS) - set(DRAWING_SCRIPTS) == alone


def test_no_name_is_declared_twice() -> None:
    """All parts stand in one function, where a second function of a name would win silently."""
    names: list[str] = []
    for package, scripts in (("report", DRAWING_SCRIPTS), ("serve", OWN_SCRIPTS)):
        for script in scripts:
            file = files(f"flowgauge.{package}") / "static" / script
            source = file.read_text(encoding="utf-8")
            names += re.findall(r"^(?:async )?function (\w+)|^(?:const|let) (\w+)", source, re.M)
    flat = [a or b for a, b in names]
    assert len(flat) > 150
    assert sorted({name for name in flat if flat.count(name) > 1}) == []


def test_every_label_names_a_field(parts: PageParts) -> None:
    ids = [a["id"] for _, a in parts.elements if "id" in a]
    assert len(ids) == len(set(ids))
    for tag, attributes in parts.elements:
        if tag == "label":
            assert attributes["for"] in ids
        if tag == "textarea":
            assert attributes["id"] in {a.get("for") for t, a in parts.elements if t == "label"}


def test_examples_are_the_demo_s_records(parts: PageParts) -> None:
    assert parts.blocks["examples"] == examples()
    rows = [
        json.loads(line)
        for name in ("ragtruth_qa_12.jsonl", "stories_12.jsonl")
        for line in (files("flowgauge") / "data" / "demo" / name)
        .read_text(encoding="utf-8")
        .splitlines()
    ]
    responses = {row["response"] for row in rows}
    assert len(examples()) == 6
    assert all(e["question"] and e["response"] in responses for e in examples())
    assert [bool(e["documents"]) for e in examples()] == [True] * 3 + [False] * 3


def test_page_and_report_share_their_style(html: str) -> None:
    report = (files("flowgauge.report") / "static" / "page.css").read_text(encoding="utf-8")
    assert report in html
