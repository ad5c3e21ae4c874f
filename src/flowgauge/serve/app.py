"""The application: routes behind body checks behind the guard, and what runs beside them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio.to_thread
from fastapi import FastAPI
from starlette.types import ASGIApp

from flowgauge.models.protocol import LanguageModel
from flowgauge.serve.backend import Backend
from flowgauge.serve.body import Bodies
from flowgauge.serve.jobs import Hub
from flowgauge.serve.routes import HANDLERS, Desk, job_routes, run_routes
from flowgauge.serve.security import Guard
from flowgauge.serve.settings import ServeSettings
from flowgauge.serve.shelf import Shelf

#: Threads that read runs and draw pages; more would only hold more memory.
_THREADS = 4
_SWEEP_SECONDS = 1.0


def make_app(
    lm: LanguageModel, settings: ServeSettings, port: int, page: Callable[[], str]
) -> tuple[ASGIApp, Desk]:
    """The application and its desk, whose `closing` breaks off the open streams.

    Args:
        lm: The model.
        settings: Who may ask, how much.
        port: Port that it is reached at.
        page: Makes the page at `/`.
    """
    hub = Hub(settings.limits)
    desk = Desk(Backend(lm, settings.runs), hub, Shelf(settings.runs), settings.limits)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = _THREADS
        hub.start()
        sweeping = asyncio.create_task(_sweep(hub))
        yield
        sweeping.cancel()
        await asyncio.to_thread(hub.close)

    app = FastAPI(
        lifespan=lifespan,
        openapi_url=None,  # and with it the pages that would load scripts from elsewhere
        redirect_slashes=False,
        exception_handlers=HANDLERS,  # type: ignore[arg-type]
    )
    app.include_router(job_routes(desk))
    app.include_router(run_routes(desk, page))
    bodies = Bodies(app, settings.limits)
    return Guard(bodies, settings.host, port, settings.token), desk


async def _sweep(hub: Hub) -> None:
    while True:
        await asyncio.sleep(min(_SWEEP_SECONDS, hub.limits.unread_seconds / 4))
        hub.sweep()
