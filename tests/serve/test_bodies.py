"""Bodies that are wrong, long, slow or half; clients that say nothing or do not listen."""

import json
import select
import socket
import threading
import time
from contextlib import ExitStack, suppress
from http.client import HTTPConnection

import pytest
from serve.asked import GENERATE, MEASURE
from serve.server import thread_server, wait_until

from flowgauge.serve.backend import Backend
from flowgauge.serve.settings import Limits
from flowgauge.serve.stream import Message


@pytest.fixture(scope="module")
def patient(stories, tmp_path_factory):
    """A server whose patience ends soon."""
    limits = Limits(
        body_seconds=0.5, header_seconds=0.5, send_seconds=0.5, connections=40,
        heartbeat_seconds=0.2,
    )  # fmt: skip
    with thread_server(stories, runs=tmp_path_factory.mktemp("patient"), limits=limits) as found:
        yield found


class Raw:
    """A client that sends what it likes, when it likes."""

    def __init__(self, server):
        self.socket = socket.create_connection(server.address, timeout=30)
        self.host = server.host

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data.encode("latin-1") if isinstance(data, str) else data)

    def head(self, length, path="/api/measure", more=""):
        self.send(
            f"POST {path} HTTP/1.1\r\nHost: {self.host}\r\nContent-Type: application/json\r\n"
            f"{f'Content-Length: {length}' if length else 'Transfer-Encoding: chunked'}\r\n"
            f"{more}\r\n"
        )

    def trickle(self, piece, seconds=0.02):
        """Sends the piece every so often until there is an answer; the answer."""
        end = time.monotonic() + 30
        with suppress(BrokenPipeError, ConnectionResetError):
            while not select.select([self.socket], [], [], seconds)[0]:
                assert time.monotonic() < end, "no answer came"
                self.send(piece)
        return self.read()

    def read(self):
        """(status, kind) of the answer, up to the end of the connection."""
        data = b""
        try:
            while more := self.socket.recv(65536):
                data += more
        except ConnectionResetError:  # what was unread is thrown away with a reset
            pass
        head, _, body = data.partition(b"\r\n\r\n")
        if not head:
            return None
        return int(head.split()[1]), json.loads(body)["error"]["kind"]


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"nonsense", b'{"question": }', b"\xff\xfe", b'{"a": "\xc3"}', b"[1, 2",
        b"[" * 100_000, b'"a string"', b"[]", b"null", b"5", b"NaN",
    ],
    ids=lambda body: body[:12].decode("latin-1"),
)  # fmt: skip
def test_a_body_that_is_no_object_is_refused_in_words(server, body):
    answer = server.post("/api/measure", body)
    assert (answer.status, answer.kind) == (400, "RequestError")
    assert answer.message


def test_the_words_say_where_the_json_is_wrong(server):
    message = server.post("/api/measure", b'{"question": }').message
    assert (
        message == "the body is not JSON: Expecting value at character 13; a JSON object was needed"
    )
    assert (
        "question: field required; response: field required"
        in server.post("/api/measure", {}).message
    )


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "",
     "application/json; charset=latin-1", "application/jsonp", "text/json"],
)  # fmt: skip
def test_other_kinds_of_body_are_refused(server, kind):
    answer = server.post("/api/measure", MEASURE, Content_Type=kind)
    assert (answer.status, answer.kind) == (415, "ContentTypeError")
    assert "application/json was needed" in answer.message


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "Application/JSON"])
def test_json_by_other_names_is_taken(server, kind):
    assert server.post("/api/generate", {"max_tokens": 0}, Content_Type=kind).status == 400


def test_10_mb_that_are_announced_are_refused_before_they_are_sent(server):
    with Raw(server) as client:
        client.head(10_000_000)
        assert client.read() == (413, "BodyTooLongError")


def test_a_body_without_end_is_refused_before_it_ends(server):
    with Raw(server) as client:
        client.head(None)
        assert client.trickle(b"%x\r\n%s\r\n" % (50_000, b"x" * 50_000), 0) == (
            413,
            "BodyTooLongError",
        )


def test_the_longest_body_is_taken_and_one_more_byte_is_not(server):
    most = 2_000_000
    body = json.dumps({"question": "", "max_tokens": 0}).encode()
    assert server.post("/api/generate", body + b" " * (most - len(body))).status == 400
    assert server.post("/api/generate", body + b" " * (most + 1 - len(body))).status == 413


def test_a_slow_body_is_not_waited_for(patient):
    with Raw(patient) as client:
        client.head(100)
        client.send(b'{"question":')
        assert client.read() == (408, "SlowBodyError")


def test_a_body_that_trickles_is_not_waited_for_either(patient):
    with Raw(patient) as client:
        client.head(1000)
        assert client.trickle(b" ") == (408, "SlowBodyError")


def test_slow_headers_are_not_waited_for(patient):
    with Raw(patient) as client:
        client.send("GET / HTTP/1.1\r\nHost: ")
        assert client.read() == (408, "SlowHeadersError")
    with Raw(patient) as client:  # one that never says a word
        assert client.read() is None


def test_headers_that_trickle_are_not_waited_for_either(patient):
    with Raw(patient) as client:
        client.send("GET / HTTP/1.1\r\n")
        assert client.trickle(b"X-A: b\r\n") == (408, "SlowHeadersError")


def test_more_connections_than_may_be_are_told_so(stories, tmp_path):
    with thread_server(stories, runs=tmp_path, limits=Limits(connections=3)) as server:
        with ExitStack() as stack:
            for _ in range(3):
                stack.enter_context(Raw(server))
            wait_until(lambda: len(server.server.server_state.connections) == 3)
            with Raw(server) as one_more:
                assert one_more.read() == (503, "TooManyConnectionsError")
        wait_until(lambda: not server.server.server_state.connections)
        assert server.get("/api/about").status == 200


def test_slow_clients_are_gone_after_a_while(patient):
    with ExitStack() as stack:
        slow = [stack.enter_context(Raw(patient)) for _ in range(30)]
        for client in slow:
            client.send("GET / HTTP/1.1\r\n")
        # On a busy machine patience may end before a word is read: closed without words.
        assert {client.read() for client in slow} <= {(408, "SlowHeadersError"), None}
    wait_until(lambda: not patient.server.server_state.connections)
    assert patient.get("/api/about").status == 200


def test_what_is_no_http_is_refused(server):
    for data in (
        "nonsense\r\n\r\n",
        "GET / HTTP/1.1\r\nHost\r\n\r\n",
        "\x16\x03\x01\x02\x00" + "x" * 300 + "\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    ):
        with Raw(server) as client:
            client.send(data)
            assert client.read() == (400, "RequestError"), data


def test_headers_without_end_are_refused(server):
    with Raw(server) as client:
        try:
            for _ in range(100):
                client.send("X-A: " + "b" * 10_000 + "\r\n")
        except (BrokenPipeError, ConnectionResetError):
            pass
        assert client.read() == (400, "RequestError")


def test_many_requests_on_one_connection(patient):
    connection = HTTPConnection(*patient.address, timeout=30)
    for k in range(4):
        connection.request("GET", "/api/about")
        found = connection.getresponse()
        assert (found.status, found.will_close) == (200, False)
        found.read()
        time.sleep(0.2 * k)  # the patience of 0.5 s is for each request anew
    connection.request("POST", "/api/measure", b"{", {"Content-Type": "text/plain"})
    found = connection.getresponse()
    assert (found.status, found.will_close) == (415, True)  # its body was not read
    connection.close()


def test_a_client_that_leaves_in_the_middle_of_its_body(server):
    for _ in range(5):
        with Raw(server) as client:
            client.head(1000)
            client.send(b'{"question"')
    assert server.get("/api/about").status == 200


def test_silent_streams_have_heartbeats(patient, monkeypatch):
    gate = threading.Event()

    def slow(self, ask, name):
        assert gate.wait(30)
        yield [Message("done", {})]

    monkeypatch.setattr(Backend, "generate", slow)
    job = patient.begin("/api/generate", GENERATE)
    connection = HTTPConnection(*patient.address, timeout=30)
    connection.request("GET", job["events"])
    stream = connection.getresponse()
    lines = [stream.readline() for _ in range(6)]
    assert lines == [b"retry: 1000\n", b"\n"] + [b": still here\n", b"\n"] * 2
    gate.set()
    assert b"event: done\n" in list(stream)
    connection.close()


def ten_mb(self, ask, name):
    """Steps of a text with long words: more than the buffers of two sockets hold."""
    for _ in range(200):
        yield [Message("step", {"text": "x" * 50_000})]
    yield [Message("done", {})]


def test_a_reader_who_does_not_listen_is_left(patient, monkeypatch):
    monkeypatch.setattr(Backend, "generate", ten_mb)
    job = patient.begin("/api/generate", GENERATE)
    connections = patient.server.server_state.connections
    wait_until(lambda: not connections)
    with Raw(patient) as client:
        client.send(f"GET {job['events']} HTTP/1.1\r\nHost: {client.host}\r\n\r\n")
        wait_until(lambda: connections)
        wait_until(lambda: not connections)


def test_a_slow_reader_is_waited_for(patient, monkeypatch):
    monkeypatch.setattr(Backend, "generate", ten_mb)
    job = patient.begin("/api/generate", GENERATE)
    with Raw(patient) as client:
        client.send(f"GET {job['events']} HTTP/1.1\r\nHost: {client.host}\r\n\r\n")
        size = 0
        while more := client.socket.recv(200_000):
            size += len(more)
            time.sleep(0.01)  # in all longer than the patience of 0.5 s
            if more.endswith(b"0\r\n\r\n"):
                break
        assert size > 10_000_000
