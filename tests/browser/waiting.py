"""Waiting for a page without `page.wait_for_function`, which the page's own policy forbids.

Playwright's function evaluates a string inside the page; the content security policy of the report
refuses that whenever the first look does not already hold.
"""

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Page

PATIENCE = 30.0  # seconds; a machine may be busy
PAUSE_MS = 20.0


def wait_until(page: "Page", expression: str, arg: Any = None) -> None:
    """Waits until the expression, or the function of `arg`, is true in the page."""
    end = time.monotonic() + PATIENCE
    while not page.evaluate(expression, arg):
        assert time.monotonic() < end, f"still false after {PATIENCE:g} s: {expression}"
        page.wait_for_timeout(PAUSE_MS)
