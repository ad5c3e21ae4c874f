"""docs/paper_index.md names functions that import and tests that exist."""

import ast
import re
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
INDEX = ROOT / "docs" / "paper_index.md"


def rows(text):
    """(section, statement, [functions], [tests]) of every table row."""
    section = ""
    for line in text.splitlines():
        if line.startswith("## "):
            section = line[3:]
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(cells) != 3 or cells[0] == "statement" or set(cells[0]) <= {"-", ":"}:
            continue
        yield (
            section,
            cells[0],
            re.findall("`([^`]+)`", cells[1]),
            re.findall("`([^`]+)`", cells[2]),
        )


def resolve(name):
    """The object behind a dotted name; ImportError or AttributeError if there is none."""
    parts = name.split(".")
    found = import_module(parts[0])
    for depth, part in enumerate(parts[1:], start=2):
        if not hasattr(found, part):
            found = import_module(".".join(parts[:depth]))
        else:
            found = getattr(found, part)
    return found


def has_test(name):
    """Whether tests/…/test_x.py::test_y is a function (or method) of that file."""
    file, *inner = name.split("::")
    path = ROOT / file
    if not inner or not file.startswith("tests/") or not path.is_file():
        return False
    body = ast.parse(path.read_text(encoding="utf-8")).body
    for step in inner:
        step = step.partition("[")[0]
        nodes = [node for node in body if getattr(node, "name", None) == step]
        if not nodes:
            return False
        body = getattr(nodes[0], "body", [])
    return inner[-1].startswith("test_")


def problems(text):
    """What is wrong with an index, one line each."""
    found = []
    for section, statement, functions, tests in rows(text):
        where = f"{section}: {statement}"
        if not functions or not tests:
            found.append(f"{where}: a function and a test, both in backticks, are needed")
        for function in functions:
            try:
                resolve(function)
            except (ImportError, AttributeError) as error:
                found.append(f"{where}: {function} does not import ({error})")
        found += [f"{where}: no such test {test}" for test in tests if not has_test(test)]
    return found


def test_every_function_imports_and_every_test_exists():
    assert problems(INDEX.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("section", re.findall("^## (.+)$", INDEX.read_text("utf-8"), re.M))
def test_every_section_has_a_statement(section):
    assert [row for row in rows(INDEX.read_text(encoding="utf-8")) if row[0] == section]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("| s | `flowgauge.flow.flaw` | `{test}` |", "flowgauge.flow.flaw does not import"),
        ("| s | `flowgauge.nothing.flow` | `{test}` |", "flowgauge.nothing.flow does not import"),
        ("| s | `flowgauge.flow.flow` | `{test}x` |", "no such test"),
        ("| s | `flowgauge.flow.flow` | `tests/flow/test_flaw.py::test_x` |", "no such test"),
        ("| s | `flowgauge.flow.flow` | `tests/flow/test_doob.py` |", "no such test"),
        ("| s | flowgauge.flow.flow | `{test}` |", "both in backticks"),
    ],
)
def test_a_wrong_row_is_found(row, message):
    good = "tests/contracts/test_paper_index.py::test_a_wrong_row_is_found"
    (problem,) = problems("## x\n" + row.format(test=good))
    assert message in problem
    assert problems(f"| a \\| b | `flowgauge.records.Flow.fraction` | `{good}` |") == []
