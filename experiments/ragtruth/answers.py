"""A measured response beside its truth: what every score and every table reads.

The truth comes from the records, the columns from the run. Of the reporting half nothing is read
unless it is asked for: `answers` is given the records it may look at.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

import flowgauge as fg
from flowgauge.records import FloatArray, IntArray

_COLUMNS = ("log_p_nats", "log_q_nats", "density_nats", "drift_nats", "entropy_p_nats")
_MAYBE = ("support", "pointer", "local_fraction")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One response.

    Attributes:
        id: The record's id.
        source: What it was written from; the unit of the bootstrap.
        generator: Who wrote it.
        response, documents: The texts.
        supported: What people said of the whole.
        spans: (start, end, kind) of what they marked.
        start, end, sentence: (time,) characters and sentence of each token.
        columns: (time,) stored columns by name; absent when null throughout.
        whole: The response's own stored numbers; absent when null.
        sentence_fractions: (sentence,) flow fraction of each sentence, nan where it has none.
    """

    id: str
    source: str
    generator: str
    response: str
    documents: tuple[str, ...]
    supported: bool
    spans: tuple[tuple[int, int, str], ...]
    start: IntArray
    end: IntArray
    sentence: IntArray
    columns: Mapping[str, FloatArray]
    whole: Mapping[str, float]
    sentence_fractions: FloatArray

    @property
    def kinds(self) -> frozenset[str]:
        """Kinds of the marked spans."""
        return frozenset(kind for _, _, kind in self.spans)

    def in_span(self, kind: str | None = None) -> np.ndarray:
        """(time,) whether a token's characters overlap a marked span, of one kind or any."""
        inside = np.zeros(len(self.start), dtype=bool)
        for start, end, found in self.spans:
            if kind in (None, found):
                inside |= (self.start < end) & (self.end > start)
        return inside


def _answer(record: fg.Record, item: Any) -> Answer:
    columns = {k: np.asarray(item.columns[k], dtype=np.float64) for k in _COLUMNS}
    for name in _MAYBE:
        values = np.asarray(item.columns.get(name, ()), dtype=np.float64)
        if len(values) and not np.isnan(values).any():
            columns[name] = values
    whole = {}
    for name in ("flow_nats", "flow_fraction", "support", "pointer"):
        if item.record.get(name) is not None:
            whole[name] = float(item.record[name])
    fractions = [s["flow_fraction"] for s in item.sentences]
    return Answer(
        id=record.id,
        source=str(record.meta["source_id"]),
        generator=str(record.meta["model"]),
        response=record.response,
        documents=tuple(record.documents or ()),
        supported=bool(record.meta["supported"]),
        spans=tuple((x.start, x.end, x.kind) for x in record.labels),
        start=np.asarray(item.columns["start"], dtype=np.int64),
        end=np.asarray(item.columns["end"], dtype=np.int64),
        sentence=np.asarray(item.columns["sentence"], dtype=np.int64),
        columns=columns,
        whole=whole,
        sentence_fractions=np.array([np.nan if x is None else x for x in fractions], dtype=float),
    )


def answers(records: Iterable[fg.Record], run: fg.Run) -> list[Answer]:
    """The measured ones among some records; rows without a token say nothing and are left out."""
    found = []
    for record in records:
        if record.id in run:
            item = run[record.id]
            if len(item.tokens):
                found.append(_answer(record, item))
    return found


def token_means(values: FloatArray, answer: Answer) -> FloatArray:
    """(time,) mean of a number per character over each token, its leading white space aside.

    Args:
        values: (characters,) one number for each character of the response.
        answer: Whose tokens.
    """
    out = np.empty(len(answer.start))
    for j, (start, end) in enumerate(zip(answer.start, answer.end, strict=True)):
        piece = answer.response[start:end]
        first = start + len(piece) - len(piece.lstrip()) if piece.strip() else start
        first = min(int(first), len(values) - 1)
        out[j] = values[first : max(int(end), first + 1)].mean()
    return out


def on_tokens_of(values: FloatArray, theirs: Answer, ours: Answer) -> FloatArray:
    """A token score of one observer on the tokens of another, by the characters they share."""
    total, count = np.zeros(len(theirs.response)), np.zeros(len(theirs.response))
    for value, start, end in zip(values, theirs.start, theirs.end, strict=True):
        total[start:end] += value
        count[start:end] += 1
    # Characters that no token covers (the first ones, left out) take the mean of the rest.
    characters = np.where(count > 0, total / np.maximum(count, 1), values.mean())
    return token_means(characters, ours)
