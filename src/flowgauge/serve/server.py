"""The process that serves: a socket, uvicorn, an end in good order."""

import asyncio
import socket
from collections.abc import Callable

import uvicorn

from flowgauge.models.protocol import LanguageModel
from flowgauge.serve.app import make_app
from flowgauge.serve.page import page
from flowgauge.serve.protocol import PatientProtocol
from flowgauge.serve.routes import Desk
from flowgauge.serve.settings import ServeSettings

_KEEP_ALIVE_SECONDS = 5
_GRACE_SECONDS = 5


class Server(uvicorn.Server):
    """uvicorn that breaks off open streams when it is told to end, and says when it is ready.

    Args:
        config: Of uvicorn.
        desk: Its `closing` ends the streams.
        on_ready: Called once requests are taken.
    """

    def __init__(
        self, config: uvicorn.Config, desk: Desk, on_ready: Callable[[], None] | None
    ) -> None:
        super().__init__(config)
        self._desk, self._on_ready = desk, on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin, then say so."""
        await super().startup(sockets)
        if self.started and self._on_ready is not None:
            self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let the readers go first: they would stay as long as their jobs."""
        self._desk.closing.set()
        await asyncio.sleep(0)
        await super().shutdown(sockets)


def make_server(
    lm: LanguageModel,
    settings: ServeSettings,
    sock: socket.socket,
    on_ready: Callable[[], None] | None = None,
) -> Server:
    """The server, to be run with `server.run(sockets=[sock])`.

    Args:
        lm: The model.
        settings: Where it listens, who may ask, where its runs live.
        sock: From `bind`.
        on_ready: Called once requests are taken.
    """
    app, desk = make_app(lm, settings, sock.getsockname()[1], page)
    config = uvicorn.Config(
        app,
        http=PatientProtocol.with_limits(settings.limits),
        ws="none",
        lifespan="on",
        loop="asyncio",
        log_level="error",
        access_log=False,  # addresses can hold the token
        proxy_headers=False,  # whoever is asked may not say who asks
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    return Server(config, desk, on_ready)
