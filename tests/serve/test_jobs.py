"""The queue and its turns, on steps made up for it."""

import threading

import pytest
from serve.server import wait_until

from flowgauge.errors import RecordError
from flowgauge.serve.jobs import FullError, Hub, UnknownJobError
from flowgauge.serve.settings import Limits
from flowgauge.serve.stream import Message

DONE = Message("done", {})


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def make_hub():
    """Function from limits to a started hub with a clock that stands still."""
    hubs = []

    def make(**limits):
        hubs.append(Hub(Limits(**limits), Clock()))
        hubs[-1].start()
        return hubs[-1]

    yield make
    for hub in hubs:
        hub.close()


def text(log, name, n, gate=None):
    """Steps of a text of n tokens; each is logged, the first waits for the gate."""

    def begin():
        if gate is not None:
            assert gate.wait(30)
        for k in range(n):
            log.append((name, k))
            yield [Message("step", {"position": k})]
        yield [DONE]

    return begin


def over(*jobs):
    wait_until(lambda: all(job.is_over for job in jobs))


def names(job):
    return [event.split(b"\n")[1].removeprefix(b"event: ").decode() for event in job.events]


def test_long_jobs_take_turns_and_a_short_one_comes_in_between(make_hub):
    hub, log, gate = make_hub(at_once=2), [], threading.Event()
    a = hub.submit(text(log, "a", 40, gate), is_short=False)
    b = hub.submit(text(log, "b", 40), is_short=False)
    c = hub.submit(text(log, "c", 40), is_short=False)
    short = [hub.submit(text(log, f"s{i}", 1), is_short=True) for i in range(3)]
    gate.set()
    over(a, b, c, *short)
    # Each short one within a round of its own, the third text only when a place is free.
    assert max(log.index((f"s{i}", 0)) for i in range(3)) < 15
    assert log.index(("c", 0)) > log.index(("a", 39))
    late = [x for x in log if x[0] in "ab"][4:]
    assert [x[0] for x in late[:70:2]] == [late[0][0]] * 35  # a, b, a, b, …
    for job in (a, b, c):
        assert names(job) == ["step"] * 40 + ["done"]
        assert job.state == "done"


def test_events_are_numbered_from_one(make_hub):
    job = make_hub().submit(text([], "a", 3), is_short=False)
    over(job)
    assert [event.split(b"\n")[0] for event in job.events] == [b"id: %d" % k for k in (1, 2, 3, 4)]
    assert job.size == sum(map(len, job.events))


def test_a_waiting_job_is_cancelled_at_once_and_an_active_one_after_its_step(make_hub):
    hub, log, gate = make_hub(at_once=1), [], threading.Event()
    closed = []

    def endless():
        try:
            while True:
                log.append("step")
                yield [Message("step", {})]
        finally:
            closed.append(True)

    a = hub.submit(endless, is_short=False)
    b = hub.submit(text(log, "b", 3, gate), is_short=False)
    wait_until(lambda: len(log) > 5)
    assert hub.cancel(b.id).state == "cancelled"
    assert names(b) == ["cancelled"]
    hub.cancel(a.id)
    over(a)
    assert a.state == "cancelled"
    assert names(a)[-1] == "cancelled"
    assert closed == [True]  # what it held is given back
    assert a.steps is None
    n = len(a.events)
    assert hub.cancel(a.id) is a  # again, and nothing more happens
    assert len(a.events) == n
    assert ("b", 0) not in log
    with pytest.raises(UnknownJobError, match="there is no job 'nobody'"):
        hub.cancel("nobody")


def test_a_job_that_fails_fails_alone(make_hub, caplog):
    hub = make_hub()

    def refused():
        yield [Message("step", {})]
        raise RecordError("the question is none")

    def broken():
        raise ZeroDivisionError("a secret")
        yield

    def endless_nothing():
        yield []

    jobs = [hub.submit(begin, is_short=False) for begin in (refused, broken, endless_nothing)]
    good = hub.submit(text([], "a", 2), is_short=False)
    over(good, *jobs)
    assert [job.state for job in (good, *jobs)] == ["done", "failed", "failed", "failed"]
    assert b'{"kind":"RecordError","message":"the question is none"}' in jobs[0].events[-1]
    assert b"InternalError" in jobs[1].events[-1]
    assert b"secret" not in jobs[1].events[-1]
    assert "a secret" in caplog.text  # for the terminal


def test_no_more_wait_than_may(make_hub):
    hub, gate = make_hub(waiting=2, at_once=1), threading.Event()
    first = hub.submit(text([], "a", 1, gate), is_short=False)
    wait_until(lambda: first.state == "active")
    more = [hub.submit(text([], "b", 1), is_short=bool(i)) for i in range(2)]
    with pytest.raises(FullError, match="2 jobs wait for the model already; try again"):
        hub.submit(text([], "c", 1), is_short=True)
    gate.set()
    over(first, *more)
    over(hub.submit(text([], "d", 1), is_short=False))


def test_what_nobody_reads_is_cancelled(make_hub):
    hub, gate = make_hub(unread_seconds=60, at_once=1), threading.Event()
    read = hub.submit(text([], "a", 1, gate), is_short=False)
    unread = hub.submit(text([], "b", 1), is_short=False)

    def wake():
        pass

    read.follow(wake)
    hub.clock.now = 59
    hub.sweep()
    assert not unread.is_unwanted
    hub.clock.now = 61
    hub.sweep()
    assert unread.state == "cancelled"
    assert not read.is_unwanted
    read.leave(wake, hub.clock())  # from here on its 60 s count
    hub.clock.now = 120
    hub.sweep()
    assert not read.is_unwanted
    read.follow(wake)  # somebody came back
    hub.clock.now = 200
    hub.sweep()
    assert not read.is_unwanted
    read.leave(wake, hub.clock())
    hub.clock.now = 261
    hub.sweep()
    assert read.is_unwanted
    gate.set()
    over(read)
    assert read.state == "cancelled"


def test_finished_jobs_are_forgotten_by_age_number_and_size(make_hub):
    hub = make_hub(kept_seconds=100, kept_jobs=3)
    jobs = []
    for now in range(5):
        hub.clock.now = now
        jobs.append(hub.submit(text([], "a", 1), is_short=False))
        over(jobs[-1])
    hub.sweep()
    assert [known(hub, job) for job in jobs] == [False, False, True, True, True]
    hub.clock.now = 103.5
    hub.sweep()
    assert [known(hub, job) for job in jobs] == [False, False, False, False, True]

    small = make_hub(kept_bytes=200)
    first, second = (small.submit(text([], "a", 20), is_short=False) for _ in range(2))
    over(first, second)
    second.since = 1.0
    small.sweep()
    assert not known(small, first)
    assert known(small, second)  # the last one is kept, however long


def known(hub, job):
    try:
        return hub.find(job.id) is job
    except UnknownJobError:
        return False


def test_closing_cancels_what_is_not_over():
    hub, log = Hub(Limits(at_once=1)), []

    def endless():
        while True:
            log.append("step")
            yield [Message("step", {})]

    hub.start()
    a, b = hub.submit(endless, is_short=False), hub.submit(endless, is_short=False)
    wait_until(lambda: log)
    hub.close()
    assert (a.state, b.state) == ("cancelled", "cancelled")
    assert not hub._thread.is_alive()


def test_readers_are_woken_for_each_event(make_hub):
    hub, gate, woken = make_hub(), threading.Event(), []
    job = hub.submit(text([], "a", 3, gate), is_short=False)

    def wake():
        woken.append(len(job.events))

    job.follow(wake)
    gate.set()
    over(job)
    wait_until(lambda: len(woken) == 4)
    assert woken == [1, 2, 3, 4]
    job.leave(wake, 0.0)
    assert not job.is_read
