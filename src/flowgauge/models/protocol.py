"""What flowgauge asks of a language model.

    tokens fed     x_1  x_2  …  x_n      (prefix and response but the last token)
    states          s_1  s_2  …  s_n      one per position; the last `keep` are wanted
    logits(s_i)  →  law of x_{i+1}

`states` is the expensive pass; `logits` turns any rows of states into rows over the vocabulary, so
that the caller decides how many vocabulary rows exist at a time.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from flowgauge.records import IntArray, Sampling
from flowgauge.text.align import TextTokenizer

if TYPE_CHECKING:
    import numpy as np
    import torch


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of tokens with a common prefix.

    Attributes:
        shared: Prefix of every row, computed once; empty for none.
        rows: What follows it in each row, not empty.
        keep: How many of each row's last positions are wanted.
        packs: How many rows go through the model at once, in order; all of them if empty.
    """

    shared: IntArray
    rows: tuple[IntArray, ...]
    keep: tuple[int, ...]
    packs: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """One run of the body: which rows of the batch go through, and where their tokens stand.

    Attributes:
        rows: Places in the batch; all of them where the shared prefix is run.
        past: Tokens of the prefix that were read before.
        lengths: Tokens of each row fed now, padding on the right not counted.
        keep: How many of each row's last positions are wanted; empty where the prefix is run.
    """

    rows: tuple[int, ...]
    past: int
    lengths: tuple[int, ...]
    keep: tuple[int, ...] = ()


class Tap(Protocol):
    """Looks inside the passes that `states` makes anyway; leaves the model as it was."""

    def watch(self, model: Any, here: Pass) -> AbstractContextManager[None]:
        """Entered around one pass through `model`, the underlying module."""
        ...


class Decoder(Protocol):
    """Rows of text at work, one token each a step."""

    @property
    def states(self) -> "torch.Tensor":
        """(row, width) state of each row's last position; `logits` turns them into laws."""
        ...

    def step(self, ids: IntArray) -> "torch.Tensor":
        """Append one token to each row; its states (row, width)."""
        ...

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with these rows alone, in this order."""
        ...


class LanguageModel(TextTokenizer, Protocol):
    """A next-token law with a tokenizer."""

    @property
    def name(self) -> str:
        """As the user knows it."""
        ...

    @property
    def fingerprint(self) -> str:
        """Changes when a weight does."""
        ...

    @property
    def tokenizer_fingerprint(self) -> str:
        """Changes when the tokenizer does."""
        ...

    @property
    def vocabulary_size(self) -> int:
        """Number of next tokens."""
        ...

    @property
    def context_length(self) -> int | None:
        """Most tokens it reads, or None."""
        ...

    @property
    def state_width(self) -> int:
        """Numbers in one state."""
        ...

    @property
    def has_chat_template(self) -> bool:
        """Whether `chat` can be called."""
        ...

    @property
    def can_share_prefix(self) -> bool:
        """Whether a prefix computed once serves several rows, checked at load."""
        ...

    @property
    def precision(self) -> str:
        """Number format of the weights."""
        ...

    def fast(self) -> "LanguageModel | None":
        """A twin of lower precision; None where it would not be faster."""
        ...

    def chat(self, messages: list[dict[str, str]]) -> str:
        """Messages through the model's own chat template, ready for the reply."""
        ...

    def token_text(self, ids: Sequence[int]) -> list[str]:
        """Each id as readable text."""
        ...

    @property
    def end_ids(self) -> tuple[int, ...]:
        """Tokens that end a text."""
        ...

    def detokenize(self, ids: Sequence[int]) -> str:
        """Ids as one text; replacement marks where a character is not complete."""
        ...

    def decoder(self, prefixes: Sequence[IntArray]) -> Decoder:
        """Several texts to be written side by side, each after its own prefix."""
        ...

    def states(self, batch: Batch, tap: Tap | None = None) -> "list[torch.Tensor]":
        """One tensor (keep, width) per row: states of its last `keep` positions.

        A model whose inside cannot be seen leaves `tap` alone.
        """
        ...

    def logits(self, states: "torch.Tensor", out: "torch.Tensor | None" = None) -> "torch.Tensor":
        """Unnormalised log-probabilities (rows, vocab) of the next token.

        `out` is a buffer that may be written to; the result need not be in it.
        """
        ...

    def generate(
        self, prompt_ids: IntArray, max_tokens: int, sampling: Sampling, rng: "np.random.Generator"
    ) -> IntArray:
        """Draw a response to `prompt_ids`, its end token not included."""
        ...
