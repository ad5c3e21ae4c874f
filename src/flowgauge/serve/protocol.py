"""HTTP as uvicorn reads it, with an end to patience: headers and readers in time, not too many.

uvicorn waits as long as a client likes for its headers, and for it to take an answer in; so a few
hundred silent clients would take every connection.
"""

import asyncio
from http import HTTPStatus

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from flowgauge.serve.answers import error
from flowgauge.serve.settings import Limits
from flowgauge.serve.stream import to_json


class PatientProtocol(H11Protocol):
    """One connection; `with_limits` makes the class that a server uses."""

    limits = Limits()
    _deadline: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None

    @classmethod
    def with_limits(cls, limits: Limits) -> type["PatientProtocol"]:
        """The same with other limits."""
        return type("LimitedProtocol", (cls,), {"limits": limits})

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, or say that there are too many."""
        super().connection_made(transport)
        transport.set_write_buffer_limits(0)  # so that whatever is not taken in is known of
        if len(self.connections) > self.limits.connections:
            self._refuse(
                503,
                "TooManyConnectionsError",
                f"{self.limits.connections} connections are open already; try again in a moment",
            )
            return
        self._expect_headers()

    def data_received(self, data: bytes) -> None:
        """Read on; a request whose headers are there has no deadline of this kind any more."""
        if self.transport.is_closing():
            return
        super().data_received(data)
        if self.conn.their_state is h11.IDLE:
            self._expect_headers()
        else:
            self._forget_deadline()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for any more."""
        self._forget_deadline()
        self._forget_unread()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """The client lags behind; one that takes nothing in for long is left."""
        super().pause_writing()
        self._expect_reading()

    def resume_writing(self) -> None:
        """The client has taken in everything."""
        self._forget_unread()
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """What was read is no HTTP."""
        self._refuse(400, "RequestError", "what came is no HTTP/1.1 request; one was needed")

    def _expect_headers(self) -> None:
        if self._deadline is None and not self.transport.is_closing():
            self._deadline = self.loop.call_later(self.limits.header_seconds, self._too_slow)

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _expect_reading(self) -> None:
        self._forget_unread()
        left = self.transport.get_write_buffer_size()
        self._unread = self.loop.call_later(self.limits.send_seconds, self._check_reading, left)

    def _check_reading(self, before: int) -> None:
        """However slow, a client that goes on reading is waited for."""
        if self.transport.get_write_buffer_size() < before:
            self._expect_reading()
        else:
            self.transport.abort()

    def _forget_unread(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _too_slow(self) -> None:
        self._deadline = None
        if self.conn.trailing_data[0]:
            words = f"the headers did not come in {self.limits.header_seconds:g} s"
            self._refuse(408, "SlowHeadersError", words)
        else:  # never said a word
            self.transport.close()

    def _refuse(self, status: int, kind: str, words: str) -> None:
        body = to_json(error(kind, words))
        head = (
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"
        )
        self.transport.write(head.encode("ascii") + body)
        self.transport.close()
