"""The answer that follows a job: its events from the start or from where a reader left off."""

import asyncio
from contextlib import suppress

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from flowgauge.serve.answers import Refusal
from flowgauge.serve.jobs import Hub, Job
from flowgauge.serve.stream import HEARTBEAT, RETRY


class JobStream(Response):
    """Server-sent events of one job, with heartbeats, until it is over or the reader goes away.

    Args:
        job: The job.
        hub: Knows the time and the limits.
        after: Number of the last event that the reader has; 0 for none.
        closing: Set when the server ends: the stream then breaks off and can be read again later.
    """

    media_type = "text/event-stream"

    def __init__(self, job: Job, hub: Hub, after: int, closing: asyncio.Event) -> None:
        super().__init__(headers={"X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._job, self._hub, self._sent, self._closing = job, hub, after, closing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send what there is, then what comes."""
        loop, wake = asyncio.get_running_loop(), asyncio.Event()

        def wake_up() -> None:
            with suppress(RuntimeError):  # the loop has ended, and with it this reader
                loop.call_soon_threadsafe(wake.set)

        self._job.follow(wake_up)
        gone = asyncio.create_task(_until_gone(receive))
        ending = asyncio.create_task(self._closing.wait())
        for task in (gone, ending):
            task.add_done_callback(lambda _: wake.set())
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            await send({"type": "http.response.body", "body": RETRY, "more_body": True})
            while not (gone.done() or ending.done()):
                wake.clear()
                is_last = self._job.is_over  # before the events are looked at: none follows
                await self._send_new(send)
                if is_last:
                    break
                await self._wait(wake, send)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            self._job.leave(wake_up, self._hub.clock())
            gone.cancel()
            ending.cancel()

    async def _send_new(self, send: Send) -> None:
        """All events there are, in pieces small enough for a slow reader."""
        while new := self._job.events[self._sent : self._sent + 50]:
            self._sent += len(new)
            await send({"type": "http.response.body", "body": b"".join(new), "more_body": True})

    async def _wait(self, wake: asyncio.Event, send: Send) -> None:
        try:
            async with asyncio.timeout(self._hub.limits.heartbeat_seconds):
                await wake.wait()
        except TimeoutError:
            await send({"type": "http.response.body", "body": HEARTBEAT, "more_body": True})


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def follow(job: Job, hub: Hub, last_event_id: str | None, closing: asyncio.Event) -> Response:
    """The answer for a reader who has the events up to `last_event_id`.

    A reader who has them all gets 204, which tells a browser not to ask again.

    Raises:
        Refusal: The id is none of this job's.
    """
    after = 0
    if last_event_id:
        known = len(job.events)
        is_number = last_event_id.isascii() and last_event_id.isdigit() and len(last_event_id) < 10
        if not is_number or int(last_event_id) > known:
            raise Refusal(
                400,
                "RequestError",
                f"Last-Event-ID is {last_event_id[:40]!r}; the number of an event of this job was "
                f"needed, 0 to {known}",
            )
        after = int(last_event_id)
    if job.is_over and after == len(job.events):
        return Response(status_code=204)
    return JobStream(job, hub, after, closing)
