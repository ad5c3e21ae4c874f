"""What can be asked at which address, and what is answered when it goes wrong.

Functions that read files or draw pages are plain `def`, so that they run beside the event loop.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Header, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, Response

from flowgauge import __version__
from flowgauge.errors import (
    FlowgaugeError,
    InputError,
    RunExistsError,
    SettingsError,
)
from flowgauge.pipeline.summary import summary
from flowgauge.report import render
from flowgauge.serve.answers import Refusal, answer, error
from flowgauge.serve.asks import GenerateAsk, MeasureAsk
from flowgauge.serve.backend import Backend, check_generate
from flowgauge.serve.follow import follow
from flowgauge.serve.jobs import FullError, Hub, Job, Steps, UnknownJobError
from flowgauge.serve.monitors import offered
from flowgauge.serve.names import check_name, new_name
from flowgauge.serve.settings import Limits
from flowgauge.serve.shelf import Shelf
from flowgauge.text import check_record

_RETRY_SECONDS = "5"


class Desk:
    """What the routes work with.

    Args:
        backend: The model's work.
        hub: The jobs.
        shelf: The saved runs.
        limits: How much is taken.
    """

    def __init__(self, backend: Backend, hub: Hub, shelf: Shelf, limits: Limits) -> None:
        self.backend, self.hub, self.shelf, self.limits = backend, hub, shelf, limits
        self.closing = asyncio.Event()

    def about(self) -> dict[str, Any]:
        """What the page needs to know first."""
        lm = self.backend.lm
        return {
            "version": __version__,
            "model": {
                "name": lm.name,
                "vocabulary_size": lm.vocabulary_size,
                "context_length": lm.context_length,
                "has_chat_template": lm.has_chat_template,
            },
            "runs_folder": str(self.shelf.folder),
            "limits": self.limits.as_json(),
            "monitors": offered(lm.name),
        }

    def name(self, given: str | None) -> str:
        """The name of a run to come: the given one if it is free, or a new one.

        Raises:
            SettingsError: The given one is none.
            RunExistsError: A run has it.
        """
        if given is None:
            return new_name()
        if self.shelf.has(check_name(given)):
            raise RunExistsError(f"there is a run {given} already; another name was needed")
        return given

    def submit(self, begin: Callable[[], Steps], *, is_short: bool) -> Response:
        """Queue a job and say where its events are."""
        job = self.hub.submit(begin, is_short=is_short)
        return answer({"job": job.id, "events": f"/api/jobs/{job.id}/events"}, 202)


def job_routes(desk: Desk) -> APIRouter:
    """Measuring, writing, following and cancelling."""
    router = APIRouter(redirect_slashes=False)

    @router.post("/api/measure")
    async def measure(ask: MeasureAsk) -> Response:
        record = ask.record(ask.response)
        check_record(record)
        name = desk.name(ask.name)
        return desk.submit(lambda: desk.backend.measure(record, name), is_short=True)

    @router.post("/api/generate")
    async def generate(ask: GenerateAsk) -> Response:
        if ask.max_tokens > desk.limits.max_tokens:
            raise SettingsError(
                f"max_tokens is {ask.max_tokens}, at most {desk.limits.max_tokens} are written"
            )
        check_generate(ask)
        name = desk.name(ask.name)
        return desk.submit(lambda: desk.backend.generate(ask, name), is_short=False)

    @router.get("/api/jobs/{job}/events")
    async def events(job: str, last_event_id: str | None = Header(None)) -> Response:
        return follow(desk.hub.find(job), desk.hub, last_event_id, desk.closing)

    @router.delete("/api/jobs/{job}")
    async def cancel(job: str) -> Response:
        found: Job = desk.hub.cancel(job)
        return answer({"job": found.id, "state": found.state})

    return router


def run_routes(desk: Desk, page: Callable[[], str]) -> APIRouter:
    """The page, what it needs to know, and the saved runs."""
    router = APIRouter(redirect_slashes=False)

    @router.get("/")
    def start() -> Response:
        return HTMLResponse(page())

    @router.get("/api/about")
    def about() -> Response:
        return answer(desk.about())

    @router.get("/api/runs")
    def runs() -> Response:
        return answer({"runs": desk.shelf.runs()})

    @router.get("/api/runs/{name}")
    def run(name: str) -> Response:
        return answer({**summary(desk.shelf.open(name)), "run": name})

    @router.get("/api/runs/{name}/records/{record:path}")
    def record(name: str, record: str) -> Response:
        return answer(desk.shelf.record(name, record))

    @router.get("/runs/{name}")
    def report(name: str) -> Response:
        return HTMLResponse(render(desk.shelf.open(name)))

    return router


# -- what goes wrong -----------------------------------------------------------------------------


def refused(_: Request, reason: Exception) -> Response:
    """The answer to an error that was raised on purpose."""
    if isinstance(reason, Refusal):
        return reason.answer()
    status, headers = 500, {}
    if isinstance(reason, FullError):
        status, headers = 429, {"Retry-After": _RETRY_SECONDS}
    elif isinstance(reason, UnknownJobError):
        status = 404
    elif isinstance(reason, RunExistsError):
        status = 409
    elif isinstance(reason, InputError):
        status = 400
    return answer(error(type(reason).__name__, str(reason)), status, headers)


def unreadable(_: Request, reason: Exception) -> Response:
    """The answer to a body that is not what was asked for, with each field that is wrong."""
    faults = reason.errors() if isinstance(reason, RequestValidationError) else []
    return answer(error("RequestError", "; ".join(map(_fault, faults)) or "the body is wrong"), 400)


def _fault(fault: Any) -> str:
    where = ".".join(str(part) for part in fault["loc"][1:])
    if fault["type"] == "json_invalid":
        why = fault.get("ctx", {}).get("error", "")
        return f"the body is not JSON: {why} at character {where}; a JSON object was needed"
    came = "" if fault["type"] == "missing" else f" ({fault.get('input')!r:.60} came)"
    words = fault["msg"][:1].lower() + fault["msg"][1:]
    return f"{where or 'the body'}: {words}{came}"


def unknown(_: Request, reason: Exception) -> Response:
    """The answer where there is no such address or method."""
    status = reason.status_code if isinstance(reason, HTTPException) else 500
    headers = dict(getattr(reason, "headers", None) or {})
    kinds = {404: "NotFoundError", 405: "MethodError"}
    words = {
        404: "there is nothing at this address; / is the page, /api/about says what there is",
        405: "this address does not take this method",
    }
    detail = words.get(status, str(getattr(reason, "detail", reason)))
    return answer(error(kinds.get(status, "RequestError"), detail), status, headers)


def broken(_: Request, __: Exception) -> Response:
    """The answer to a fault of the server; the terminal shows it."""
    words = "the server met a fault of its own; its terminal shows it"
    return answer(error("InternalError", words), 500)


HANDLERS: dict[type[Exception], Callable[[Request, Exception], Response]] = {
    Refusal: refused,
    FlowgaugeError: refused,
    RequestValidationError: unreadable,
    HTTPException: unknown,
    Exception: broken,
}
