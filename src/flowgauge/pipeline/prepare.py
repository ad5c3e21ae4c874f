"""One record made ready for scoring: composed, aligned, checked against the context length."""

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from flowgauge.errors import AlignmentError, ContextLengthError, InputError
from flowgauge.records import FailedRow, Record, Tokens
from flowgauge.text import Composition, Reference, Template, align, truncate_documents
from flowgauge.text.align import TextTokenizer


class Reader(TextTokenizer, Protocol):
    """What is asked of a model before any of its laws: how it reads text, and how much."""

    @property
    def name(self) -> str:
        """As the user knows it."""
        ...

    @property
    def vocabulary_size(self) -> int:
        """Number of tokens that it can write."""
        ...

    @property
    def context_length(self) -> int | None:
        """Most tokens it reads, or None."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A record with its texts and tokens.

    `record` is as given; `read` is what the model reads (shorter documents after truncation).
    """

    row: int
    record: Record
    read: Record
    composition: Composition
    tokens: Tokens


def prepare(
    row: int,
    record: Record,
    lm: Reader,
    template: Template,
    reference: Reference,
    *,
    truncate: bool,
) -> Prepared | FailedRow:
    """The record ready for scoring, or the reason why it cannot be scored."""
    try:
        item = _compose(row, record, record, lm, template, reference)
        if truncate:
            item = _shortened(item, lm, template, reference)
        _check_length(item, lm)
        _check_vocabulary(item, lm)
    except InputError as error:
        return FailedRow(row=row, id=record.id, kind=type(error).__name__, reason=str(error))
    return item


def _compose(
    row: int,
    record: Record,
    read: Record,
    lm: Reader,
    template: Template,
    reference: Reference,
) -> Prepared:
    composition = template.compose(read, reference)
    tokens = align(record.id, composition, record.response, lm)
    return Prepared(row=row, record=record, read=read, composition=composition, tokens=tokens)


def _excess(item: Prepared, lm: Reader) -> int:
    if lm.context_length is None:
        return 0
    longest = max(len(item.tokens.prompt_ids), len(item.tokens.reference_ids))
    return longest + len(item.tokens.response_ids) - lm.context_length


def _check_length(item: Prepared, lm: Reader) -> None:
    if _excess(item, lm) > 0:
        raise ContextLengthError(
            f"the prompt has {len(item.tokens.prompt_ids)} tokens and the response "
            f"{len(item.tokens.response_ids)}, but {lm.name} reads at most {lm.context_length}; "
            "shorten the documents, take a model with a longer context, or let flowgauge cut them "
            "(--truncate, Settings(truncate=True)), which is noted in the row"
        )


def _check_vocabulary(item: Prepared, lm: Reader) -> None:
    foreign = np.flatnonzero(item.tokens.response_ids >= lm.vocabulary_size)
    if len(foreign):
        at = int(foreign[0])
        start, end = item.tokens.offsets[at]
        raise AlignmentError(
            f"token {at} of the response ({item.record.response[start:end]!r}) has the id "
            f"{item.tokens.response_ids[at]}, but {lm.name} can write only "
            f"{lm.vocabulary_size} tokens; remove it from the response"
        )


def _document_tokens(item: Prepared) -> int:
    if item.composition.documents is None:  # the template rewrote them: about what it added
        return len(item.tokens.prompt_ids) - len(item.tokens.reference_ids)
    return int(np.sum(item.tokens.prompt_part >= 0))


def _shortened(item: Prepared, lm: Reader, template: Template, reference: Reference) -> Prepared:
    """The documents cut from the end until prompt and response fit."""
    documents = item.record.documents
    if not documents or _excess(item, lm) <= 0:
        return item
    total, cut = sum(map(len, documents)), 0
    current = item
    while (excess := _excess(current, lm)) > 0 and cut < total:
        in_documents = max(1, _document_tokens(current))
        # A token more than is needed, at this text's own characters per token.
        cut = min(total, cut + max(1, round((excess + 1) * (total - cut) / in_documents)))
        read = truncate_documents(item.record, cut)
        current = _compose(item.row, item.record, read, lm, template, reference)
    note = (
        f"truncated, as asked: the last {cut} of {total} characters of the documents were cut to "
        f"fit the context of {lm.context_length} tokens"
    )
    tokens = replace(current.tokens, notes=(*current.tokens.notes, note))
    return replace(current, tokens=tokens)
