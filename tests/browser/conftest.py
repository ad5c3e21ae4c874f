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
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-renderer-backgrounding",  # a page must not wait behind a busy machine's other work
    "--disable-backgrounding-occluded-windows",
)

#: Each text whose contrast with what lies behind it is below 4.5, the least that WCAG AA allows.
CONTRAST = """() => {
    const linear = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    const light = ([r, g, b]) =>
        0.2126 * linear(r / 255) + 0.7152 * linear(g / 255) + 0.0722 * linear(b / 255);
    const rgba = (text) => {
        const numbers = text.match(/[\\d.]+/g).map(Number);
        return numbers.length < 4 ? [...numbers, 1] : numbers;
    };
    const behind = (node) => {
        for (let e = node; e; e = e.parentElement) {
            const colour = rgba(getComputedStyle(e).backgroundColor);
            if (colour[3] > 0.99) return colour;
        }
        return [255, 255, 255, 1];
    };
    const low = [];
    for (const node of document.querySelectorAll('body *')) {
        const text = [...node.childNodes].some((c) => c.nodeType === 3 && c.data.trim());
        if (!text || !node.getClientRects().length) continue;
        if (node.closest('.visually-hidden, .skip, title')) continue;
        const style = getComputedStyle(node);
        const ink = rgba(node.closest('svg') ? style.fill : style.color);
        const [a, b] = [light(ink), light(behind(node))].sort((x, y) => y - x);
        const ratio = (a + 0.05) / (b + 0.05);
        const name = `${node.tagName}.${node.getAttribute('class')}`;
        if (ratio < 4.5) low.push(`${ratio.toFixed(2)} ${name}: ${node.textContent.slice(0, 30)}`);
    }
    return low;
}"""


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
        page.set_default_timeout(30_000)  # a machine may be busy
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


@pytest.fixture
def low_contrast() -> "Callable[[Page], list[str]]":
    """Function from a page to its texts that lack contrast, with the ratio of each."""
    return lambda page: list(page.evaluate(CONTRAST))
