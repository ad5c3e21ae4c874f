"""`flowgauge generate`: what it prints, saves and refuses, and the view of `--live`."""

import io
import json
import os
import pty
import re
import subprocess
import sys
from dataclasses import replace

import pytest
from cli.commands import STORY, run_here
from rich.console import Console

from flowgauge import load_model, open_run
from flowgauge.cli.live import LiveView, shade, sparkline
from flowgauge.live import GenerateSettings, Grounded, generate, stop
from flowgauge.records import Sampling

PROMPT = "Once upon a time there was a girl named Lily. She"


@pytest.fixture
def flowgauge(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: run_here(capsys, monkeypatch, *arguments)


def ours(prompt=PROMPT, tokens=20, **more):
    lm = load_model(STORY)
    return generate(prompt, lm, settings=GenerateSettings(max_tokens=tokens), **more).finish()


def test_the_text_as_it_comes_and_a_line_of_numbers(flowgauge):
    status, out, _ = flowgauge("generate", PROMPT, "-m", STORY, "--max-tokens", 20, "--seed", 3)
    wanted = ours(seed=3)
    assert status == 0
    assert out.startswith(wanted.record.response)
    last = wanted.steps[-1]
    assert f"20 tokens; flow {last.flow:.1f} nats, expected {last.compensator:.1f}" in out
    assert "the limit of tokens was reached; law: sampling; seed 3" in out


def test_json_holds_every_step_and_the_settings(flowgauge):
    how = ("--temperature", 0.7, "--top-p", 0.9, "--top-k", 30, "--min-p", 0.01)
    status, out, _ = flowgauge(
        "generate", PROMPT, "-m", STORY, "--max-tokens", 12, *how,
        "--repetition-penalty", 1.2, "--json", "--monitor", "grounded:alpha=0.5",
    )  # fmt: skip
    told = json.loads(out)
    sampling = Sampling(temperature=0.7, top_p=0.9, top_k=30, min_p=0.01, repetition_penalty=1.2)
    wanted = ours(tokens=12, sampling=sampling, monitors=[Grounded(alpha=0.5)])
    assert status == 0
    assert told["text"] == wanted.record.response
    assert told["sampling"] == {
        "temperature": 0.7, "top_k": 30, "top_p": 0.9, "min_p": 0.01, "repetition_penalty": 1.2
    }  # fmt: skip
    assert [s["density"] for s in told["steps"]] == [s.density for s in wanted.steps]
    assert [e["words"] for e in told["events"]] == [e.words for e in wanted.events]
    assert told["flow_nats"] == wanted.steps[-1].flow


def test_a_text_on_documents_is_saved_as_a_run(flowgauge, tmp_path):
    document = tmp_path / "tom.txt"
    document.write_text("Tom had a red ball.", encoding="utf-8")
    where = ("--out", "runs/tom")
    status, out, _ = flowgauge(
        "generate", "What had Tom?", "-d", document, "-m", STORY, "--max-tokens", 15, *where
    )
    run = open_run(tmp_path / "runs" / "tom")
    record = run["generated"].record
    assert status == 0
    assert "run: runs/tom" in out
    assert record["documents"] == ["Tom had a red ball."]
    assert record["author"] == "observer"
    assert record["is_exact"]
    assert out.startswith(record["response"])
    status, _, err = flowgauge("generate", "x", "-m", STORY, *where)
    assert (status, err) == (
        2, "flowgauge: runs/tom holds a run already; choose another --out\n"
    )  # fmt: skip


def test_a_monitor_may_end_it(flowgauge):
    status, out, _ = flowgauge(
        "generate", PROMPT, "-m", STORY, "--max-tokens", 60, "--stop-on", "grounded:alpha=0.9"
    )
    wanted = ours(tokens=60, monitors=[Grounded(alpha=0.9, action=stop)])
    assert status == 0
    assert len(wanted.steps) < 60
    assert "the monitor grounded stopped it" in out
    assert f"■ grounded, token {wanted.events[0].position}: Driven by the source" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "nothing to go on from came"),
        (["x", "--monitor", "oracle"], "the monitor 'oracle' was asked; there are grounded, "),
        (["x", "--monitor", "grounded:alpha=two"], "name:setting=number was needed"),
        (["x", "--monitor", "loop", "--stop-on", "loop"], "the monitor loop was asked twice"),
        (["x", "-d", "no.txt"], "the document no.txt cannot be read"),
        (["x", "--law", "cache"], "--law is 'cache'; generate has: sampling, model"),
        (["x", "--top-p", "0"], "is no way to sample"),
        (["x", "--max-tokens", "0"], "max_tokens is 0, at least 1 was needed"),
        (["x", "--seed", "-1"], "seed is -1, 0 or more was needed"),
        (["x " * 600], "the prompt has"),
    ],
)
def test_what_is_wrong_is_said(flowgauge, arguments, words):
    status, out, err = flowgauge("generate", *arguments, "-m", STORY)
    assert (status, out) == (2, "")
    assert words in err


def test_shades_are_those_of_the_page():
    assert shade(0.09) == ""
    assert [shade(d) for d in (0.1, 0.5, 1, 2, 4)] == [
        f"black on color({n})" for n in (195, 153, 117, 75, 69)
    ]
    assert len({shade(-d) for d in (0.1, 0.5, 1, 2, 4)}) == 5


def test_sparkline_shows_means_of_equal_parts():
    assert sparkline([0, 0, 1, 1, 7, 7], 3) == "▁▂█"
    assert sparkline([1, float("inf"), 2], 9) == "▁█"
    assert len(sparkline(list(range(1000)), 40)) == 40


def test_the_view_shades_tokens_and_keeps_control_characters_out():
    lm = load_model(STORY)
    text = generate(PROMPT, lm, settings=GenerateSettings(max_tokens=8), monitors=[Grounded(0.5)])
    console = Console(file=io.StringIO(), force_terminal=True, width=60, color_system="256")
    view = LiveView(text, console)
    for step in text:
        view.add(step)
    console.print(view)
    said = console.file.getvalue()
    plain = re.sub(r"\x1b\[[0-9;]*m", "", said)
    assert text.text.split()[0] in plain
    assert "flow  " in plain
    assert "grounded: log_e_nats" in plain
    assert "48;5;" in said  # some token has a background
    view.add(replace(step, text="\x1b[2J"))
    assert "\x1b[2J" not in view.whole.plain


def test_live_in_a_real_terminal():
    main, side = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "flowgauge", "generate", PROMPT, "-m", STORY, "--live",
         "--max-tokens", "12"],
        stdin=side, stdout=side, stderr=side, env={**os.environ, "TERM": "xterm-256color"},
    )  # fmt: skip
    os.close(side)
    said = b""
    try:
        while chunk := os.read(main, 65536):
            said += chunk
    except OSError:  # the other side was closed
        pass
    os.close(main)
    assert process.wait(timeout=120) == 0
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", said.decode())
    assert "48;5;" in said.decode()
    assert "12 tokens; expected flow" in text
    assert "law: sampling" in text
