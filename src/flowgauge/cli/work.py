"""The long work behind the commands: measuring with a progress bar, writing the page."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flowgauge.errors import InputError
from flowgauge.pipeline import Settings, measure
from flowgauge.store import Run

#: Pages that stand beside a run and link to each other.
REPORT_PAGE = "report.html"
LENS_PAGE = "lens.html"


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    """A bar with the remaining time for people, plain lines for logs; both on stderr."""
    if not sys.stderr.isatty():

        def line(done: int, total: int) -> None:
            sys.stderr.write(f"flowgauge: {done} of {total} rows\n")

        yield line
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("measuring"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("rows ·"),
        TimeElapsedColumn(),
        TextColumn("gone ·"),
        TimeRemainingColumn(),
        TextColumn("left"),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("measuring", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def measure_file(
    file: Path,
    load: Callable[[], Any],
    folder: Path,
    settings: Settings,
    *,
    resume: bool,
) -> Run:
    """Measure a file into a folder; the file is looked at before the model is loaded.

    Raises:
        InputError: There is no such file.
    """
    if not file.is_file():
        raise InputError(f"there is no file {file}; a JSONL or Parquet file was needed")
    lm = load()
    with _progress() as progress:
        return measure(file, lm, out=folder, resume=resume, settings=settings, progress=progress)


def write_report(run: Run, out: Path | None) -> Path:
    """Write the page beside the run (or to `out`), whole or not at all."""
    from flowgauge.report import render

    page = out or (run.path or Path()) / REPORT_PAGE
    # A link holds beside the run alone: a page elsewhere is sent without its neighbours.
    beside = out is None and (page.parent / LENS_PAGE).is_file()
    return write_page(page, render(run, lens=LENS_PAGE if beside else ""))


def write_page(page: Path, html: str) -> Path:
    """Write a page, whole or not at all."""
    page.parent.mkdir(parents=True, exist_ok=True)
    half = page.with_name(page.name + ".tmp")
    half.write_text(html, encoding="utf-8")
    half.replace(page)
    return page
