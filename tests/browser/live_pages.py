"""Opens the server's page in Chromium, at a real server or at a fake that answers as one does."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from browser.waiting import wait_until

from flowgauge.serve.page import page as page_html

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

MONITORS = [
    {"name": "grounded", "promise": "Null: nothing was given.", "settings": {"alpha": 0.01}},
    {"name": "loop", "promise": "No promise.", "settings": {"window": 16}},
]


@contextmanager
def pages(chromium: "Browser") -> "Iterator[Callable[..., Page]]":
    """Function from an address to the opened page; afterwards nothing must have gone wrong.

    Wrong are console warnings and errors, exceptions, dialogs and requests to anywhere else.
    """
    contexts: list[Any] = []
    noise: list[str] = []

    def dismissed(dialog: Any) -> None:
        noise.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def open_page(
        url: str,
        fragment: str = "",
        *,
        width: int = 1280,
        **context: Any,
    ) -> "Page":
        wanted = {"reduced_motion": "reduce", **context}
        contexts.append(chromium.new_context(viewport={"width": width, "height": 900}, **wanted))
        page = contexts[-1].new_page()
        page.set_default_timeout(60_000)  # a machine may be busy
        page.on("console", lambda m: m.type in ("error", "warning") and noise.append(m.text))
        page.on("pageerror", lambda error: noise.append(f"exception: {error}"))
        page.on("dialog", dismissed)
        page.on(
            "request",
            lambda r: r.url.startswith((url, "data:")) or noise.append(f"request: {r.url}"),
        )
        page.goto(f"{url}/{fragment}")
        page.wait_for_selector("#model bdi")
        return page

    open_page.noise = noise  # type: ignore[attr-defined]
    yield open_page
    for context in contexts:
        context.close()
    assert noise == []


def step(position: int, text: str, **numbers: Any) -> dict[str, Any]:
    """A token as the server sends it; flow and compensator grow by a half and a third."""
    return {
        "position": position,
        "token": 100 + position,
        "text": text,
        "density_nats": 0.5,
        "flow_nats": 0.5 * (position + 1),
        "drift_nats": 1 / 3,
        "compensator_nats": (position + 1) / 3,
        "variance_nats2": 0.25,
        "log_p_nats": -1.0,
        "log_q_nats": -1.5,
        "entropy_p_nats": 1.25,
        "state": {"grounded": {"log_e_nats": 0.5 * position, "threshold_nats": 4.605}},
        **numbers,
    }


class FakeServer:
    """Answers like the server; a stream breaks off where its events are cut.

    Args:
        events: (kind, data) of the job's events.
        cut: Numbers of events a connection gives before it breaks, one connection after the other.
        again: So many events are sent a second time after each break.
    """

    def __init__(
        self, events: list[tuple[str, Any]], cut: tuple[int, ...] = (), again: int = 0
    ) -> None:
        self.events, self.cut, self.again = events, list(cut), again
        self.asked: list[str | None] = []  # Last-Event-ID of each connection
        self.posted: list[Any] = []
        self.cancelled = 0

    @contextmanager
    def running(self) -> Iterator[str]:
        """Its address, while it answers."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._send(*fake.get(self.path, self.headers.get("Last-Event-ID")))

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                fake.posted.append(json.loads(body))
                self._send(202, "application/json", '{"job":"j1","events":"/api/jobs/j1/events"}')

            def do_DELETE(self) -> None:
                fake.cancelled += 1
                self._send(200, "application/json", '{"job":"j1","state":"active"}')

            def _send(self, status: int, kind: str, body: str) -> None:
                data = body.encode()
                self.send_response(status)
                self.send_header("Content-Type", f"{kind}; charset=utf-8")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: Any) -> None:
                """Nothing is logged."""

        return Handler

    def get(self, path: str, last: str | None) -> tuple[int, str, str]:
        """Status, type and body of one answer."""
        if path == "/":
            return 200, "text/html", page_html()
        if path == "/api/jobs/j1/events":
            return 200, "text/event-stream", self._stream(last)
        known = {
            "/api/about": {
                "model": {"name": "fake", "context_length": 512},
                "limits": {},
                "monitors": MONITORS,
            },
            "/api/runs": {"runs": []},
        }
        return 200, "application/json", json.dumps(known[path])

    def _stream(self, last: str | None) -> str:
        self.asked.append(last)
        first = max(0, int(last or 0) - (self.again if last else 0))
        size = self.cut.pop(0) if self.cut else len(self.events)
        lines = ["retry: 20\n\n"]
        for number in range(first, min(first + size, len(self.events))):
            kind, data = self.events[number]
            lines.append(f"id: {number + 1}\nevent: {kind}\ndata: {json.dumps(data)}\n\n")
        if self.cancelled:
            lines.append("id: 999\nevent: cancelled\ndata: {}\n\n")
        return "".join(lines)


def give(page: "Page", *, question: str, documents: tuple[str, ...] = (), answer: str = "") -> None:
    """Fills the form as a person does."""
    page.locator("#question").fill(question)
    for number, text in enumerate(documents):
        box = page.locator(f"#document-box-{number}")
        if not box.count():
            page.locator("#add-document").click()
        box.fill(text)
    if answer:
        page.locator("#answer").fill(answer)


def measure(page: "Page", **given: Any) -> str:
    """Measures an answer; name of the run."""
    give(page, **given)
    page.locator("#go").click()
    page.wait_for_selector(".run-view .verdict")
    return run_in_address(page)


def generate(page: "Page", question: str, **numbers: Any) -> None:
    """Begins to write a text, with numbers of the form by their names."""
    page.locator('.tabs [data-view="generate"]').click()
    give(page, question=question)
    for name, value in numbers.items():
        page.locator(f"#set-{name}").fill(str(value))
    page.locator("#go").click()


def run_in_address(page: "Page") -> str:
    """Name of the run that the address tells."""
    wait_until(page, "/[#&]run=/.test(location.hash)")
    return str(page.evaluate("decodeURIComponent(/[#&]run=([^&]*)/.exec(location.hash)[1])"))


def live_text(page: "Page") -> str:
    """The text that is being written, without the signs of monitors."""
    return str(
        page.evaluate(
            "[...document.querySelectorAll('.live-text .token')].map(t => t.textContent).join('')"
        )
    )


def wait_for_end(page: "Page") -> None:
    """Until the text is written and its run saved."""
    page.wait_for_selector(".live .ending .actions")


def wait_for_words(page: "Page", words: str) -> None:
    """Until the line of the job's state says so."""
    page.locator(".live-words", has_text=words).wait_for()
