"""Bodies of requests: JSON, not too long, not too slow.

The whole body is read here, within its limits, before the routes see the request.
"""

import asyncio
from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from flowgauge.serve.answers import Refusal
from flowgauge.serve.settings import Limits

_CLOSE = {"Connection": "close"}  # what was not read cannot be told from a next request


class Bodies:
    """ASGI middleware that hands on requests with a whole, checked body.

    Args:
        app: What follows.
        limits: Length and time.
    """

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self.app, self.limits = app, limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check and read the body, then go on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        try:
            headers = Headers(scope=scope)
            if scope["method"] in ("POST", "PUT", "PATCH"):
                check_type(headers.getlist("content-type"))
            check_length(headers.get("content-length"), self.limits.body_bytes)
            body = await self._read(receive)
        except Refusal as refusal:
            await refusal.answer()(scope, receive, send)
            return
        if body is None:  # the client went away
            return
        await self.app(scope, _replayed(body, receive), send)

    async def _read(self, receive: Receive) -> bytes | None:
        """The body; None if the client went away before its end."""
        parts: list[bytes] = []
        total = 0
        try:
            async with asyncio.timeout(self.limits.body_seconds):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return None
                    parts.append(message.get("body", b""))
                    total += len(parts[-1])
                    if total > self.limits.body_bytes:
                        raise _too_long(
                            f"more than {self.limits.body_bytes}", self.limits.body_bytes
                        )
                    if not message.get("more_body", False):
                        return b"".join(parts)
        except TimeoutError:
            raise Refusal(
                408,
                "SlowBodyError",
                f"{total} bytes of the body came in {self.limits.body_seconds:g} s; the whole "
                "body was needed in that time",
                _CLOSE,
            ) from None


def check_type(values: Sequence[str]) -> None:
    """Whether a body is said to be JSON in UTF-8; a page of another origin cannot say so unasked.

    Raises:
        Refusal: It is not.
    """
    kind, _, rest = (values[0] if len(values) == 1 else "").partition(";")
    charset = rest.strip().lower().replace('"', "")
    if kind.strip().lower() != "application/json" or charset not in ("", "charset=utf-8"):
        raise Refusal(
            415,
            "ContentTypeError",
            f"the Content-Type is {', '.join(values)[:80]!r}; application/json was needed",
            _CLOSE,
        )


def check_length(value: str | None, most: int) -> None:
    """Whether the length that a body is said to have is allowed.

    Raises:
        Refusal: It is not.
    """
    if value is not None and value.isdigit() and int(value[:20]) > most:
        raise _too_long(value[:20], most)


def _too_long(length: str, most: int) -> Refusal:
    return Refusal(
        413,
        "BodyTooLongError",
        f"the body has {length} bytes; at most {most} are taken. Shorten the documents",
        _CLOSE,
    )


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Gives the body once, then what the connection says."""
    is_given = False

    async def replay() -> Message:
        nonlocal is_given
        if is_given:
            return await receive()
        is_given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
