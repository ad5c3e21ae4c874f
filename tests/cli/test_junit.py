"""The JUnit file: its form, its counts, and that any text leaves it well-formed."""

from xml.etree import ElementTree

import pytest
from pipeline.found import MANIFEST, SENTENCES, made_up_run

from flowgauge.cli.junit import write_junit
from flowgauge.errors import RunError

# Attributes an element must and may have, and its children in order, as the readers agree on.
FORM = {
    "testsuites": ({"name", "tests", "failures", "errors", "skipped", "time"}, ["testsuite"]),
    "testsuite": (
        {"name", "tests", "failures", "errors", "skipped", "time", "timestamp"},
        ["properties", "testcase"],
    ),
    "properties": (set(), ["property"]),
    "property": ({"name", "value"}, []),
    "testcase": ({"classname", "name", "time"}, ["failure", "error", "skipped"]),
    "failure": ({"message", "type"}, []),
    "error": ({"message", "type"}, []),
    "skipped": ({"message"}, []),
}


def problems(element):
    """What of an element is not in the form."""
    attributes, children = FORM[element.tag]
    found = [] if set(element.keys()) == attributes else [f"{element.tag}: {element.keys()}"]
    tags = [child.tag for child in element]
    if [t for c in children for t in tags if t == c] != tags:
        found.append(f"{element.tag} holds {tags}")
    if element.tag == "testcase" and len(tags) > 1:
        found.append(f"a test case has {tags}")
    return found + [p for child in element for p in problems(child)]


def written(run, tmp_path, *more):
    file = tmp_path / "deep" / "junit.xml"
    write_junit(run, file, *more)
    assert [f.name for f in file.parent.iterdir()] == ["junit.xml"]
    root = ElementTree.parse(file).getroot()
    assert problems(root) == []
    return root


def test_a_case_a_row_with_what_became_of_it(tmp_path):
    root = written(made_up_run(), tmp_path)
    (suite,) = root
    for element in (root, suite):
        counts = {k: element.get(k) for k in ("tests", "failures", "errors", "skipped", "time")}
        assert counts == {
            "tests": "4", "failures": "1", "errors": "1", "skipped": "1", "time": "2.000",
        }  # fmt: skip
    assert suite.get("timestamp") == "2026-01-02T03:04:05"
    values = {p.get("name"): p.get("value") for p in suite.iter("property")}
    assert values["model"] == "toy"
    assert values["threshold"] == "0.2"
    cases = suite.findall("testcase")
    assert [c.get("name") for c in cases] == ["good", "bad", "none", "broken"]
    assert {c.get("classname") for c in cases} == {"toy-run"}
    assert sum(float(c.get("time")) for c in cases) == 2
    good, bad, none, broken = cases
    assert len(good) == 0
    failure = bad.find("failure")
    assert failure.get("message") == "support 0.12 is below 0.2"
    assert failure.text.splitlines() == [
        "support 0.12 is below 0.2",
        "⚠ unsupported 0.1996: The cat ate Bob.",
        "    nearest source, document 0 (most words in common): Then the cat slept.",
        "⚠ unsupported 0.05: Zzz!",
        "    no source sentence has a word in common with it",
    ]
    assert none.find("skipped").get("message").startswith("no support: it has no source")
    assert broken.find("error").get("message").endswith("RecordError: the row has no response")


def test_the_threshold_asked_for(tmp_path):
    (suite,) = written(made_up_run(), tmp_path, 0.85)
    assert suite.get("failures") == "2"
    assert written(made_up_run(), tmp_path, 0.0)[0].get("failures") == "0"


HOSTILE = (
    "]]> <![CDATA[ & <b> \" ' \x00\x01\x1b[31m\x7f\x9b \ud800 \ufffe\uffff \r\n\t\u2028 "
    "😀 👩\u200d👩\u200d👧 \u202e &#0; é 中文"
)


def test_any_text_is_well_formed(tmp_path):
    texts = {**SENTENCES, 1: [(HOSTILE.replace("\ud800", "?"), 0.1, None)]}
    safe = HOSTILE.replace("\ud800", "?")  # no table can hold a lone surrogate
    run = made_up_run(texts=texts, ids=(safe, f"{safe}2", "none"))
    run.name = HOSTILE
    (suite,) = written(run, tmp_path)
    name = suite.find("testcase").get("name")
    assert "]]> <![CDATA[ & <b> \" ' \ufffd\ufffd\ufffd[31m\ufffd\ufffd ?" in name
    assert "😀 👩\u200d👩\u200d👧" in name
    assert "é 中文" in name
    assert "]]>" in suite.find("testcase/failure").text


def test_an_older_file_outlives_a_run_without_support(tmp_path):
    file = tmp_path / "junit.xml"
    file.write_text("old")
    with pytest.raises(RunError, match="has no support; measure it again"):
        write_junit(made_up_run({"model": MANIFEST["model"]}), file)
    assert file.read_text() == "old"


def test_a_run_without_rows(tmp_path):
    (suite,) = written(made_up_run(texts={}, failed=False), tmp_path)
    assert suite.get("tests") == "0"
