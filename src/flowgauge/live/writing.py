"""Texts at work under two laws: one pass a step for all of them, two rows of the batch each.

    laws of every text → its own draw → columns → step → monitors → next pass for those that go on

A text that has ended leaves the batch. Each text has its own random numbers, so what it says does
not depend on its neighbours beyond the rounding of a batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from flowgauge.live.columns import LiveColumns, draw
from flowgauge.live.event import Event
from flowgauge.live.monitor import Monitor
from flowgauge.live.sampling_law import SamplingLaw, Transform
from flowgauge.live.step import Step
from flowgauge.live.watched import END_TOKEN as END_TOKEN
from flowgauge.live.watched import MOST_TOKENS, WatchedText
from flowgauge.models.protocol import LanguageModel
from flowgauge.records import Author, Record, Sampling, Tokens, TokenScores
from flowgauge.scores import ModelLaw
from flowgauge.text import Composition

if TYPE_CHECKING:
    import torch

FULL_CONTEXT = "the context of the model is full"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """What a text goes on from: the record, its two prefixes as text and as tokens."""

    record: Record
    composition: Composition
    tokens: Tokens

    @property
    def is_without_source(self) -> bool:
        """Whether both laws read the same tokens, so that they are one."""
        return np.array_equal(self.tokens.prompt_ids, self.tokens.reference_ids)


@dataclass(frozen=True, slots=True, kw_only=True)
class Generated:
    """A text that was drawn from the prompted law, with everything measured on the way.

    Attributes:
        record: Prompt and response, author `Author.OBSERVER`, the sampling settings.
        composition: The two prefixes as text.
        tokens: Prefixes, response ids and their characters. An end token that was drawn is the
            last of them and has no characters: without it the sums would stop at no stopping time.
        scores: Columns of both laws [nats].
        steps: The same as steps.
        events: What the monitors said.
        stopped_by: Why it ended, in words.
        law: "sampling" or "model": which law the columns are of.
        seed: Of its random numbers.
    """

    record: Record
    composition: Composition
    tokens: Tokens
    scores: TokenScores
    steps: tuple[Step, ...]
    events: tuple[Event, ...]
    stopped_by: str
    law: str
    seed: int


class Text(WatchedText):
    """One text at work that flowgauge draws."""

    def __init__(
        self, prompt: Prompt, lm: LanguageModel, monitors: Sequence[Monitor], seed: int
    ) -> None:
        super().__init__(lm, monitors, prompt.tokens.prompt_ids[-1:].tolist())
        self.prompt, self.seed = prompt, seed
        self.rng = np.random.default_rng(seed)

    def result(self, sampling: Sampling, law: str) -> Generated:
        """The text as it stands."""
        pieces = self.pieces.ended()
        text, offsets = pieces.text, pieces.offsets
        more = len(self.ids) - len(offsets)  # an end token
        ends = np.full((more, 2), len(text), dtype=np.int64)
        record = replace(
            self.prompt.record, response=text, author=Author.OBSERVER, sampling=sampling
        )
        return Generated(
            record=record,
            composition=self.prompt.composition,
            tokens=replace(
                self.prompt.tokens,
                response_ids=np.array(self.ids, dtype=np.int64),
                offsets=np.concatenate((offsets, ends)),
            ),
            scores=self.scores,
            steps=tuple(self.steps),
            events=tuple(self.events),
            stopped_by=self.stopped_by or "it was stopped from outside",
            law=law,
            seed=self.seed,
        )


class Writing:
    """Some texts at work, advanced one token at a time.

    Args:
        texts: Not empty.
        lm: The model.
        sampling: How tokens are drawn.
        law: Which laws the columns are of.
        max_tokens: Most tokens of each text.
    """

    def __init__(
        self,
        texts: Sequence[Text],
        lm: LanguageModel,
        sampling: Sampling,
        law: SamplingLaw | ModelLaw,
        max_tokens: int,
    ) -> None:
        self.texts = list(texts)
        self._lm, self._sampling, self._law, self._most = lm, sampling, law, max_tokens
        self._transform, self._columns = Transform(sampling), LiveColumns()
        self._buffer: torch.Tensor | None = None
        prefixes = [t.prompt.tokens for t in texts]
        self._decoder = lm.decoder(
            [*(p.prompt_ids for p in prefixes), *(p.reference_ids for p in prefixes)]
        )
        self._written: list[int] | None = None

    def advance(self) -> list[Step]:
        """One more token of each text at work, in the order of `texts`; those that ended leave."""
        self._move()
        n = len(self.texts)
        both = self._logits()
        p, q = both[:n], both[n:]
        drawn_from = self._transform(p, [self._so_far(t) for t in self.texts])
        if isinstance(self._law, SamplingLaw):
            p, q = drawn_from, self._law.reference(q, self._sampling)
        ids = np.array([draw(x, t.rng) for x, t in zip(drawn_from, self.texts, strict=True)])
        columns = self._columns.reduce(p, q, ids)
        self._written = ids.tolist()
        for i, (text, token) in enumerate(zip(self.texts, self._written, strict=True)):
            text.add(token, columns, i, end_ids=self._lm.end_ids, limit=self._limit(text))
        return [t.steps[-1] for t in self.texts]

    def _move(self) -> None:
        """Give the tokens drawn last to the model, without the texts that have ended."""
        if self._written is None:
            return
        going = [i for i, t in enumerate(self.texts) if not t.stopped_by]
        if len(going) < len(self.texts):
            n = len(self.texts)
            self.texts = [self.texts[i] for i in going]
            self._decoder.keep([*going, *(n + i for i in going)])
        ids = [self._written[i] for i in going]
        self._decoder.step(np.array([*ids, *ids], dtype=np.int64))

    def _logits(self) -> "torch.Tensor":
        import torch

        states = self._decoder.states
        if self._buffer is None or len(self._buffer) != len(states):
            # The size of two rows over the vocabulary is reused, not asked for at every token.
            self._buffer = states.new_empty(len(states), self._lm.vocabulary_size)
        both = self._lm.logits(states, self._buffer)
        n = len(self.texts)
        with torch.inference_mode():
            for i, text in enumerate(self.texts):
                # Two rows of a batch may differ in their last bits; without a source nothing may.
                if text.prompt.is_without_source:
                    both[n + i] = both[i]
        return both

    def _so_far(self, text: Text) -> Any:
        if not self._transform.reads_text:
            return text.prompt.tokens.prompt_ids
        return np.concatenate((text.prompt.tokens.prompt_ids, np.array(text.ids, dtype=np.int64)))

    def _limit(self, text: Text) -> str:
        """Why the token to come is the last of a text; "" where one may follow it."""
        most, words = self._most, MOST_TOKENS
        if self._lm.context_length is not None:
            tokens = text.prompt.tokens
            used = max(len(tokens.prompt_ids), len(tokens.reference_ids))
            if self._lm.context_length - used < most:
                most, words = self._lm.context_length - used, FULL_CONTEXT
        return words if len(text.ids) + 1 >= most else ""

    @property
    def is_over(self) -> bool:
        """Whether every text has ended."""
        return all(t.stopped_by for t in self.texts)
