"""The tables of a run as the page's data: one index of all responses, one block per response.

Columns stay columns and keep the store's names, so that a block can be held against the tables.
The script parses the index at once and a block only when its response is chosen. Documents stand
once each, however many responses share them; a block names them by number.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from flowgauge.report.digits import (
    JsonNumber,
    Prints,
    print_level,
    print_log,
    print_nats,
    print_p_value,
    print_share,
    shorten,
    shorten_all,
)
from flowgauge.report.support import is_unsupported

_TITLE_CHARACTERS = 160

_PRINTS: dict[str, Prints] = {
    "flow_fraction": print_share,
    "local_fraction": print_share,
    "pool_p_value": print_p_value,
    "alpha": print_level,
    "log_p_nats": print_log,
    "log_q_nats": print_log,
}

_INDEX_COLUMNS = ("row", "id", "flow_nats", "flow_fraction", "outcome", "n_tokens")
#: Columns of the records that a block leaves out, or holds in another form.
_NOT_COPIED = {"status", "kind", "reason", "labels", "documents"}
_TOKEN_COLUMNS = (
    "position",
    "sentence",
    "token_id",
    "start",
    "end",
    "log_p_nats",
    "log_q_nats",
    "density_nats",
    "flow_nats",
    "drift_nats",
    "compensator_nats",
    "variance_nats2",
    "entropy_p_nats",
    "entropy_q_nats",
)
#: Columns that a run may lack or hold nulls in alone; a block then leaves them out.
_POINTER_COLUMNS = (
    "pointer",
    "pointer_document",
    "pointer_start",
    "pointer_end",
    "local_fraction",
    "copied_words",
    "support",
)
_SENTENCE_COLUMNS = (
    "sentence",
    "start",
    "end",
    "n_tokens",
    "flow_nats",
    "flow_fraction",
    "surprisal_p_nats",
    "surprisal_q_nats",
    "drift_nats",
)


def measured_rows(records: pa.Table) -> pa.Table:
    """The measured records, in the order of the input."""
    return _with_status(records, "measured")


def failed_rows(records: pa.Table) -> list[dict[str, Any]]:
    """Row, id, kind and reason of each record that could not be measured, in input order."""
    return list(_with_status(records, "failed").select(["row", "id", "kind", "reason"]).to_pylist())


def _with_status(records: pa.Table, status: str) -> pa.Table:
    chosen = [i for i, value in enumerate(records.column("status").to_pylist()) if value == status]
    return records.take(pa.array(chosen, pa.int64())).sort_by("row")


def has_values(table: pa.Table, name: str) -> bool:
    """Whether the table has the column and the column holds a value."""
    return name in table.column_names and table.column(name).null_count < len(table)


def supports(measured: pa.Table) -> list[float | None]:
    """Support of each measured record as stored; nulls in a run written before support."""
    if "support" not in measured.column_names:
        return [None] * len(measured)
    return list(measured.column("support").to_pylist())


def documents(measured: pa.Table) -> list[str]:
    """Every document of the measured records once, in the order they first come in."""
    lists = measured.column("documents").to_pylist()
    return list(dict.fromkeys(text or "" for texts in lists for text in texts or ()))


def index(measured: pa.Table, *, threshold: float | None = None) -> dict[str, Any]:
    """What the list of responses shows: columns with one entry for each measured record.

    Args:
        measured: The measured records.
        threshold: Support below this is marked unsupported, before any digit is cut.
    """
    result: dict[str, Any] = {name: _column(measured, name) for name in _INDEX_COLUMNS}
    texts = zip(
        *(measured.column(c).to_pylist() for c in ("question", "instruction", "response")),
        strict=True,
    )
    result["title"] = [_title(*three) for three in texts]
    result["support"] = shorten_all(supports(measured), print_nats)
    result["unsupported"] = [is_unsupported(value, threshold) for value in supports(measured)]
    result["n_labels"] = [len(labels or ()) for labels in measured.column("labels").to_pylist()]
    return result


def _title(question: str | None, instruction: str | None, response: str | None) -> str:
    text = " ".join((question or instruction or response or "").split())
    return text if len(text) <= _TITLE_CHARACTERS else text[: _TITLE_CHARACTERS - 1] + "…"


def blocks(
    measured: pa.Table, tokens: pa.Table, sentences: pa.Table, *, threshold: float | None = None
) -> Iterator[tuple[int, dict[str, Any]]]:
    """(row, data) of each measured record: its columns, its tokens and its sentences.

    `documents` holds places in the list of `documents(measured)`, or None for no documents.
    """
    tokens_of = _group(tokens, "position", _token_columns)
    sentences_of = _group(sentences, "sentence", partial(_sentence_columns, threshold=threshold))
    places = {text: place for place, text in enumerate(documents(measured))}
    for record in measured.to_pylist():
        row = record["row"]
        block = {
            name: shorten(value, _PRINTS.get(name, print_nats))
            if isinstance(value, float)
            else value
            for name, value in record.items()
            if name not in _NOT_COPIED
        }
        labels = record["labels"] or []
        texts = record["documents"]
        block["documents"] = None if texts is None else [places[text or ""] for text in texts]
        block["labels"] = {key: [x[key] for x in labels] for key in ("start", "end", "kind")}
        block["tokens"] = tokens_of(row)
        block["sentences"] = sentences_of(row)
        yield row, block


def _group(
    table: pa.Table, order: str, columns: Callable[[pa.Table], dict[str, Any]]
) -> Callable[[int], dict[str, Any]]:
    """Function from a row number to the columns of that row's part of the table."""
    table = table.sort_by([("row", "ascending"), (order, "ascending")])
    rows = np.asarray(table.column("row").to_pylist(), dtype=np.int64)

    def part(row: int) -> dict[str, Any]:
        first, last = np.searchsorted(rows, [row, row + 1])
        return columns(table.slice(int(first), int(last - first)))

    return part


def _column(table: pa.Table, name: str) -> list[Any]:
    values = table.column(name).to_pylist()
    if pa.types.is_floating(table.schema.field(name).type):
        return shorten_all(values, _PRINTS.get(name, print_nats))
    return values


def _token_columns(table: pa.Table) -> dict[str, Any]:
    result = {name: _column(table, name) for name in _TOKEN_COLUMNS}
    result |= _known(table, _POINTER_COLUMNS)
    words: dict[tuple[int, str], int] = {}
    for name in ("alternatives_p", "alternatives_q"):
        lists = table.column(name).to_pylist()
        result[name] = [_alternatives(entries or (), words) for entries in lists]
    result["word_ids"] = [token_id for token_id, _ in words]
    result["words"] = [text for _, text in words]
    return result


def _alternatives(
    entries: tuple[Mapping[str, Any], ...], words: dict[tuple[int, str], int]
) -> list[int | JsonNumber]:
    """[word, log_p, word, log_p, …]; words are places in the block's `word_ids` and `words`."""
    flat: list[int | JsonNumber] = []
    for entry in entries:
        word = words.setdefault((entry["id"], entry["text"] or ""), len(words))
        flat += [word, shorten(entry["log_p"], print_log)]
    return flat


def _known(table: pa.Table, names: tuple[str, ...]) -> dict[str, Any]:
    """The columns that the table has and that hold a value."""
    return {name: _column(table, name) for name in names if has_values(table, name)}


def _sentence_columns(table: pa.Table, *, threshold: float | None) -> dict[str, Any]:
    result = {name: _column(table, name) for name in _SENTENCE_COLUMNS}
    known = _known(table, ("pointer", "support"))
    result |= known
    if "support" in known:
        values = table.column("support").to_pylist()
        result["unsupported"] = [is_unsupported(value, threshold) for value in values]
    if "sources" in table.column_names:
        result["sources"] = [_places(entries or ()) for entries in table["sources"].to_pylist()]
    return result


def _places(entries: tuple[Mapping[str, Any], ...]) -> list[list[int | JsonNumber]]:
    """[document, start, end, weight] of each source sentence, best first."""
    return [
        [entry["document"], entry["start"], entry["end"], shorten(entry["weight"], print_nats)]
        for entry in entries
    ]
