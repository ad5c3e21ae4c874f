"""Real servers for tests: a process of its own as a user starts it, or a thread of this process.

with process_server(tmp_path / "runs") as server:     # server.url, server.process
with thread_server(lm, runs=…, limits=Limits(…)) as server:
"""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

STORY = "stories-260k"
_SECONDS = 60  # a machine may be busy


@dataclass
class Answer:
    """Status, headers by lower-case name, body."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def kind(self) -> str:
        return self.json["error"]["kind"]

    @property
    def message(self) -> str:
        return self.json["error"]["message"]


@dataclass
class RunningServer:
    """Where a server is reached; requests carry its Host header unless another is given."""

    url: str
    process: Any = None
    server: Any = None
    said: list[str] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def host(self) -> str:
        return self.url.removeprefix("http://")

    @property
    def address(self) -> tuple[str, int]:
        host, _, port = self.host.rpartition(":")
        return host.strip("[]"), int(port)

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """One request on a connection of its own; `Host_` etc. stand for header names with -."""
        sent = {**self.headers, **{k.replace("_", "-").strip("-"): v for k, v in headers.items()}}
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        if body is not None:
            sent = {"Content-Type": "application/json", **sent}
        connection = HTTPConnection(*self.address, timeout=_SECONDS)
        try:
            with suppress(BrokenPipeError, ConnectionResetError):  # answered before all was sent
                connection.request(method, path, body, sent)
            found = connection.getresponse()
            named = {k.lower(): v for k, v in found.getheaders()}
            return Answer(found.status, named, found.read())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, **headers)

    def post(self, path: str, body: Any, **headers: str) -> Answer:
        return self.ask("POST", path, body, **headers)

    def stream(self, path: str, most: int | None = None, **headers: str) -> "list[StreamEvent]":
        """Events of a stream until it ends, or the first `most`; then the connection is dropped."""
        sent = {**self.headers, **{k.replace("_", "-"): v for k, v in headers.items()}}
        connection = HTTPConnection(*self.address, timeout=_SECONDS)
        try:
            connection.request("GET", path, headers=sent)
            found = connection.getresponse()
            assert found.status == 200, (found.status, found.read())
            assert found.getheader("content-type", "").startswith("text/event-stream")
            return list(_events(found, most))
        finally:
            connection.close()

    def job(self, path: str, body: Any) -> "list[StreamEvent]":
        """All events of a new job."""
        return self.stream(self.begin(path, body)["events"])

    def begin(self, path: str, body: Any) -> dict[str, str]:
        """A new job: its id and where its events are."""
        answer = self.post(path, body)
        assert answer.status == 202, (answer.status, answer.body)
        return answer.json


@dataclass(frozen=True)
class StreamEvent:
    """One server-sent event."""

    id: int
    name: str
    data: Any


def _events(lines: Any, most: int | None) -> Iterator[StreamEvent]:
    found: dict[str, str] = {}
    n = 0
    for raw in lines:
        line = raw.decode("utf-8").rstrip("\n")
        if line:
            name, _, value = line.partition(": ")
            found[name] = value
        elif "data" in found:
            yield StreamEvent(int(found["id"]), found["event"], json.loads(found["data"]))
            found, n = {}, n + 1
            if n == most:
                return
        else:
            found = {}


def start_process(*arguments: Any, **more: Any) -> subprocess.Popen:
    """`python -m flowgauge serve ARGUMENTS`, its output in one pipe."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "flowgauge", "serve", *map(str, arguments)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # A test run started in the background ignores Ctrl-C, and so would what it starts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        **more,
    )


@contextmanager
def process_server(
    runs: Path, *arguments: Any, model: str = STORY, port: int = 0
) -> Iterator[RunningServer]:
    """The server as a process of its own; its output is shown if the block fails."""
    process = start_process(
        "--model", model, "--port", port, "--runs", runs, "--no-browser", *arguments
    )
    said: list[str] = []
    found = threading.Event()

    def listen() -> None:
        for line in process.stdout:
            said.append(line)
            if "flowgauge: serving" in line:
                found.set()
        found.set()

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    try:
        found.wait(_SECONDS)
        address = re.search(r"http://(\[[^\]]+\]|[^\s/:]+):\d+", "".join(said))
        assert address, f"the server did not start: {''.join(said)}"
        yield RunningServer(address[0], process=process, said=said)
    except BaseException:
        sys.stderr.write("the server said:\n" + "".join(said))
        raise
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        listener.join(5)
        process.stdout.close()


@contextmanager
def thread_server(lm: Any, **settings: Any) -> Iterator[RunningServer]:
    """The server in a thread of this process, for limits and models that no command has."""
    from flowgauge.serve.listen import address_of, bind
    from flowgauge.serve.server import make_server
    from flowgauge.serve.settings import ServeSettings

    chosen = ServeSettings(**{"port": 0, **settings})
    sock = bind(chosen)
    ready = threading.Event()
    server = make_server(lm, chosen, sock, ready.set)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, daemon=True)
    thread.start()
    try:
        assert ready.wait(_SECONDS), "the server did not start"
        yield RunningServer(address_of(chosen, sock), server=server)
    finally:
        server.should_exit = True
        thread.join(_SECONDS)
        sock.close()
        assert not thread.is_alive()


def wait_until(condition: Any, seconds: float = _SECONDS) -> None:
    """Until `condition()` holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)
