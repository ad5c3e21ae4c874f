"""`flowgauge lens`: direct effects of each earlier token on each response token, as a page."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from flowgauge.cli.lens_show import Found, agreements, as_data, show
from flowgauge.cli.support import echo_json
from flowgauge.cli.work import LENS_PAGE, REPORT_PAGE, write_page, write_report
from flowgauge.errors import InputError, RecordError, RunError, SettingsError
from flowgauge.lens import Lens
from flowgauge.lens.ablation import compare_with_ablation
from flowgauge.models.protocol import LanguageModel
from flowgauge.pipeline import document_ablation, lens_of
from flowgauge.records import FailedRow, FloatArray, Record
from flowgauge.report.lens import DATA_LIMIT, LensPage, render_lens
from flowgauge.report.lens_payload import lens_block
from flowgauge.store import open_run
from flowgauge.text import read_records, refused
from flowgauge.text.printable import printable

#: Links printed for each record.
MOST_LINKS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is read of a file.

    Attributes:
        ids: Of the records; all where empty.
        layers: Numbers from 0; all for None.
        ablation: Whether each document is left out as well.
    """

    ids: Sequence[str] = ()
    layers: Sequence[int] | None = None
    ablation: bool = False


def layers_of(text: str | None) -> tuple[int, ...] | None:
    """Layers from the command line.

    Raises:
        SettingsError: It is no list of numbers and ranges.

    Example:
        >>> layers_of("0,5-7")
        (0, 5, 6, 7)
    """
    if text is None:
        return None
    found: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        ends = (first, last if dash else first)
        if not all(e.strip().isdecimal() and len(e.strip()) < 6 for e in ends):
            raise SettingsError(f"--layers is {text!r}; numbers and ranges such as 0,5-9 are meant")
        low, high = map(int, ends)
        if low > high:
            raise SettingsError(f"--layers is {text!r}; the range {part.strip()} is empty")
        found += range(low, high + 1)
    return tuple(sorted(set(found)))


def run_lens(
    file: Path, load: Callable[[], LanguageModel], out: Path | None, asked: Asked, *, as_json: bool
) -> int:
    """Read the records of a file, print them and write the page; 1 if rows failed, else 0.

    Raises:
        InputError: There is no such file, or it cannot be read.
        SettingsError: No record has an id that was asked for, the model no such layer, or the page
            cannot stand where it was asked for.
        ModelError: The model cannot be had, or its mixers are of no known kind.
    """
    if not file.is_file():
        raise InputError(f"there is no file {file}; a JSONL or Parquet file was needed")
    page = _page_path(file, out)
    rows = _chosen(file, asked.ids)
    found = Found()
    try:
        lm = load()
        for number, row in _told(rows, asked):
            _read(row, number, lm, asked, found, DATA_LIMIT // len(rows))
    except KeyboardInterrupt:
        done = len(found.records) + len(found.failed)
        _say(f"interrupted after {done} of {len(rows)} rows; no page was written")
        raise typer.Exit(130) from None
    agreement = compare_with_ablation(found.lens, found.ablation) if found.lens else None
    has_report = (page.parent / REPORT_PAGE).is_file() and page.name == LENS_PAGE
    shown = LensPage(
        name=file.stem,
        model=lm.name,
        blocks=found.blocks,
        failed=found.failed,
        agreement=agreements(agreement),
        compared=len(found.lens),
        report=REPORT_PAGE if has_report else "",
    )
    write_page(page, render_lens(shown))
    linked = has_report and _link_report(page.parent)
    if as_json:
        echo_json(as_data(page, lm, found, agreement))
    else:
        show(page, found, agreement, is_ablation=asked.ablation, linked=linked)
    return 1 if found.failed else 0


def _page_path(file: Path, out: Path | None) -> Path:
    """Where the page goes; what cannot hold it is refused before the long work."""
    page = Path("runs") / file.stem / LENS_PAGE
    if out is not None:
        page = out if out.suffix == ".html" and not out.is_dir() else out / LENS_PAGE
    there = next(folder for folder in page.absolute().parents if folder.exists())
    if not there.is_dir():
        raise SettingsError(f"the page cannot be {page}, for {there} is no folder; give --out")
    return page


def _chosen(file: Path, ids: Sequence[str]) -> list[tuple[int, Record | FailedRow]]:
    """The rows asked for, with their numbers."""
    rows = list(enumerate(read_records(file)))
    if not ids:
        if not rows:
            raise InputError(f"{file} holds no rows, so there is nothing to read")
        return rows
    missing = [i for i in dict.fromkeys(ids) if i not in {row.id for _, row in rows}]
    if missing:
        some = ", ".join(printable(row.id, 40) for _, row in rows[:5])
        raise SettingsError(f"no record of {file} has the id {missing[0]!r}; the first are {some}")
    return [(number, row) for number, row in rows if row.id in ids]


def _told(
    rows: Sequence[tuple[int, Record | FailedRow]], asked: Asked
) -> Iterator[tuple[int, Record | FailedRow]]:
    """The rows, saying on stderr how many are done and about how long the rest will take."""
    if asked.ablation:
        count = sum(len(r.documents or ()) for _, r in rows if isinstance(r, Record))
        _say(
            f"each of {count} documents is left out too, which is slow: the whole response is "
            "scored again for each"
        )
    started = time.monotonic()
    for done, row in enumerate(rows):
        yield row
        left = (time.monotonic() - started) / (done + 1) * (len(rows) - done - 1)
        is_last = done + 1 == len(rows)
        rest = "" if is_last else f", about {left:.0f} s left"
        _say(f"{done + 1} of {len(rows)} rows{rest}", stays=is_last)


def _say(line: str, *, stays: bool = True) -> None:
    """On stderr: plain lines for logs; for people one line that changes until one stays."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\rflowgauge: {line:<60}{chr(10) if stays else ''}")
    else:
        sys.stderr.write(f"flowgauge: {line}\n")
    sys.stderr.flush()


def _read(
    row: Record | FailedRow, number: int, lm: LanguageModel, asked: Asked, found: Found, limit: int
) -> None:
    """One row: into the page and the summary, or among the failed with its reason."""
    if isinstance(row, FailedRow):
        found.failed.append(row)
        return
    try:
        lens = lens_of(row, lm, layers=asked.layers)
        falls = document_ablation(row, lm) if asked.ablation and row.documents else None
        sums = None if falls is None else lens.document_sentences
    except RecordError as error:
        found.failed.append(refused(number, row.id, error))
        return
    if falls is not None and sums is not None:
        found.lens.append(sums)
        found.ablation.append(falls)
    totals = None if falls is None else falls.sum(axis=1)
    block = lens_block(lens, number, limit, totals)
    found.blocks.append(block)
    found.records.append(_summary(lens, number, block, totals))


def _summary(
    lens: Lens, number: int, block: dict[str, Any], falls: FloatArray | None
) -> dict[str, Any]:
    """A record for machines; documents only where their tokens are known."""
    part = lens.tokens.prompt_part
    links = [
        {
            "source": link.source,
            "document": int(part[link.source]) if part[link.source] >= 0 else None,
            "response": link.response,
            "source_text": block["source"]["text"][link.source] or link.source_text,
            "response_text": block["response"]["text"][link.response] or link.response_text,
            "effect_nats": link.effect,
        }
        for link in lens.top(MOST_LINKS)
    ]
    return {
        "row": number,
        "id": lens.record.id,
        "prompt_tokens": len(lens.tokens.prompt_ids),
        "response_tokens": len(lens.response_text),
        "layers": list(lens.layers),
        "documents_nats": lens.documents.tolist() if block["documents"] else [],
        "left_out_nats": None if falls is None else falls.tolist(),
        "links": links,
        "step_nats": block["tokens"]["step"] if block["tokens"] else None,
        "notes": block["notes"],
    }


def _link_report(folder: Path) -> bool:
    """Write the run's report again, now with its link to the lens; False if there is no run."""
    try:
        write_report(open_run(folder), None)
    except RunError:
        return False
    return True
