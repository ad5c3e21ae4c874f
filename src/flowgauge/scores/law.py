"""Which law P is: the model's own next-token law, or one that is made from it.

    passes over prompt and response ──tap──▶ what the law needs of the model's inside
    rows of logits ──change──▶ rows of the law P, before any column is taken from them

A law may depend on the prompt and on the tokens written before j, never on token j itself: then
all columns are those of that law, and every test keeps its level (theory §3). Q is always the
model's own law of the reference.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from flowgauge.models.protocol import LanguageModel, Tap
from flowgauge.records import IntArray, Tokens
from flowgauge.scores.plan import Context

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class Prompted(Context):
    """A continuation after a prompt, with the positions (source,) of the source in it, rising."""

    source: IntArray


class LawTap(Tap, Protocol):
    """A law at work on some contexts: sees their passes, then changes their rows of logits."""

    def change(self, logits: "torch.Tensor", context: int, times: slice) -> None:
        """Make the model's logits (rows, vocab) at `times` of a context the law's, in place."""
        ...


@runtime_checkable
class Law(Protocol):
    """The prompted law P, made from a model."""

    @property
    def name(self) -> str:
        """How the manifest names it, parameters included."""
        ...

    @property
    def is_own(self) -> bool:
        """Whether it is the model's own law, which the texts that it writes follow."""
        ...

    def context(self, tokens: Tokens, continuation: IntArray) -> Context:
        """What is read of a record whose prompt is followed by `continuation`."""
        ...

    def tap(self, contexts: Sequence[Context], lm: LanguageModel) -> LawTap | None:
        """The law at work on these contexts, numbered in this order; None changes nothing."""
        ...

    def why_not(self, lm: LanguageModel) -> str:
        """Why P stays the model's own law with this model; empty where it does not."""
        ...


@dataclass(frozen=True, slots=True)
class ModelLaw:
    """P is the model's own law of the next token.

    Example:
        >>> ModelLaw().name
        'model'
    """

    name: str = "model"

    @property
    def is_own(self) -> bool:
        """It is."""
        return True

    def context(self, tokens: Tokens, continuation: IntArray) -> Context:
        """The prompt and the continuation."""
        return Context(tokens.prompt_ids, continuation)

    def tap(self, contexts: Sequence[Context], lm: LanguageModel) -> LawTap | None:
        """Nothing is looked at."""
        return None

    def why_not(self, lm: LanguageModel) -> str:
        """Any model will do."""
        return ""


def source_positions(tokens: Tokens) -> IntArray:
    """(source,) positions in the prompt of what the reference goes without.

    They are the tokens of the documents. Where none is marked (the source is the whole prompt, or
    the template rewrote the documents), they are what is left of the prompt without the beginning
    and the end that it has in common with the reference.

    Example:
        >>> from flowgauge.models import TabularModel
        >>> from flowgauge.records import Record
        >>> from flowgauge.text import Omit, PlainTemplate, align
        >>> model = TabularModel.random(sources=2, vocabulary=3, length=2, seed=0)
        >>> record = Record(id="1", question="a", documents=("bb", "c"), response="a")
        >>> source_positions(align("1", PlainTemplate().compose(record, Omit()), "a", model))
        array([2, 3, 5])
    """
    marked = np.flatnonzero(tokens.prompt_part >= 0).astype(np.int64)
    if len(marked):
        return marked
    prompt, reference = tokens.prompt_ids, tokens.reference_ids
    first = _in_common(prompt, reference)
    rest = len(prompt) - _in_common(prompt[first:][::-1], reference[first:][::-1])
    return np.arange(first, rest, dtype=np.int64)


def _in_common(a: IntArray, b: IntArray) -> int:
    n = min(len(a), len(b))
    differ = np.flatnonzero(a[:n] != b[:n])
    return int(differ[0]) if len(differ) else n


@dataclass(frozen=True, slots=True)
class ChangedRows:
    """The rows of several continuations, one after the other, under a law.

    Args:
        tap: The law at work.
        contexts: Context behind each continuation.
        lengths: Tokens of each.
    """

    tap: LawTap
    contexts: Sequence[int]
    lengths: Sequence[int]

    def change(self, logits: "torch.Tensor", start: int) -> None:
        """Change the logits of the rows from `start` on, in place."""
        stop = start + len(logits)
        ends = np.cumsum([0, *self.lengths]).tolist()
        for context, (a, b) in zip(self.contexts, pairwise(ends), strict=True):
            first, last = max(a, start), min(b, stop)
            if first < last:
                part = logits[first - start : last - start]
                self.tap.change(part, context, slice(first - a, last - a))
