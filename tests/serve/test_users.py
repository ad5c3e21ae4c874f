"""Several at once: two users, fifty requests, streams that break off, a queue that is full."""

import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection

from serve.asked import ALL_MONITORS, GENERATE, LONG, MEASURE
from serve.server import thread_server, wait_until

from flowgauge.serve.backend import Backend
from flowgauge.serve.settings import Limits
from flowgauge.serve.stream import Message


def test_a_measurement_does_not_wait_for_a_long_text(server, monkeypatch):
    monkeypatch.setattr(Backend, "generate", endless)
    texts = [server.begin("/api/generate", LONG) for _ in range(4)]
    server.stream(texts[0]["events"], most=1)
    [done] = server.job("/api/measure", MEASURE)
    assert done.name == "done"
    for text in texts:
        assert server.ask("DELETE", f"/api/jobs/{text['job']}").status == 200


def test_two_users_see_their_own_text_and_the_same_numbers_as_alone(server):
    asked = [{**GENERATE, "seed": seed, "monitors": ALL_MONITORS} for seed in (1, 2)]
    alone = [server.job("/api/generate", a) for a in asked]
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(lambda a: server.job("/api/generate", a), asked))
    for one, other in zip(alone, together, strict=True):
        assert [e.data for e in one[:-1]] == [e.data for e in other[:-1]]
        assert one[-1].data["text"] == other[-1].data["text"]
        assert one[-1].data["run"] != other[-1].data["run"]
    assert together[0][-1].data["text"] != together[1][-1].data["text"]


def test_two_texts_are_written_in_turns(server, monkeypatch):
    monkeypatch.setattr(Backend, "generate", endless)
    jobs = [server.begin("/api/generate", LONG) for _ in range(2)]
    seen = [server.stream(job["events"], most=20) for job in jobs]
    assert [len(events) for events in seen] == [20, 20]
    for job in jobs:
        server.ask("DELETE", f"/api/jobs/{job['job']}")


def test_many_read_one_job(server):
    job = server.begin("/api/generate", {**GENERATE, "max_tokens": 40})
    with ThreadPoolExecutor(8) as pool:
        seen = list(pool.map(lambda _: server.stream(job["events"]), range(8)))
    assert all(events == seen[0] for events in seen)
    assert len(seen[0]) == 41


def test_fifty_requests_at_once(server):
    def one(k):
        if k % 5 == 0:
            return server.job("/api/measure", MEASURE)[-1].name
        if k % 5 == 1:
            return server.job("/api/generate", {**GENERATE, "max_tokens": 3})[-1].name
        return server.get(("/", "/api/about", "/api/runs")[k % 3]).status

    before = len(server.get("/api/runs").json["runs"])
    with ThreadPoolExecutor(50) as pool:
        found = list(pool.map(one, range(50)))
    assert [f for f in found if f not in ("done", 200)] == []
    assert len(server.get("/api/runs").json["runs"]) == before + 20


def test_a_full_queue_says_when_to_come_back(stories, tmp_path):
    limits = Limits(waiting=2, at_once=1)
    with thread_server(stories, runs=tmp_path, limits=limits) as server:
        first = server.begin("/api/generate", LONG)
        server.stream(first["events"], most=1)
        more = [server.begin("/api/generate", LONG) for _ in range(2)]
        full = server.post("/api/generate", LONG)
        assert (full.status, full.kind) == (429, "FullError")
        assert int(full.headers["retry-after"]) > 0
        for job in (*more, first):
            server.ask("DELETE", f"/api/jobs/{job['job']}")
        assert server.job("/api/generate", GENERATE)[-1].name == "done"


def test_a_stream_that_breaks_off_is_taken_up_where_it_was(server):
    job = server.begin("/api/generate", {**GENERATE, "max_tokens": 60})
    seen = server.stream(job["events"], most=7)
    while seen[-1].name != "done":
        seen += server.stream(job["events"], most=7, Last_Event_ID=str(seen[-1].id))
    assert [e.id for e in seen] == list(range(1, 62))
    assert seen == server.stream(job["events"])


def test_a_job_that_nobody_reads_is_cancelled(stories, tmp_path, monkeypatch):
    monkeypatch.setattr(Backend, "generate", endless)
    limits = Limits(unread_seconds=0.4, at_once=1)
    with thread_server(stories, runs=tmp_path, limits=limits) as server:
        dropped = server.begin("/api/generate", LONG)
        server.stream(dropped["events"], most=2)  # and the connection is gone
        never_read = server.begin("/api/generate", LONG)
        hub = server.server._desk.hub  # asking over HTTP would be reading
        for job in (dropped, never_read):
            wait_until(lambda name=job["job"]: hub.find(name).is_over)
            assert server.stream(job["events"])[-1].name == "cancelled"
        assert server.job("/api/measure", MEASURE)[-1].name == "done"


def test_a_job_that_is_read_goes_on(stories, tmp_path, monkeypatch):
    monkeypatch.setattr(Backend, "generate", endless)
    with thread_server(stories, runs=tmp_path, limits=Limits(unread_seconds=0.2)) as server:
        job = server.begin("/api/generate", LONG)
        assert len(server.stream(job["events"], most=100)) == 100  # 1 s, five times as long
        server.ask("DELETE", f"/api/jobs/{job['job']}")


def endless(self, ask, name):
    """Steps of a text without end."""
    while True:
        time.sleep(0.01)
        yield [Message("step", {})]


def test_streams_end_when_the_server_does(stories, tmp_path, monkeypatch):
    monkeypatch.setattr(Backend, "generate", endless)
    with thread_server(stories, runs=tmp_path) as server:
        job = server.begin("/api/generate", LONG)
        connection = HTTPConnection(*server.address, timeout=60)
        connection.request("GET", job["events"])
        stream = connection.getresponse()
        assert stream.readline() == b"retry: 1000\n"
        server.server.should_exit = True
        assert b"event: done\n" not in list(stream)  # it ends, and not by an error
        connection.close()
