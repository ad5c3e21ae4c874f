"""What people said about the responses of a run: supported, or where not.

One JSON object a line: {"id": …, "supported": true} or {"id": …, "labels": [{"start": …, "end": …,
"kind": …}]}, the spans that people found unsupported (none: the response is supported); "group"
keeps responses of one source or one person together. Rows that cannot be used stop the reading,
all named, so that no label is lost unseen. Imports records, errors and the text checks alone.
"""

import codecs
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from flowgauge.errors import FlowgaugeError, InputError, RecordError
from flowgauge.records import Label
from flowgauge.text.check import check_text

#: Problems and ids that a message shows; the rest is counted.
MOST_SHOWN = 5


class MeasuredRun(Protocol):
    """What labels and calibration need of a run; `flowgauge.store.Run` has it."""

    name: str
    manifest: dict[str, Any]
    path: Path | None

    def table(self, name: str) -> Any:
        """One of the run's Arrow tables."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SupportLabel:
    """What a person said about one response.

    Attributes:
        id: The record's id.
        supported: Whether the person found the whole response supported.
        spans: Characters found unsupported; may be empty where only the whole was judged.
        group: Responses of one group depend on each other; None: it stands alone.
    """

    id: str
    supported: bool
    spans: tuple[Label, ...] = ()
    group: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """Checked labels of responses of one run, and where they come from.

    Attributes:
        rows: One label a response, in the order of the file.
        name: Name of the file, or of what else they came from.
        sha256: Digest of the file's bytes, or of the labels where there was no file.
    """

    rows: tuple[SupportLabel, ...]
    name: str
    sha256: str


def read_labels(path: str | Path, run: MeasuredRun) -> Labels:
    r"""Labels of a run's responses from a JSONL file; all of them, or an error.

    Args:
        path: JSON lines; blank lines do not count, keys other than "id", "supported", "labels"
            and "group" are left alone.
        run: The run whose records they name.

    Returns:
        The labels, checked against the run.

    Raises:
        InputError: There is no such file, or no label in it.
        RecordError: Rows that are no label, name no record of the run or one twice, or mark
            characters outside the response; names each with its line.

    Example:
        >>> import tempfile
        >>> from flowgauge.store import Run, tables_from_rows
        >>> records = [{"row": 0, "id": "r1", "status": "measured", "response": "So."}]
        >>> run = Run("r", {}, tables_from_rows({"records": records}))
        >>> file = Path(tempfile.mkdtemp()) / "labels.jsonl"
        >>> _ = file.write_text('{"id": "r1", "supported": true}\n')
        >>> read_labels(file, run).rows
        (SupportLabel(id='r1', supported=True, spans=(), group=None),)
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"there is no file {path}; a JSONL file with one label a row was needed")
    data = path.read_bytes()
    rows = _checked(_json_lines(data), run, path.name)
    return Labels(rows=rows, name=path.name, sha256=hashlib.sha256(data).hexdigest())


def parse_labels(
    rows: Iterable[Mapping[str, Any]], run: MeasuredRun, *, name: str = "labels"
) -> Labels:
    """Labels of a run's responses from dictionaries; all of them, or an error.

    Args:
        rows: Rows as `read_labels` finds them in a file.
        run: The run whose records they name.
        name: What they are called in messages and in the calibration.

    Returns:
        The labels, checked against the run.

    Raises:
        InputError: There is no row.
        RecordError: As for `read_labels`; names each row, from 0.

    Example:
        >>> from flowgauge.store import Run, tables_from_rows
        >>> run = Run("r", {}, tables_from_rows({"records": []}))
        >>> parse_labels([{"id": "r1", "supported": True}], run)
        Traceback (most recent call last):
        flowgauge.errors.RecordError: labels: 1 of 1 rows cannot be used (row 0: the run r has no
            record 'r1'; it has none). Nothing was calibrated; mend or remove them
    """
    found = _checked(((f"row {i}", row) for i, row in enumerate(rows)), run, name)
    return Labels(rows=found, name=name, sha256=_digest(found))


def labels_from_run(run: MeasuredRun) -> Labels:
    """The labels that came with the run's own records; one a measured record.

    A record without spans counts as supported, since a run does not tell "nothing found" from
    "nobody looked": use it only where people looked at every record. A "group" among a record's
    other fields is its group.

    Raises:
        InputError: No record has a span.

    Example:
        >>> from flowgauge.store import Run, tables_from_rows
        >>> spans = [{"start": 0, "end": 2, "kind": "unsupported"}]
        >>> records = [{"row": 0, "id": "a", "status": "measured", "response": "So.",
        ...             "labels": spans}]
        >>> labels_from_run(Run("r", {}, tables_from_rows({"records": records}))).rows[0].supported
        False
    """
    columns = ["id", "status", "labels", "meta"]
    measured = [
        row for row in run.table("records").select(columns).to_pylist() if row["status"] != "failed"
    ]
    rows = tuple(
        SupportLabel(
            id=row["id"],
            supported=not row["labels"],
            spans=tuple(Label(**span) for span in row["labels"] or ()),
            group=_group(json.loads(row["meta"] or "{}")),
        )
        for row in measured
    )
    if all(row.supported for row in rows):
        raise InputError(
            f"none of the {len(rows)} records of the run {run.name} came with a span that people "
            'found unsupported; measure records that have "labels", or give a file of labels'
        )
    return Labels(rows=rows, name=f"records of {run.name}", sha256=_digest(rows))


def _digest(rows: Sequence[SupportLabel]) -> str:
    return hashlib.sha256(repr(rows).encode("utf-8", "backslashreplace")).hexdigest()


def _json_lines(data: bytes) -> Iterator[tuple[str, Any]]:
    """(place, parsed row or the error that it is) of every line that is not blank."""
    for number, line in enumerate(data.removeprefix(codecs.BOM_UTF8).split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            yield f"line {number}", json.loads(line.decode("utf-8"))
        except (ValueError, RecursionError) as error:
            came = line.decode("utf-8", errors="replace").strip()
            yield f"line {number}", RecordError(f"it is not JSON: {error}; it begins {came[:40]!r}")


def _checked(
    rows: Iterable[tuple[str, Any]], run: MeasuredRun, name: str
) -> tuple[SupportLabel, ...]:
    """Every row as a label, or one error about all that are none."""
    table = run.table("records").select(["id", "response"]).to_pylist()
    responses: dict[str, str | None] = {}
    for row in table:  # of two rows with one id the second failed: the first is meant
        if responses.get(row["id"]) is None:
            responses[row["id"]] = row["response"]
    found: dict[str, SupportLabel] = {}
    places: dict[str, str] = {}
    problems = []
    for place, row in rows:
        try:
            label = _label(row, responses, run.name)
            if label.id in found:
                raise RecordError(f"the id {label.id!r:.60} stands in {places[label.id]} already")
        except FlowgaugeError as error:
            problems.append(f"{place}: {error}")
            continue
        found[label.id], places[label.id] = label, place
    if problems:
        more = len(problems) - MOST_SHOWN
        shown = "; ".join(problems[:MOST_SHOWN]) + (f"; and {more} more" if more > 0 else "")
        raise RecordError(
            f"{name}: {len(problems)} of {len(problems) + len(found)} rows cannot be used "
            f"({shown}). Nothing was calibrated; mend or remove them"
        )
    if not found:
        raise InputError(
            f'{name} holds no label; rows like {{"id": …, "supported": true}} were needed'
        )
    return tuple(found.values())


def _label(row: Any, responses: Mapping[str, str | None], run: str) -> SupportLabel:
    if isinstance(row, RecordError):
        raise row
    if not isinstance(row, Mapping):
        raise RecordError(f"it is {type(row).__name__} {row!r:.60}, an object was needed")
    identity = row.get("id")
    if isinstance(identity, bool) or not isinstance(identity, str | int):
        raise RecordError(
            f"its id is {identity!r:.60} (keys: {', '.join(sorted(map(repr, row)))[:80]}), the id "
            "of a record was needed"
        )
    key = str(identity)
    if key not in responses:
        known = [repr(k)[:60] for k in list(responses)[:MOST_SHOWN]]
        some = ", ".join([*known, "…"] if len(responses) > MOST_SHOWN else known) or "none"
        raise RecordError(f"the run {run} has no record {key!r:.60}; it has {some}")
    spans = _spans(row.get("labels"), responses[key])
    supported = row.get("supported")
    if supported is None and spans is None:
        raise RecordError(
            f'{key!r:.60} has neither "supported" nor "labels"; "supported": true or false, or '
            '"labels": [] or a list of spans was needed'
        )
    if supported is not None and not isinstance(supported, bool):
        raise RecordError(
            f"supported of {key!r:.60} is {supported!r:.40}; true or false was needed"
        )
    if supported is not None and spans is not None and supported == bool(spans):
        raise RecordError(
            f"{key!r:.60} is marked {'' if supported else 'un'}supported but has {len(spans)} "
            "unsupported spans; keep what is right"
        )
    return SupportLabel(
        id=key,
        supported=not spans if supported is None else supported,
        spans=spans or (),
        group=_group(row),
    )


def _group(row: Any) -> str | None:
    group = row.get("group") if isinstance(row, Mapping) else None
    if group is None:
        return None
    if isinstance(group, bool) or not isinstance(group, str | int):
        raise RecordError(f"its group is {group!r:.60}, a string was needed")
    return str(group)


def _spans(value: Any, response: str | None) -> tuple[Label, ...] | None:
    """Spans within the response; its length is unknown where its row failed."""
    if value is None:
        return None
    if not isinstance(value, list | tuple):
        raise RecordError(f"labels is {type(value).__name__} {value!r:.60}, a list was needed")
    return tuple(_span(i, item, response) for i, item in enumerate(value))


def _span(i: int, item: Any, response: str | None) -> Label:
    start, end = (item.get(k) if isinstance(item, Mapping) else None for k in ("start", "end"))
    if not (type(start) is int and type(end) is int):  # True is no place
        raise RecordError(
            f'label {i} is {item!r:.60}, {{"start": …, "end": …, "kind": …}} in whole numbers was '
            "needed"
        )
    length = end if response is None else len(response)
    if not 0 <= start < end <= length:
        raise RecordError(
            f"label {i} spans {start}:{end} but the response has "
            f"{'an unknown number of' if response is None else length} characters"
        )
    kind = item.get("kind", "unsupported")
    check_text(kind, f"the kind of label {i}")
    return Label(start=start, end=end, kind=kind)
