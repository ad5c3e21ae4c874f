"""A run as JUnit XML, for the pipelines that read it: one test case a response.

The form is the one that Jenkins, GitLab and GitHub's readers share: testsuites, testsuite with
properties, testcase with at most one of failure, error and skipped.
"""

import os
import re
from pathlib import Path
from xml.etree import ElementTree

from flowgauge.pipeline.findings import (
    Finding,
    findings,
    sentence_lines,
    shown_support,
    thresholds,
)
from flowgauge.store import Run

# What XML 1.0 cannot hold, and the C1 controls, which can steer a terminal.
_FORBIDDEN = re.compile(r"[^\t\n\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
Element = ElementTree.Element


def write_junit(run: Run, file: Path, at_least: float | None = None) -> None:
    """Write a run as JUnit XML, whole or not at all.

    Args:
        run: A run with support.
        file: Where to; an older one is replaced.
        at_least: A response below this support fails; by default the run's own threshold.

    Raises:
        RunError: The run tells of no support.
    """
    tree = junit(run, at_least)
    ElementTree.indent(tree)
    text = ElementTree.tostring(tree, encoding="utf-8", xml_declaration=True)
    file.parent.mkdir(parents=True, exist_ok=True)
    half = file.with_name(file.name + ".tmp")
    with half.open("wb") as out:
        out.write(text + b"\n")
        out.flush()
        os.fsync(out.fileno())
    half.replace(file)


def junit(run: Run, at_least: float | None = None) -> Element:
    """The root element `testsuites`; a failed row is an error, one without support is skipped."""
    found = findings(run, at_least)
    threshold = thresholds(run)[0] if at_least is None else at_least
    cases = [_case(run, f, threshold) for f in found]
    seconds = float(run.manifest.get("seconds", 0.0))
    for case in cases:  # rows are measured together: each gets an even part of the time
        case.set("time", f"{seconds / len(cases):.3f}")
    counts = {
        "tests": str(len(cases)),
        "failures": str(_count(cases, "failure")),
        "errors": str(_count(cases, "error")),
        "skipped": str(_count(cases, "skipped")),
        "time": f"{seconds:.3f}",
    }
    root = Element("testsuites", {"name": "flowgauge", **counts})
    # The form has no place for a time zone; the manifest's is UTC.
    created = str(run.manifest.get("created", "")).partition("+")[0]
    suite = _child(root, "testsuite", name=run.name, **counts, timestamp=created)
    properties = _child(suite, "properties")
    for name, value in _properties(run, threshold).items():
        _child(properties, "property", name=name, value=value)
    suite.extend(cases)
    return root


def _properties(run: Run, threshold: float) -> dict[str, str]:
    model = run.manifest.get("model", {})
    return {
        "model": str(model.get("name", "")),
        "fingerprint": str(model.get("fingerprint", "")),
        "threshold": repr(threshold),
        "support": str(run.manifest["support"].get("words", "")),
        "flowgauge": str(run.manifest.get("versions", {}).get("flowgauge", "")),
        "time": "seconds of the whole run in even parts: its rows are measured together",
    }


def _case(run: Run, f: Finding, threshold: float) -> Element:
    case = Element(
        "testcase", {"classname": _legal(run.name), "name": _legal(f.id or f"row {f.row}")}
    )
    if f.has_failed:
        _child(case, "error", message=f.why_none, type="failed row").text = _legal(f.why_none)
    elif f.support is None:
        _child(case, "skipped", message=f"no support: {f.why_none}")
    elif not f.is_supported:
        words = f"support {shown_support(f.support, threshold)} is below {threshold:.4g}"
        lines = [line for s in f.sentences for line in sentence_lines(s, threshold)]
        _child(case, "failure", message=words, type="unsupported").text = _legal(
            "\n".join([words, *lines])
        )
    return case


def _child(parent: Element, tag: str, **attributes: str) -> Element:
    return ElementTree.SubElement(parent, tag, {k: _legal(v) for k, v in attributes.items()})


def _legal(text: str) -> str:
    return _FORBIDDEN.sub("\ufffd", text)


def _count(cases: list[Element], tag: str) -> int:
    return sum(case.find(tag) is not None for case in cases)
