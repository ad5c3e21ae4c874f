"""Opens the page in Chromium; where there is none, says in one line what was left out."""

import shutil
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

HERE = Path(__file__).parent
ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")


def what_is_missing() -> str:
    """What the browser tests lack and how to get it; "" when they can run."""
    if find_spec("playwright") is None:
        return "no playwright; get it with: pip install playwright"
    if shutil.which("chromium") is None:
        return "no Chromium; get it with: apt-get install chromium"
    return ""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    missing = what_is_missing()
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.browser)
            if missing:
                reason = f"left out the tests of the page in tests/browser: {missing}"
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def chromium() -> "Iterator[Browser]":
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium: "Browser", tmp_path: Path) -> "Iterator[Callable[..., Page]]":
    """Function from the page's HTML to the opened page; afterwards nothing must have gone wrong.

    Wrong are console warnings and errors, exceptions, dialogs and any request but for the file.
    """
    contexts, noise = [], []

    def dismissed(dialog: Any) -> None:
        noise.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def open_page(html: str, fragment: str = "", *, width: int = 1280, **context: Any) -> "Page":
        file = tmp_path / f"page-{len(contexts)}.html"
        file.write_text(html, encoding="utf-8")
        contexts.append(chromium.new_context(viewport={"width": width, "height": 900}, **context))
        page = contexts[-1].new_page()
        page.set_default_timeout(10_000)
        page.on("console", lambda m: m.type in ("error", "warning") and noise.append(m.text))
        page.on("pageerror", lambda error: noise.append(f"exception: {error}"))
        page.on("dialog", dismissed)
        page.on(
            "request",
            lambda r: (
                r.url.startswith((file.as_uri(), "data:")) or noise.append(f"request: {r.url}")
            ),
        )
        page.goto(file.as_uri() + fragment)
        return page

    open_page.noise = noise  # type: ignore[attr-defined]
    yield open_page
    for context in contexts:
        context.close()
    assert noise == []
