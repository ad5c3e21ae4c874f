"""Jobs on the one model: a queue, turns, cancellation, events kept for whoever reads them later.

    submit --> waiting --> active, a step each in turn --> over (done, cancelled, failed)

A step is one `next` of the job's iterator and gives the messages of that step. Long jobs (texts
being written) take turns, a token each; a short job (a measurement) is let in between two rounds
and runs to its end, so that it never waits for a long text. All steps run in one thread.
"""

import logging
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence

from flowgauge.errors import FlowgaugeError
from flowgauge.serve.settings import Limits
from flowgauge.serve.stream import Message, encode_event

Steps = Iterator[Sequence[Message]]
Wake = Callable[[], None]

log = logging.getLogger("flowgauge.serve")

WAITING, ACTIVE = "waiting", "active"
#: Names of the message that ends a job; its state is called the same from then on.
LAST = ("done", "cancelled", "failed")


class FullError(FlowgaugeError):
    """As many jobs wait as may."""


class UnknownJobError(FlowgaugeError):
    """No job has this name, or it was forgotten."""


class Job:
    """One job and every event it has had, encoded; `Hub` alone changes it."""

    def __init__(self, begin: Callable[[], Steps], *, is_short: bool, now: float) -> None:
        self.id = secrets.token_urlsafe(12)
        self.is_short = is_short
        self.state = WAITING
        self.events: list[bytes] = []
        self.size = 0
        self.begin: Callable[[], Steps] | None = begin
        self.steps: Steps | None = None
        self.is_unwanted = False
        self.since = now  # last reader left, or over
        self._readers: set[Wake] = set()

    @property
    def is_over(self) -> bool:
        """Whether no event will follow."""
        return self.state in LAST

    @property
    def is_read(self) -> bool:
        """Whether somebody follows it now."""
        return bool(self._readers)

    def publish(self, message: Message) -> None:
        """Add an event and wake the readers."""
        event = encode_event(len(self.events) + 1, message)
        self.events.append(event)
        self.size += len(event)
        if message.name in LAST:
            self.state = message.name  # after the event, which a reader of the state looks for
        for wake in tuple(self._readers):
            wake()

    def follow(self, wake: Wake) -> None:
        """`wake` is called, from any thread, when there is something new to read."""
        self._readers.add(wake)

    def leave(self, wake: Wake, now: float) -> None:
        """The reader went away."""
        self._readers.discard(wake)
        self.since = max(self.since, now)


class Hub:
    """All jobs, and the thread that does their steps.

    Args:
        limits: How many wait, take turns and are kept.
        clock: Seconds that never run backwards.
    """

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self.limits, self.clock = limits, clock
        self._jobs: dict[str, Job] = {}
        self._short: deque[Job] = deque()
        self._long: deque[Job] = deque()
        self._active: list[Job] = []
        self._changed = threading.Condition()
        self._is_closing = False
        # A daemon: a step that hangs must not keep the process from ending.
        self._thread = threading.Thread(target=self._work, name="flowgauge-model", daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def close(self, seconds: float = 10.0) -> None:
        """End after the step at work; what is not over is cancelled."""
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()
        self._thread.join(seconds)
        with self._changed:
            for job in (*self._short, *self._long):
                self._end(job, Message("cancelled", {}))
            self._short.clear()
            self._long.clear()

    def submit(self, begin: Callable[[], Steps], *, is_short: bool) -> Job:
        """Queue a job; `begin` makes its steps, in the working thread.

        Raises:
            FullError: As many wait as may.
        """
        with self._changed:
            n = len(self._short) + len(self._long)
            if n >= self.limits.waiting:
                raise FullError(f"{n} jobs wait for the model already; try again in a few seconds")
            job = Job(begin, is_short=is_short, now=self.clock())
            self._jobs[job.id] = job
            (self._short if is_short else self._long).append(job)
            self._changed.notify_all()
        return job

    def find(self, name: str) -> Job:
        """The job of this name.

        Raises:
            UnknownJobError: There is none (any more).
        """
        job = self._jobs.get(name)
        if job is None:
            raise UnknownJobError(
                f"there is no job {name[:40]!r}; finished ones are forgotten after "
                f"{self.limits.kept_seconds:g} s"
            )
        return job

    def cancel(self, name: str) -> Job:
        """End a job after the step at work; one that is over stays as it is.

        Raises:
            UnknownJobError: There is none (any more).
        """
        job = self.find(name)
        with self._changed:
            job.is_unwanted = True
            queue = self._short if job.is_short else self._long
            if job in queue:
                queue.remove(job)
                self._end(job, Message("cancelled", {}))
            self._changed.notify_all()
        return job

    def sweep(self) -> None:
        """Cancel what nobody reads, forget what is over for long or takes too much room."""
        now = self.clock()
        for job in tuple(self._jobs.values()):
            idle = not job.is_over and not job.is_read
            if idle and now - job.since > self.limits.unread_seconds:
                self.cancel(job.id)
        over = sorted((j for j in self._jobs.values() if j.is_over), key=lambda j: -j.since)
        room = self.limits.kept_bytes
        for place, job in enumerate(over):
            room -= job.size
            is_old = now - job.since > self.limits.kept_seconds
            if is_old or place >= self.limits.kept_jobs or (room < 0 and place > 0):
                with self._changed:
                    self._jobs.pop(job.id, None)

    # -- the working thread --------------------------------------------------------------------

    def _work(self) -> None:
        while True:
            with self._changed:
                while not (self._is_closing or self._active or self._short or self._long):
                    self._changed.wait()
                if self._is_closing:
                    break
                turn = self._admitted()
            for job in turn:
                self._advance(job)
                while job.is_short and not job.is_over:
                    self._advance(job)
            self._active = [job for job in self._active if not job.is_over]
        for job in self._active:
            self._end(job, Message("cancelled", {}))

    def _admitted(self) -> list[Job]:
        """Who is advanced in the next round: every text being written, and one measurement."""
        while self._long and len(self._active) < self.limits.at_once:
            self._active.append(self._long.popleft())
        turn = [*self._active, *([self._short.popleft()] if self._short else ())]
        for job in turn:
            job.state = ACTIVE
        return turn

    def _advance(self, job: Job) -> None:
        """One step of a job, whose errors are its own."""
        if job.is_unwanted:
            self._end(job, Message("cancelled", {}))
            return
        try:
            if job.begin is not None:
                job.steps, job.begin = job.begin(), None
            messages = next(job.steps) if job.steps is not None else ()
        except FlowgaugeError as error:
            self._end(job, _failed(type(error).__name__, str(error)))
            return
        except Exception:  # a job's fault must not end the others
            log.exception("a job failed")
            words = "the server met a fault of its own; its terminal shows it"
            self._end(job, _failed("InternalError", words))
            return
        for message in messages:
            if message.name in LAST:
                self._end(job, message)
            else:
                job.publish(message)

    def _end(self, job: Job, message: Message) -> None:
        steps, job.steps, job.begin = job.steps, None, None
        close = getattr(steps, "close", None)
        if close is not None:
            close()
        job.since = self.clock()
        job.publish(message)


def _failed(kind: str, words: str) -> Message:
    return Message("failed", {"kind": kind, "message": words})
