"""Readers: JSONL and Parquet to records. One bad row never stops a file: it becomes a FailedRow.

Three forms, one record: `{"prompt", "response"}`, `{"question", "documents", "response"}` and
`{"turns": [{"role", "content"}, …], "response"}`. Unknown keys travel in `meta`.
"""

import codecs
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from flowgauge.errors import FlowgaugeError, InputError, RecordError
from flowgauge.records import Author, FailedRow, Label, Record, Sampling, Turn
from flowgauge.text.check import check_record, check_text, storable

_TEXT_KEYS = ("question", "instruction", "reasoning")
_KNOWN = {
    *_TEXT_KEYS, "id", "prompt", "documents", "response", "turns", "author", "sampling", "labels",
    "meta",
}  # fmt: skip
_RAW_KEPT = 2000


def _text(row: Mapping[str, Any], key: str) -> str:
    value = row.get(key)
    if value is None:
        return ""
    check_text(value, key)
    return str(value)


def _documents(row: Mapping[str, Any]) -> tuple[str, ...] | None:
    value = row.get("documents")
    if value is None:
        return None
    if not isinstance(value, list | tuple) or not all(isinstance(d, str) for d in value):
        raise RecordError(
            f"documents is {type(value).__name__} {value!r:.60}, a list of strings was needed"
        )
    return tuple(value)


def _turns(row: Mapping[str, Any]) -> tuple[Turn, ...]:
    value = row.get("turns")
    if value is None:
        return ()
    if not isinstance(value, list | tuple):
        raise RecordError(
            f"turns is {type(value).__name__} {value!r:.60}, a list of "
            '{"role": …, "content": …} was needed'
        )
    turns = []
    for i, turn in enumerate(value):
        if not isinstance(turn, Mapping) or not isinstance(turn.get("role"), str):
            raise RecordError(
                f'turn {i} is {turn!r:.60}, {{"role": …, "content": …}} with strings was needed'
            )
        turns.append(Turn(role=turn["role"], content=_text(turn, "content")))
    return tuple(turns)


def _author(row: Mapping[str, Any]) -> Author:
    value = row.get("author")
    if value is None:
        return Author.SOMEBODY_ELSE
    try:
        return Author(value)
    except ValueError:
        names = " or ".join(repr(a.value) for a in Author)
        raise RecordError(f"author is {value!r:.60}, {names} was needed") from None


def _sampling(row: Mapping[str, Any]) -> Sampling | None:
    value = row.get("sampling")
    if value is None:
        return None
    try:
        return Sampling(**value)
    except TypeError:
        raise RecordError(
            f"sampling is {value!r:.80}, an object with temperature, top_k, top_p, min_p or "
            "repetition_penalty was needed"
        ) from None


def _labels(row: Mapping[str, Any], response: str) -> tuple[Label, ...]:
    value = row.get("labels")
    if value is None:
        return ()
    labels = []
    if not isinstance(value, list | tuple):
        raise RecordError(f"labels is {type(value).__name__}, a list of spans was needed")
    for i, item in enumerate(value):
        try:
            label = Label(
                start=int(item["start"]), end=int(item["end"]), kind=str(item.get("kind", ""))
            )
        except (TypeError, KeyError, ValueError, OverflowError, AttributeError):
            raise RecordError(
                f'label {i} is {item!r:.60}, {{"start": …, "end": …, "kind": …}} was needed'
            ) from None
        if not 0 <= label.start < label.end <= len(response):
            raise RecordError(
                f"label {i} spans {label.start}:{label.end} but the response has "
                f"{len(response)} characters"
            )
        labels.append(label)
    return tuple(labels)


def parse_record(row: Mapping[str, Any], number: int = 0) -> Record:
    """A record from one parsed row.

    Args:
        row: Keys of `Record`, or `prompt` for a bare prompt; other keys are kept in `meta`.
        number: Row in its file, from 0: names the record when it has no id.

    Returns:
        The record.

    Raises:
        RecordError: A field is missing or of the wrong type; the message shows what came.

    Example:
        >>> parse_record({"prompt": "Why?", "response": "So.", "model": "x"}, 4)
        Record(id='row-4', response='So.', question='Why?', documents=None, instruction='',
            turns=(), reasoning='', author=<Author.SOMEBODY_ELSE: 'somebody else'>,
            sampling=None, labels=(), meta={'model': 'x'})
    """
    if not isinstance(row, Mapping):
        raise RecordError(f"the row is {type(row).__name__} {row!r:.60}, an object was needed")
    response = _text(row, "response")
    if not response.strip():
        raise RecordError(
            f"the row has no response (keys: {', '.join(sorted(map(str, row)))}), so there is "
            "nothing to measure"
        )
    texts = {key: _text(row, key) for key in _TEXT_KEYS}
    prompt = _text(row, "prompt")
    if prompt and texts["question"]:
        raise RecordError("the row has both prompt and question; keep one of them")
    texts["question"] = texts["question"] or prompt
    identity = row.get("id")
    if identity is not None and not isinstance(identity, str | int):
        raise RecordError(f"id is {type(identity).__name__} {identity!r:.60}, a string was needed")
    given = row.get("meta")
    if given is not None and not isinstance(given, Mapping):
        raise RecordError(f"meta is {type(given).__name__} {given!r:.60}, an object was needed")
    extra = {str(k): v for k, v in row.items() if k not in _KNOWN and v is not None}
    record = Record(
        id=f"row-{number}" if identity is None else str(identity),
        response=response,
        documents=_documents(row),
        turns=_turns(row),
        author=_author(row),
        sampling=_sampling(row),
        labels=_labels(row, response),
        meta={**(given or {}), **extra},
        **texts,
    )
    check_record(record)
    return record


def refused(number: int, identity: object, error: FlowgaugeError, raw: str = "") -> FailedRow:
    """The failed row that stands for a row which no record came of, safe to store."""
    return FailedRow(
        row=number,
        id=storable(f"row-{number}" if identity is None else str(identity)),
        kind=type(error).__name__,
        reason=storable(str(error)),
        raw=storable(raw[:_RAW_KEPT]),
    )


def _json_rows(path: Path) -> Iterator[tuple[Any, str]]:
    with path.open("rb") as lines:
        for number, line in enumerate(lines):
            if number == 0:
                line = line.removeprefix(codecs.BOM_UTF8)
            if not line.strip():
                continue
            raw = line.decode("utf-8", errors="replace").strip()
            try:
                yield json.loads(line.decode("utf-8")), raw
            except UnicodeDecodeError as error:
                yield RecordError(f"the line is not UTF-8: {error}"), raw
            except (ValueError, RecursionError) as error:  # also an integer of 5000 digits
                yield RecordError(f"the line is not JSON: {error}; it begins {raw[:60]!r}"), raw


def _parquet_rows(path: Path) -> Iterator[tuple[Any, str]]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=1024):
            for row in batch.to_pylist():
                yield row, str(row)[:_RAW_KEPT]


def read_records(path: str | Path) -> Iterator[Record | FailedRow]:
    r"""The rows of a JSONL or Parquet file, in order; a bad one comes as a `FailedRow`.

    Args:
        path: A `.parquet` file, or anything else as JSON lines. Blank lines do not count.

    Yields:
        `Record`, or `FailedRow` with the reason. Of two rows with one id the second fails.

    Raises:
        InputError: There is no such file or it is no Parquet.

    Example:
        >>> import tempfile, pathlib
        >>> file = pathlib.Path(tempfile.mkdtemp()) / "in.jsonl"
        >>> _ = file.write_text('{"prompt": "a", "response": "b"}\noops\n')
        >>> [type(r).__name__ for r in read_records(file)]
        ['Record', 'FailedRow']
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"there is no file {path}; a JSONL or Parquet file was needed")
    rows = _parquet_rows(path) if path.suffix.lower() == ".parquet" else _json_rows(path)
    seen: dict[str, int] = {}
    number = -1
    try:
        for number, (row, raw) in enumerate(rows):
            try:
                if isinstance(row, RecordError):
                    raise row
                record = parse_record(row, number)
                if record.id in seen:
                    raise RecordError(
                        f"the id {record.id!r} stands in row {seen[record.id]} already"
                    )
            except FlowgaugeError as error:
                identity = row.get("id") if isinstance(row, Mapping) else None
                yield refused(number, identity, error, raw)
                continue
            seen[record.id] = number
            yield record
    except OSError as error:  # pyarrow's ArrowInvalid is a ValueError, its I/O errors are OSErrors
        raise InputError(f"{path} cannot be read: {error}") from error
    except ValueError as error:
        raise InputError(f"{path} is no Parquet file that can be read: {error}") from error
