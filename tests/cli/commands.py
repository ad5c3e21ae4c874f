"""Ways to run the command line: in this process (fast), and as a process of its own."""

import json
import os
import signal
import subprocess
import sys

import torch

from flowgauge.cli import main

STORY = "stories-260k"


def run_here(capsys, monkeypatch, *arguments):
    """(exit status, stdout, stderr) of `flowgauge ARGUMENTS` in this process."""
    monkeypatch.setattr(sys, "argv", ["flowgauge", *map(str, arguments)])
    capsys.readouterr()
    try:
        main()
        status = 0
    except SystemExit as end:
        status = end.code or 0
    said = capsys.readouterr()
    return status, said.out, said.err


def start(*arguments, **more):
    """`python -m flowgauge ARGUMENTS` as a process, its output in pipes.

    As many threads as here: a run may only be resumed with the same number.
    """
    environment = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}
    return subprocess.Popen(
        [sys.executable, "-m", "flowgauge", *map(str, arguments)],
        env=environment,
        # A test run started in the background ignores Ctrl-C, and so would what it starts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **more},
    )


def write_rows(path, rows):
    """JSON lines; a row of bytes is written as it stands."""
    lines = [r if isinstance(r, bytes) else json.dumps(r).encode() for r in rows]
    path.write_bytes(b"\n".join(lines) + b"\n")
    return path


def good_rows(n, sentences=2):
    """n stories, four to a source."""
    return [
        {
            "id": f"g{i}",
            "prompt": f"Once upon a time there was a dog number {i // 4}.",
            "response": f" The dog saw {i} cats." + " They ran to the park." * (sentences - 1),
        }
        for i in range(n)
    ]


#: Five rows broken in five ways, and why they fail.
BROKEN = {
    3: (b"{not json", "the line is not JSON"),
    7: ({"id": "silent", "prompt": "Who?"}, "the row has no response"),
    11: (
        {"id": "long", "question": "Who?", "documents": ["word " * 100_000], "response": "It."},
        "reads at most 512",
    ),
    15: ({"id": "typed", "prompt": "Who?", "response": ["a", "list"]}, "a string was needed"),
    19: (
        {"id": "wild\x1b[31m", "prompt": "Who?", "response": "a \x1b]0;pwned\x07 😀 \x00"},
        "control character",
    ),
}


def rows_with_broken(n=20):
    """n good rows with the broken ones among them."""
    rows = good_rows(n)
    for place in sorted(BROKEN):
        rows.insert(place, BROKEN[place][0])
    return rows
