"""The examples run as a reader would run them, and print what their texts promise."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
ARGUMENTS = {
    "rag_answer.py": ["stories-260k"],
    "train_family.py": ["--steps", "12", "--texts", "60"],
}


def run(name):
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name), *ARGUMENTS.get(name, [])],
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_example_is_run():
    names = {p.name for p in EXAMPLES.glob("*.py")}
    assert names == {
        "rag_answer.py", "exact_world.py", "pool_test.py", "rate_distortion.py",
        "watch_generate.py", "train_family.py",
    }  # fmt: skip


def test_rag_answer():
    out = run("rag_answer.py")
    assert len(re.findall(r"^ *-?\d+\.\d %", out, re.MULTILINE)) == 2
    assert "evidence relative to the observer" in out


def test_exact_world():
    numbers = [float(x) for x in re.findall(r"(\d\.\d{12})", run("exact_world.py"))]
    information, flow, compensator, mean_e = numbers
    assert information == flow == compensator
    assert mean_e == pytest.approx(1, abs=1e-11)


def test_pool_test():
    p_values = [float(x) for x in re.findall(r"p (\d\.\d\d)", run("pool_test.py"))]
    assert len(p_values) == 5
    assert sum(p <= 0.05 for p in p_values) >= 3  # the name alone tells the sources apart


def test_rate_distortion():
    rates = [float(x) for x in re.findall(r"R (\d\.\d{4})", run("rate_distortion.py"))]
    assert rates == sorted(rates, reverse=True)
    assert len(rates) == 5


def test_watch_generate():
    ends = re.findall(
        r"(\d+) tokens, (-?\d+\.\d) nats; (.+)$", run("watch_generate.py"), re.MULTILINE
    )
    assert len(ends) == 2
    for tokens, nats, why in ends:
        assert (int(tokens) == 60) == (why == "full")
        assert (float(nats) >= 8.0) == (why == "the monitor sufficient stopped it")


def test_train_family():
    out = run("train_family.py")
    entropy = float(re.search(r"entropy of the language (\d\.\d{3}) nats", out)[1])
    members = re.findall(r"(\d+) parameters, .* (\d\.\d{3}) nats per token, (\d\.\d{3}) above", out)
    assert len(members) == 2
    for parameters, nats, above in members:
        assert 0.98 * 260_000 <= int(parameters) <= 260_000
        assert float(nats) < 6.0  # log 512 is 6.24: something was learned in 12 steps
        assert float(above) == pytest.approx(float(nats) - entropy, abs=0.002)
    assert re.search(r"mamba2-and-attention: -?\d+\.\d nats flow from the source", out)
