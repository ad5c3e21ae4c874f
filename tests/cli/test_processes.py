"""Ends that only a process of its own can have: killed, interrupted, unread, on a terminal."""

import io
import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest
from cli.commands import STORY, good_rows, run_here, start, write_rows

from flowgauge import measure
from flowgauge.models import load_model
from flowgauge.store import open_run


def wait_for(condition, process, seconds=300):
    """Until `condition()` holds; fails if the process ends first."""
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.002)


def test_kill_9_and_resume_give_the_numbers_of_an_uninterrupted_run(tmp_path, capsys, monkeypatch):
    write_rows(tmp_path / "in.jsonl", [*good_rows(160, sentences=8), b"broken"])
    run = tmp_path / "run"
    with start("measure", tmp_path / "in.jsonl", "-m", STORY, "-o", run) as process:
        wait_for((run / "part-00000").is_dir, process)
        process.kill()
        process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert not (run / "run.json").exists()
    parts = len(list(run.glob("part-?????")))
    assert 1 <= parts < 6
    status, out, err = run_here(
        capsys, monkeypatch,
        "measure", tmp_path / "in.jsonl", "-m", STORY, "-o", run, "--resume", "--json",
    )  # fmt: skip
    assert status == 1, err
    assert len(json.loads(out)["records"]) == 160
    resumed = open_run(run)
    assert len(list(run.glob("part-?????"))) == 6
    assert not list(run.glob("*.tmp"))
    whole = measure(tmp_path / "in.jsonl", load_model(STORY))
    for table in ("records", "tokens", "sentences"):
        assert resumed.table(table).equals(whole.table(table)), table


def test_control_c_ends_in_words_and_the_run_goes_on_later(tmp_path):
    write_rows(tmp_path / "in.jsonl", good_rows(300, sentences=8))
    run = tmp_path / "run"
    with start(
        "measure", tmp_path / "in.jsonl", "-m", STORY, "-o", run, start_new_session=True
    ) as process:
        wait_for((run / "plan.json").is_file, process)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=300)
    assert process.returncode == 130
    assert out == b""
    assert err.endswith(b"flowgauge: interrupted; --resume continues a run\n")
    assert b"Traceback" not in err
    assert not (run / "run.json").exists()


def test_a_reader_that_goes_away_is_no_failure():
    read, write = os.pipe()
    os.close(read)
    with start("models", "--json", stdout=write) as process:
        os.close(write)
        _, err = process.communicate(timeout=300)
    assert process.returncode == 0
    assert err == b""


@pytest.fixture(scope="module")
def hostile_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    text = "\x9b31m \x9d0;pwned\x9c \u202e 😀 end of this long sentence."
    write_rows(
        folder / "in.jsonl",
        [
            {"id": "a\x9b2J", "prompt": text, "response": text},
            {
                "id": "[red]b[/red]",
                "prompt": "x",
                "response": "[link=file:///etc]Click me now[/link]",
            },
            {"id": "c\x1b[2J", "prompt": "x", "response": "x"},
        ],
    )
    measure(folder / "in.jsonl", load_model(STORY), out=folder / "run")
    return folder


class Terminal(io.StringIO):
    """What a program takes for a terminal."""

    def isatty(self):
        return True


def test_a_terminal_gets_a_table_and_no_sequence_of_the_models(hostile_run, capsys, monkeypatch):
    monkeypatch.setenv("TERM", "dumb")  # so that rich itself sends no sequence
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr(sys, "stdout", Terminal())
    status, _, _ = run_here(
        capsys, monkeypatch,
        "measure", hostile_run / "in.jsonl", "-m", STORY, "-o", hostile_run / "run", "--resume",
    )  # fmt: skip
    text = sys.stdout.getvalue()
    assert status == 1
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", text), text
    assert "2 responses seen by stories-260k" in text
    assert "│" in text  # a table, not lines
    assert "[red]b[/red]" in text  # markup stays text
    assert "[link=file:///etc]" in text


def test_a_terminal_that_lacks_characters_gets_question_marks(hostile_run, capsys, monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="latin-1"))
    status, _, _ = run_here(
        capsys, monkeypatch,
        "measure", hostile_run / "in.jsonl", "-m", STORY, "-o", hostile_run / "run", "--resume",
    )  # fmt: skip
    sys.stdout.flush()
    assert status == 1
    assert b"2 measured, 1 failed" in raw.getvalue()
    assert b"a?2J" in raw.getvalue()


def test_two_at_once_into_one_run(tmp_path, capsys, monkeypatch):
    write_rows(tmp_path / "in.jsonl", good_rows(4))
    holder = (
        "import sys\nfrom pathlib import Path\nfrom filelock import FileLock\n"
        "Path(sys.argv[1]).mkdir()\n"
        "with FileLock(Path(sys.argv[1]) / '.lock'):\n"
        "    print('held', flush=True)\n    sys.stdin.readline()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holder, str(tmp_path / "run")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        assert other.stdout.readline() == b"held\n"
        status, out, err = run_here(
            capsys, monkeypatch, "measure", tmp_path / "in.jsonl", "-m", STORY, "-o",
            tmp_path / "run",
        )  # fmt: skip
        other.communicate(b"\n")
    assert (status, out) == (2, "")
    assert "another process writes to" in err
