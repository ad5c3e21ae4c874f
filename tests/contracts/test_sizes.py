"""No source file above 600 lines, no function above 80 code lines."""

import ast
from pathlib import Path

SRC = Path(__file__).parents[2] / "src" / "flowgauge"
MOST_LINES = 600
MOST_CODE = 80
CODE = (".py", ".js", ".css", ".html")


def code_lines(function, lines):
    """Lines of a function that are neither blank, comment nor docstring."""
    skipped = set()
    first = function.body[0]
    if isinstance(first, ast.Expr) and isinstance(getattr(first.value, "value", None), str):
        skipped = set(range(first.lineno, first.end_lineno + 1))
    return sum(
        1
        for number in range(function.lineno, function.end_lineno + 1)
        if number not in skipped
        and lines[number - 1].strip()
        and not lines[number - 1].strip().startswith("#")
    )


def problems(name, text):
    """What is too long in a file."""
    lines = text.splitlines()
    found = []
    if len(lines) > MOST_LINES:
        found.append(f"{name}: {len(lines)} lines")
    if not name.endswith(".py"):
        return found
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            n = code_lines(node, lines)
            if n > MOST_CODE:
                found.append(f"{name}: {node.name} has {n} code lines")
    return found


def test_sources():
    files = [f for f in sorted(SRC.rglob("*")) if f.suffix in CODE]
    assert len(files) > 50
    found = []
    for file in files:
        found += problems(str(file.relative_to(SRC)), file.read_text(encoding="utf-8"))
    assert found == []


def test_every_module_says_what_lives_in_it():
    for file in sorted(SRC.rglob("*.py")):
        words = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")))
        assert words, f"{file} has no docstring"


def test_a_fault_is_found():
    assert problems("x.py", "a = 1\n" * 601) == ["x.py: 601 lines"]
    assert problems("x.js", "a = 1;\n" * 601) == ["x.js: 601 lines"]
    body = "    x = 1\n"
    long = 'def f():\n    """Doc.\n\n    More.\n    """\n    # a remark\n\n' + body * 80
    assert problems("x.py", long) == ["x.py: f has 81 code lines"]
    assert problems("x.py", long.replace(body * 80, body * 79)) == []
