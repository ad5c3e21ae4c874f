"""The README is true: its targets exist, its figures are measured."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
# Fences come in pairs: every second piece is a block, and one without a language is for the shell.
BLOCKS = re.split(r"^```", README, flags=re.MULTILINE)[1::2]
SHELL = "\n".join(block for block in BLOCKS if block.startswith("\n"))


def test_the_make_targets_exist():
    makefile = (ROOT / "Makefile").read_text()
    promised = set(re.findall(r"^make (\w+)", SHELL, re.MULTILINE))
    assert {"demo", "test"} <= promised
    for target in promised:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_the_figures_are_those_of_the_benchmarks(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import write_readme

    assert write_readme.rewritten(README) == README
    assert write_readme.START in README
