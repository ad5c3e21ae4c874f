"""The lens page as text: hostile texts stay texts, its policy holds, it says its limits."""

import base64
import hashlib
import re

from report.example_run import example_run
from report.lens_records import HOSTILE, lens_on
from report.page_parts import PageParts

from flowgauge.records import FailedRow
from flowgauge.report import render
from flowgauge.report.lens import Agreement, LensPage, render_lens
from flowgauge.report.lens_payload import lens_block

FAILED = FailedRow(row=3, id=HOSTILE, kind="RecordError", reason=HOSTILE)


def page(**more):
    lens = lens_on(HOSTILE, f"Tom ran. {HOSTILE}", (f"{HOSTILE} Tom ran.",), HOSTILE)
    blocks = [lens_block(lens, 0, 10**6), lens_block(lens_on(), 1, 10**6)]
    given = {"name": HOSTILE, "model": HOSTILE, "blocks": blocks, "failed": [FAILED], **more}
    return render_lens(LensPage(**given))


def test_hostile_text_injects_nothing_and_arrives_unchanged():
    parts = PageParts(page())
    assert parts.injected() == []
    assert len(parts.scripts) == 1
    block = parts.blocks["lens-0"]
    assert block["id"] == block["question"] == HOSTILE
    assert HOSTILE in "".join(block["source"]["text"])
    assert HOSTILE in "".join(block["columns"])
    assert parts.blocks["index"] == {"id": [HOSTILE, "two"]}


def test_the_check_for_injected_markup_can_fail():
    planted = page().replace("<main>", f"<main>{HOSTILE}", 1)
    assert {"img", "onerror"} <= set(PageParts(planted).injected())


def test_the_policy_names_this_style_and_this_script_and_nothing_loads():
    text = page()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text).group(1)
    for tag in ("style", "script"):
        body = re.search(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL).group(1)
        digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert not re.search(r'(?:src|href)="(?!#|data:)', text)
    assert " style=" not in text


def test_the_page_says_what_the_number_is_and_its_limits():
    words = " ".join(PageParts(page()).text.split())
    for said in ("Not a cause.", "to first order", "0.76 [0.61, 0.85]", "0.56", "0.65"):
        assert said in words
    assert "Measured here" not in words
    found = Agreement(of="document totals", rho=0.4, low=float("nan"), high=float("nan"))
    words = " ".join(PageParts(page(agreement=(found,), compared=1)).text.split())
    assert "the one record of this page that has documents: document totals 0.40" in words


def test_failed_rows_stand_on_the_page_also_where_all_failed():
    parts = PageParts(page(blocks=[]))
    assert "No record could be read." in parts.text
    assert "1 row could not be read" in parts.text
    assert HOSTILE in parts.text


def test_the_two_pages_link_to_each_other_where_both_are_there():
    assert 'href="report.html"' not in page()
    assert '<a class="button" href="report.html">Report</a>' in page(report="report.html")
    assert "Lens</a>" not in render(example_run())
    assert '<a class="button" href="lens.html">Lens</a>' in render(example_run(), lens="lens.html")


def test_a_correlation_that_does_not_exist_is_said_in_words():
    nan = float("nan")
    assert "does not vary" in Agreement(of="all", rho=nan, low=nan, high=nan).words
