"""The text that grows with each token: characters are given out once they are complete."""

import copy
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from flowgauge.records import IntArray

REPLACEMENT = "�"


class Detokenizer(Protocol):
    """What is needed of a tokenizer."""

    def detokenize(self, ids: Sequence[int]) -> str:
        """Ids as one text."""
        ...


class Pieces:
    """Text of the tokens so far and the characters of each.

    Several tokens of one character share it, as in `Tokens.offsets`.

    Args:
        lm: The tokenizer.
        before: The last ids of the prompt: some tokenizers drop the space that begins a text, so
            the first token's own space is known only after something.

    Attributes:
        text: What has been given out.
    """

    def __init__(self, lm: Detokenizer, before: Sequence[int] = ()) -> None:
        self._lm = lm
        self._ids = [int(i) for i in before]
        if lm.detokenize(self._ids).endswith(REPLACEMENT):
            self._ids = []
        # Ids from which text is made, ids whose text is given out.
        self._start, self._told = 0, len(self._ids)
        self._spans: list[tuple[int, int]] = []
        self.text = ""

    def add(self, token: int) -> str:
        """Take one token; the characters it completes, "" while one is not complete."""
        self._ids.append(token)
        # Tokenizers add or trim spaces at the start of a text, so a few ids stand before the new.
        before = self._lm.detokenize(self._ids[self._start : self._told])
        after = self._lm.detokenize(self._ids[self._start :])
        if after.endswith(REPLACEMENT):
            return ""
        return self._give(after[len(before) :])

    def end(self) -> str:
        """The last characters, complete or not."""
        if self._told == len(self._ids):
            return ""
        before = self._lm.detokenize(self._ids[self._start : self._told])
        return self._give(self._lm.detokenize(self._ids[self._start :])[len(before) :])

    def ended(self) -> "Pieces":
        """The text as if it ended here, for a look at it; this one can go on."""
        out = copy.copy(self)
        out._spans = list(self._spans)
        out.end()
        return out

    def _give(self, piece: str) -> str:
        span = (len(self.text), len(self.text) + len(piece))
        self._spans += [span] * (len(self._ids) - self._told)
        self._start, self._told = self._told, len(self._ids)
        self.text += piece
        return piece

    @property
    def offsets(self) -> IntArray:
        """(time, 2) characters of each token given out."""
        return np.array(self._spans, dtype=np.int64).reshape(-1, 2)
