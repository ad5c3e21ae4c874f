"""Support of one measured record: columns for the three tables, in the store's names."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from flowgauge.pipeline.prepare import Prepared
from flowgauge.records import Flow, IntArray, Pointers
from flowgauge.support import (
    Constants,
    ResponseColumns,
    SourceSpan,
    TokenPointers,
    copied_words,
    source_spans,
    support_scores,
)
from flowgauge.text import sentence_spans

Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class SupportColumns:
    """Columns of one record: one dictionary for it, one a token, one a sentence."""

    record: Row
    tokens: list[Row]
    sentences: list[Row]


def support_columns(
    item: Prepared,
    f: Flow,
    pointers: Pointers | None,
    sentence: IntArray,
    n_sentences: int,
    constants: Constants,
) -> SupportColumns:
    """Support, pointers and source sentences; empty for a record without a source."""
    empty = SupportColumns(record={}, tokens=[{} for _ in f.density], sentences=[{}] * n_sentences)
    if item.composition.source == "nothing" or not len(f.density):
        return empty
    columns = ResponseColumns(
        density=f.density,
        surprisal_q=f.surprisal_q,
        copied_words=copied_words(item.record.response, item.tokens.offsets, _given(item)),
        pointer=None if pointers is None else pointers.mass,
        sentence=sentence,
    )
    scores = support_scores(columns, constants)
    tokens: list[Row] = [
        {"local_fraction": x, "support": s, "copied_words": None if np.isnan(c) else c}
        for x, s, c in zip(
            scores.parts.fraction.tolist(),
            scores.tokens.tolist(),
            columns.copied_words.tolist(),
            strict=True,
        )
    ]
    sentences: list[Row] = []
    for k in range(n_sentences):
        value = scores.sentences[k] if k < len(scores.sentences) else np.nan
        sentences.append({"support": None if np.isnan(value) else float(value)})
    record: Row = {"support": scores.response}
    if pointers is not None:
        places = token_pointers(item, pointers)
        record["pointer"] = float(places.mass.mean())
        _add_pointers(tokens, places)
        documents = [sentences_of(d) for d in item.read.documents or ()]
        for k, row in enumerate(sentences):
            here = np.flatnonzero(sentence == k)
            if len(here):
                row["pointer"] = float(places.mass[here].mean())
                row["sources"] = _sources(places, here, f, documents)
    return SupportColumns(record=record, tokens=tokens, sentences=sentences)


def _given(item: Prepared) -> tuple[str, ...]:
    """The texts that words may be copied from: the documents, or else the prompt's own."""
    read = item.read
    if read.documents is not None:
        return read.documents
    return (read.question, read.instruction, *(t.content for t in read.turns))


@lru_cache(maxsize=64)
def sentences_of(document: str) -> tuple[tuple[int, int], ...]:
    """Sentences of a document, kept because many responses share one."""
    return tuple(sentence_spans(document))


def token_pointers(item: Prepared, pointers: Pointers) -> TokenPointers:
    """Prompt positions as places in the documents; a leading space is left off."""
    position, tokens = pointers.position, item.tokens
    points = position >= 0
    at = np.where(points, position, 0)
    document = np.where(points, tokens.prompt_part[at], -1)
    start, end = tokens.prompt_offsets[at].T
    for j in np.flatnonzero(document >= 0):
        text = (item.read.documents or ())[document[j]][start[j] : end[j]]
        if text.strip():
            start[j] += len(text) - len(text.lstrip())
    return TokenPointers(
        mass=pointers.mass,
        document=document,
        start=np.where(points, start, 0),
        end=np.where(points, end, 0),
    )


def _add_pointers(tokens: list[Row], places: TokenPointers) -> None:
    for j, row in enumerate(tokens):
        row["pointer"] = float(places.mass[j])
        if places.document[j] >= 0:
            row["pointer_document"] = int(places.document[j])
            row["pointer_start"] = int(places.start[j])
            row["pointer_end"] = int(places.end[j])


def _sources(
    places: TokenPointers,
    here: IntArray,
    f: Flow,
    documents: Sequence[Sequence[tuple[int, int]]],
) -> list[Row]:
    mine = TokenPointers(
        mass=places.mass[here],
        document=places.document[here],
        start=places.start[here],
        end=places.end[here],
    )
    found: tuple[SourceSpan, ...] = source_spans(mine, f.surprisal_q[here], documents)
    return [
        {"document": s.document, "start": s.start, "end": s.end, "weight": s.weight} for s in found
    ]
