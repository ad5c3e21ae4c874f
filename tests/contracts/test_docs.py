"""README and docs are true: their Python runs, their commands, options and files exist."""

import doctest
import re
from pathlib import Path

import pytest
from typer.main import get_command

from flowgauge.cli.app import app

ROOT = Path(__file__).parent.parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
COMMANDS = get_command(app).commands


@pytest.fixture(params=PAGES, ids=lambda page: page.name)
def page(request):
    return request.param


def test_there_are_pages_with_python_and_commands():
    texts = [p.read_text(encoding="utf-8") for p in PAGES]
    assert sum(">>> " in text for text in texts) >= 3
    assert sum(bool(commands_in(text)) for text in texts) >= 3


def test_the_python_runs(page):
    result = doctest.testfile(
        str(page), module_relative=False, optionflags=doctest.NORMALIZE_WHITESPACE
    )
    assert result.failed == 0


def test_the_commands_exist_with_their_options(page):
    for name, rest in commands_in(page.read_text(encoding="utf-8")):
        known = {option for p in COMMANDS[name].params for option in p.opts}
        for option in re.findall(r"--[\w-]+", rest):
            assert option in known, (name, option)


def test_the_files_it_names_exist(page):
    text = page.read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:docs|src|tests|benchmarks|experiments|examples)/[^`:*]+)`", text))
    named |= {f"docs/{name}" for name in re.findall(r"\]\((?:docs/)?([\w/]+\.\w+)\)", text)}
    for name in named:
        assert (ROOT / name).exists(), name


def commands_in(text):
    """(command, what follows) of each line of a shell block."""
    # Fences come in pairs: every second piece is a block, and one without a language is a shell's.
    blocks = re.split(r"^```", text, flags=re.MULTILINE)[1::2]
    shell = "\n".join(block for block in blocks if block.startswith("\n"))
    return re.findall(r"^flowgauge (\w+)([^#\n]*)", shell, re.MULTILINE)
