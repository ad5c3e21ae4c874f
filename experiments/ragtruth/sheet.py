"""Labels and scores of one half of one set side by side: what the tables are made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from flowgauge.records import FloatArray, IntArray
from ragtruth.answers import Answer, on_tokens_of
from ragtruth.baselines import Score
from ragtruth.data import is_refusal
from ragtruth.metrics import BoolArray, Marked

Columns = Mapping[str, FloatArray]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """One half of one set, seen by one observer (or two, averaged).

    Attributes:
        answers: The responses.
        responses: Score name → (response,), higher = better supported.
        tokens: Score name → (token,), all responses one after another.
        sources: Distinct sources, sorted; `Marked.source` counts in this order.
    """

    answers: tuple[Answer, ...]
    responses: Columns
    tokens: Columns
    sources: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        object.__setattr__(self, "sources", tuple(sorted({a.source for a in self.answers})))

    def _source(self) -> IntArray:
        place = {s: i for i, s in enumerate(self.sources)}
        return np.array([place[a.source] for a in self.answers], dtype=np.int64)

    @property
    def lengths(self) -> IntArray:
        """(response,) tokens of each response."""
        return np.array([len(a.start) for a in self.answers], dtype=np.int64)

    def marked_responses(self, kind: str | None = None) -> Marked:
        """Responses; positive = unsupported, or has a span of that kind."""
        positive = [kind in a.kinds if kind else not a.supported for a in self.answers]
        return Marked(
            positive=np.array(positive, dtype=bool),
            source=self._source(),
            n_sources=len(self.sources),
        )

    def marked_tokens(self, kind: str | None = None) -> Marked:
        """Tokens; positive = overlaps a marked span, of that kind or any."""
        return Marked(
            positive=np.concatenate([a.in_span(kind) for a in self.answers]),
            source=np.repeat(self._source(), self.lengths),
            n_sources=len(self.sources),
        )

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of spans that occur."""
        return tuple(sorted(set().union(*(a.kinds for a in self.answers))))

    @property
    def generators(self) -> tuple[str, ...]:
        """Who wrote the responses."""
        return tuple(sorted({a.generator for a in self.answers}))

    def of_generator(self, name: str) -> BoolArray:
        """(response,) written by that model."""
        return np.array([a.generator == name for a in self.answers])

    @property
    def refusals(self) -> BoolArray:
        """(response,) says that the sources do not hold the answer."""
        return np.array([is_refusal(a.response) for a in self.answers])


def sheet(answers: Sequence[Answer], scores: Sequence[Score]) -> Sheet:
    """All scores of some responses."""
    responses, tokens = {}, {}
    for score in scores:
        if score.of_response:
            responses[score.name] = np.array([score.of_response(a) for a in answers])
        if score.of_tokens:
            tokens[score.name] = np.concatenate([score.of_tokens(a) for a in answers])
    return Sheet(answers=tuple(answers), responses=responses, tokens=tokens)


def with_responses(s: Sheet, more: Columns) -> Sheet:
    """The sheet with further response scores."""
    return replace(s, responses={**s.responses, **more})


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Mean and deviation of each score on the choosing half, to put two observers together."""

    responses: Mapping[str, tuple[float, float]]
    tokens: Mapping[str, tuple[float, float]]


def scale_of(choosing: Sheet) -> Scale:
    """The scale of a choosing half; a constant score gets the deviation 1."""

    def of(columns: Columns) -> dict[str, tuple[float, float]]:
        return {k: (float(v.mean()), float(v.std()) or 1.0) for k, v in columns.items()}

    return Scale(responses=of(choosing.responses), tokens=of(choosing.tokens))


def averaged(first: Sheet, second: Sheet, scale_1: Scale, scale_2: Scale) -> Sheet:
    """Mean of two observers' standardised scores, on the tokens of the first.

    Raises:
        ValueError: The two saw different responses.
    """
    if [a.id for a in first.answers] != [a.id for a in second.answers]:
        raise ValueError(
            f"{len(first.answers)} and {len(second.answers)} responses of two observers cannot be "
            "averaged; the same responses in the same order are needed"
        )

    def z(values: FloatArray, constants: tuple[float, float]) -> FloatArray:
        return (values - constants[0]) / constants[1]

    responses = {
        k: (z(v, scale_1.responses[k]) + z(second.responses[k], scale_2.responses[k])) / 2
        for k, v in first.responses.items()
        if k in second.responses
    }
    cuts = np.cumsum(second.lengths)[:-1]
    tokens = {}
    for k, v in first.tokens.items():
        if k in second.tokens:
            pieces = np.split(z(second.tokens[k], scale_2.tokens[k]), cuts)
            triples = zip(pieces, second.answers, first.answers, strict=True)
            there = np.concatenate([on_tokens_of(p, b, a) for p, b, a in triples])
            tokens[k] = (z(v, scale_1.tokens[k]) + there) / 2
    return Sheet(answers=first.answers, responses=responses, tokens=tokens)
