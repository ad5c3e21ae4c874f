"""The command as a process of its own: how it starts, ends, is killed, and what it holds."""

import os
import re
import signal
from pathlib import Path

import psutil
import pytest
from serve.asked import GENERATE, LONG, MEASURE
from serve.server import process_server, start_process, wait_until

from flowgauge import Record, TabularModel, measure, open_run
from flowgauge.cli import serve as command
from flowgauge.errors import MissingDependencyError, RunError, SettingsError

SETTINGS = {
    "model": "stories-260k", "host": "127.0.0.1", "port": 0, "token": None, "runs": None,
    "open_browser": False,
}  # fmt: skip


@pytest.fixture
def saved(tmp_path):
    """A saved run of a table."""
    model = TabularModel.random(sources=2, vocabulary=3, length=2, seed=0)
    measure([Record(id="r", question="0", response="ab")], model, out=tmp_path / "runs" / "one")
    return tmp_path / "runs" / "one"


def test_kill_9_and_a_new_start_keep_the_saved_runs(tmp_path):
    """The new start has a token and opens a run first."""
    runs, token = tmp_path / "runs", "0123456789abcdef-secret"
    with process_server(runs) as server:
        for name in ("first", "second"):
            assert server.job("/api/measure", {**MEASURE, "name": name})[-1].name == "done"
        server.stream(server.begin("/api/generate", {**LONG, "name": "half"})["events"], most=3)
        before = server.get("/api/runs/first").body
        server.process.kill()
        assert server.process.wait(30) == -signal.SIGKILL
    with process_server(runs, "--token", token, runs / "first") as server:
        assert f"{server.url}/runs/first" in "".join(server.said)
        assert token not in "".join(server.said)
        assert server.get("/api/runs/first").status == 401
        server.headers["Authorization"] = f"Bearer {token}"
        names = {run["name"] for run in server.get("/api/runs").json["runs"]}
        assert {"first", "second"} <= names <= {"first", "second", "half"}
        assert server.get("/api/runs/first").body == before
        assert server.get("/runs/second").status == 200
        assert server.job("/api/generate", {**GENERATE, "name": "third"})[-1].name == "done"
    assert len(open_run(runs / "third")) == 1


def load(server):
    """One round: measured and written texts, pages, long bodies refused, waiting and cancelled."""
    for _ in range(3):
        assert server.job("/api/measure", MEASURE)[-1].name == "done"
        assert server.job("/api/generate", GENERATE)[-1].name == "done"
    for path in ("/", "/api/runs", "/api/about") * 5:
        assert server.get(path).status == 200
    busy = [server.begin("/api/generate", LONG) for _ in range(3)]
    long = "word " * 300_000
    for _ in range(25):
        assert (
            server.post("/api/generate", {**GENERATE, "question": long, "seed": -1}).status == 400
        )
        waiting = server.begin("/api/generate", {**GENERATE, "documents": [long]})
        server.ask("DELETE", f"/api/jobs/{waiting['job']}")
    for job in busy:
        server.ask("DELETE", f"/api/jobs/{job['job']}")
        server.stream(job["events"])


def test_memory_after_load_is_back_and_control_c_ends_with_open_streams(tmp_path):
    """A round takes in 75 MB of bodies: what is kept of a third of them shows as 5 %.

    Two rounds load libraries and fill the allocator's pools, which are never given back, so they
    only warm up; of the two that follow the smaller is compared, since noise only adds.
    """
    with process_server(tmp_path / "runs") as server:
        process = psutil.Process(server.process.pid)
        sizes = []
        for _ in range(4):
            load(server)
            sizes.append(process.memory_info().rss)
        assert min(sizes[2:]) <= 1.05 * sizes[1], [f"{size / 2**20:.0f} MB" for size in sizes]
        assert process.num_threads() < 60
        job = server.begin("/api/generate", LONG)
        server.stream(job["events"], most=1)
        port = server.address[1]
        with pytest.raises(SettingsError, match=f"port {port} of 127.0.0.1 cannot be had"):
            command.run_serve(None, **{**SETTINGS, "port": port})
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(30) == 0
        wait_until(lambda: server.said and server.said[-1] == "flowgauge: ended\n")
        assert "Traceback" not in "".join(server.said)
        assert len(server.said) == 2, server.said


@pytest.mark.parametrize(
    ("more", "page"),
    [({}, ""), ({"run": True}, "runs/one"), ({"token": "t" * 16}, f"?token={'t' * 16}")],
)
def test_the_browser_is_shown_the_page(saved, monkeypatch, capsys, more, page):
    opened = []

    def open_browser(url):
        opened.append(url)
        os.kill(os.getpid(), signal.SIGINT)  # Ctrl-C

    table = TabularModel.random(sources=2, vocabulary=3, length=2, seed=0)
    monkeypatch.setattr(command.webbrowser, "open", open_browser)
    monkeypatch.setattr(command, "load_model", lambda name: table)
    run = saved if more.pop("run", False) else None
    command.run_serve(run, **{**SETTINGS, "runs": saved.parent, "open_browser": True, **more})
    said = capsys.readouterr().out
    [url] = opened
    assert re.fullmatch(rf"http://127\.0\.0\.1:\d+/{re.escape(page)}", url)
    assert f"serving tabular at {url.partition('?')[0]}" in said
    assert said.endswith("flowgauge: ended\n")
    assert "t" * 16 not in said


def test_another_host_without_a_token_is_refused_with_2():
    with start_process("--host", "0.0.0.0", "--no-browser") as process:
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 2
    assert said.startswith("flowgauge: the host 0.0.0.0 can be reached from other machines")
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"host": "no.such.host.invalid", "token": "x" * 16}, "cannot be listened at"),
        ({"port": 99999}, "the port is 99999"),
        ({"token": "short"}, "16 to 200 letters"),
    ],
)
def test_wrong_settings_are_refused_before_the_model_is_loaded(change, words):
    with pytest.raises(SettingsError, match=words):
        command.run_serve(None, **{**SETTINGS, "model": "no model", **change})


def test_without_the_extra_the_words_name_it(monkeypatch):
    monkeypatch.setattr(command, "find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match=r"fastapi and uvicorn; .*flowgauge\[web\]"):
        command.run_serve(None, **SETTINGS)
    monkeypatch.setattr(command, "find_spec", lambda name: None if name == "uvicorn" else name)
    with pytest.raises(MissingDependencyError, match="serve needs uvicorn; install the extra"):
        command.check_extra()


def test_where_the_runs_are(saved, monkeypatch):
    assert command.places(None, None) == (Path("runs"), None)
    assert command.places(None, Path("x")) == (Path("x"), None)
    assert command.places(saved, None) == (saved.parent.resolve(), "one")
    assert command.places(saved, saved.parent) == (saved.parent, "one")
    assert command.places(Path("one"), saved.parent) == (saved.parent, "one")
    monkeypatch.chdir(saved.parent.parent)
    assert command.places(Path("one"), None) == (saved.parent.resolve(), "one")
    assert command.places(Path("runs/one"), None) == (saved.parent.resolve(), "one")
    with pytest.raises(SettingsError, match="does not stand in"):
        command.places(saved, saved.parent.parent)
    with pytest.raises(RunError, match="is no run"):
        command.places(Path("two"), None)
    saved.rename(saved.with_name("o n e"))
    with pytest.raises(SettingsError, match="the name 'o n e' was given"):
        command.places(saved.with_name("o n e"), None)
    (saved.with_name("o n e") / "run.json").unlink()
    with pytest.raises(RunError, match="is not finished"):
        command.places(saved.with_name("o n e"), None)
