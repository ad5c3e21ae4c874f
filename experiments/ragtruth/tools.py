"""Tools that install offline today, run on the same responses in an environment of their own.

Their scores are kept in a CSV, so that a reader can check the tables without installing them.
"""

import csv
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import flowgauge as fg

PACKAGES = ("hallucination-check==0.1.0", "groundcheck-rag==0.2.0")
WORKER = Path(__file__).with_name("tool_worker.py")
FIELDS = ("set", "id", "tool", "version", "score")


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolScores:
    """What the tools said.

    Attributes:
        scores: (tool and version) → (set, record id) → score, higher = better supported.
        failures: One line for each tool that gave no full set of scores, with the reason.
    """

    scores: Mapping[str, Mapping[tuple[str, str], float]]
    failures: tuple[str, ...] = ()


def environment(folder: Path) -> Path:
    """The Python of the tools' environment, made once.

    Raises:
        RuntimeError: It cannot be made or the tools cannot be installed; shows pip's last words.
    """
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    ready = folder / ".ready"
    if ready.is_file() and ready.read_text() == " ".join(PACKAGES):
        return python
    for command in (
        [sys.executable, "-m", "venv", "--clear", str(folder)],
        [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PACKAGES],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            words = (done.stderr or done.stdout).strip()[-300:]
            raise RuntimeError(f"{' '.join(command[1:4])} failed: {words}")
    ready.write_text(" ".join(PACKAGES))
    return python


def tool_scores(records: Mapping[str, Sequence[fg.Record]], folder: Path) -> ToolScores:
    """Scores of every tool on every record; `folder` keeps the environment."""
    names = tuple(p.replace("==", " ") for p in PACKAGES)
    try:
        python = environment(folder)
    except (OSError, RuntimeError) as error:
        return ToolScores(scores={}, failures=tuple(f"{n}: not installed: {error}" for n in names))
    lines = [
        json.dumps({"set": s, "id": r.id, "documents": r.documents, "response": r.response})
        for s, rows in records.items()
        for r in rows
    ]
    try:
        return collect(_said(python, "\n".join(lines), folder))
    except RuntimeError as error:
        return ToolScores(scores={}, failures=tuple(f"{n}: did not run: {error}" for n in names))


def _said(python: Path, text: str, folder: Path) -> list[dict[str, object]]:
    """The worker's lines about these records; kept, for the tools are slow and deterministic."""
    key = hashlib.sha256((WORKER.read_text() + text).encode()).hexdigest()[:16]
    kept = folder / f"scores-{key}.jsonl"
    if not kept.is_file():
        done = subprocess.run(
            [str(python), "-I", str(WORKER)],
            input=text, capture_output=True, text=True, encoding="utf-8", check=False,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(done.stderr.strip()[-300:])
        kept.write_text(done.stdout, encoding="utf-8")
    return [json.loads(line) for line in kept.read_text(encoding="utf-8").splitlines()]


def collect(rows: Sequence[Mapping[str, object]]) -> ToolScores:
    """The worker's lines by tool; a tool that failed anywhere has no scores, only its reason."""
    failed = {str(r["tool"]): str(r["error"]) for r in rows if "error" in r}
    scores: dict[str, dict[tuple[str, str], float]] = {}
    for r in rows:
        if "error" not in r and r["tool"] not in failed:
            place = scores.setdefault(f"{r['tool']} {r['version']}", {})
            place[str(r["set"]), str(r["id"])] = float(str(r["score"]))
    lines = tuple(f"{tool}: failed: {why}" for tool, why in sorted(failed.items()))
    return ToolScores(scores=scores, failures=lines)


def write_csv(found: ToolScores, path: Path) -> None:
    """One line a tool and response: set, id, tool, version, score."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(FIELDS)
        for tool, values in sorted(found.scores.items()):
            name, number = tool.rsplit(" ", 1)
            for (dataset, key), score in sorted(values.items()):
                writer.writerow([dataset, key, name, number, f"{score:.6g}"])


def read_csv(path: Path) -> ToolScores:
    """What `write_csv` wrote."""
    with path.open(newline="", encoding="utf-8") as file:
        return collect(list(csv.DictReader(file)))
