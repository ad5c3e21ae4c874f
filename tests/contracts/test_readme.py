"""The README is true: its Python runs, its commands and files exist."""

import doctest
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
# Fences come in pairs: every second piece is a block, and one without a language is for the shell.
BLOCKS = re.split(r"^```", README, flags=re.MULTILINE)[1::2]
SHELL = "\n".join(block for block in BLOCKS if block.startswith("\n"))


def test_the_python_in_the_readme_runs():
    result = doctest.testfile(str(ROOT / "README.md"), module_relative=False)
    assert result.attempted >= 3
    assert result.failed == 0


def test_the_make_targets_exist():
    makefile = (ROOT / "Makefile").read_text()
    promised = set(re.findall(r"^make (\w+)", SHELL, re.MULTILINE))
    assert {"demo", "test"} <= promised
    for target in promised:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_the_commands_exist_with_their_options():
    from typer.main import get_command

    from flowgauge.cli.app import app

    commands = get_command(app).commands
    promised = re.findall(r"^flowgauge (\w+)([^#\n]*)", SHELL, re.MULTILINE)
    assert len(promised) >= 4
    for name, rest in promised:
        known = {o for p in commands[name].params for o in p.opts}
        for option in re.findall(r"--[\w-]+", rest):
            assert option in known, (name, option)


def test_the_files_it_names_exist():
    named = set(re.findall(r"`((?:docs|src|tests|benchmarks)/[^`]+)`", README))
    named |= set(re.findall(r"\]\((docs/[^)]+)\)", README))
    assert named
    for name in named:
        assert (ROOT / name).exists(), name


def test_the_figures_are_those_of_the_benchmarks(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import write_readme

    assert write_readme.rewritten(README) == README
    assert write_readme.START in README
