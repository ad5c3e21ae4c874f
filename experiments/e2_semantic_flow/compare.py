"""Looping texts against ordinary ones: AUROC per token, at the same place, before the onset.

Texts of one prompt are alike, so replicates draw prompts, not texts or tokens.
"""

from dataclasses import dataclass

import numpy as np
from ragtruth.metrics import Marked, auroc

from e2_semantic_flow.detectors import WINDOWS, Form
from e2_semantic_flow.labels import Loop
from e2_semantic_flow.written import Written
from flowgauge.records import FloatArray

#: Ordinary text is compared at the same place, give or take so many tokens.
PLACE = 16
#: An AUROC at a distance from the onset stands on so many looping texts, at least.
LEAST_ONSETS = 5
#: The first tokens, where the longest window is not full, count in no AUROC.
FIRST = max(WINDOWS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Half:
    """Texts of one half of the prompts.

    Attributes:
        looping: Texts that loop.
        ordinary: Texts that repeat nothing, against which false alarms are counted.
    """

    looping: tuple[tuple[Written, Loop], ...]
    ordinary: tuple[Written, ...]

    @property
    def prompts(self) -> list[int]:
        """Indices of the prompts, each once, in order."""
        return sorted({t.prompt for t, _ in self.looping} | {t.prompt for t in self.ordinary})

    @property
    def tokens(self) -> int:
        """Tokens of the ordinary texts."""
        return sum(len(t.ids) for t in self.ordinary)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """A half with one score of each text."""

    half: Half
    looping: tuple[FloatArray, ...]
    ordinary: tuple[FloatArray, ...]


def scored(half: Half, form: Form) -> Scored:
    """Scores of all texts of a half."""
    return Scored(
        half=half,
        looping=tuple(form.score(t) for t, _ in half.looping),
        ordinary=tuple(form.score(t) for t in half.ordinary),
    )


def turned(s: Scored) -> Scored:
    """The same scores with the other sign; what has no score stays at −inf."""

    def turn(x: FloatArray) -> FloatArray:
        return np.where(np.isneginf(x), x, -x)

    return Scored(
        half=s.half,
        looping=tuple(turn(x) for x in s.looping),
        ordinary=tuple(turn(x) for x in s.ordinary),
    )


def token_auroc(s: Scored, draws: FloatArray) -> FloatArray:
    """(replicate,) tokens from the onset on against ordinary tokens, the first FIRST left out."""
    place = {p: n for n, p in enumerate(s.half.prompts)}
    parts = [
        (x[max(loop.onset, FIRST) :], True, place[t.prompt])
        for x, (t, loop) in zip(s.looping, s.half.looping, strict=True)
    ]
    parts += [
        (x[FIRST:], False, place[t.prompt])
        for x, t in zip(s.ordinary, s.half.ordinary, strict=True)
    ]
    values = np.concatenate([x for x, _, _ in parts])
    marked = Marked(
        positive=np.concatenate([np.full(len(x), y) for x, y, _ in parts]),
        source=np.concatenate([np.full(len(x), p) for x, _, p in parts]),
        n_sources=len(place),
    )
    return auroc(-values, marked, draws)  # there, low scores are the positives


def place_auroc(s: Scored, draws: FloatArray) -> FloatArray:
    """(replicate,) tokens from the onset on against ordinary tokens of the very same position.

    Old text differs from young text, loop or not; here that is no clue. Each pair of texts counts
    once, however many positions it shares.
    """
    wins, valid = (np.zeros((len(s.looping), len(s.ordinary))) for _ in range(2))
    for n, (x, (_, loop)) in enumerate(zip(s.looping, s.half.looping, strict=True)):
        first = max(loop.onset, FIRST)
        for m, other in enumerate(s.ordinary):
            shared = slice(first, min(len(x), len(other)))
            mine, theirs = x[shared], other[shared]
            if len(mine):
                valid[n, m] = 1.0
                wins[n, m] = np.mean((mine > theirs) + 0.5 * (mine == theirs))
    return mean_of_pairs(wins, valid * same_kind(s.half), *weights_of(s.half, draws))


def _at(s: Scored, which: int, horizon: int) -> float | None:
    """Score of a looping text so many tokens before its onset; None where none is defined."""
    position = s.half.looping[which][1].onset - horizon
    return float(s.looping[which][position]) if position >= FIRST - 1 else None


def horizon_auroc(s: Scored, horizon: int, draws: FloatArray) -> FloatArray:
    """(replicate,) scores before an onset against ordinary scores at the same place in the text.

    nan with fewer than LEAST_ONSETS onsets that are late enough.
    """
    loops = [(i, v) for i in range(len(s.looping)) if (v := _at(s, i, horizon)) is not None]
    if len(loops) < LEAST_ONSETS:
        return np.full(len(draws), np.nan)
    wins, valid = np.zeros((len(loops), len(s.ordinary))), np.zeros((len(loops), len(s.ordinary)))
    for n, (i, value) in enumerate(loops):
        centre = s.half.looping[i][1].onset - horizon
        for m, x in enumerate(s.ordinary):
            there = x[max(centre - PLACE, FIRST - 1) : centre + PLACE + 1]
            valid[n, m] = len(there) > 0
            if len(there):
                wins[n, m] = np.mean((value > there) + 0.5 * (value == there))
    of_loop, of_text = weights_of(s.half, draws)
    some = [i for i, _ in loops]
    return mean_of_pairs(wins, valid * same_kind(s.half)[some], of_loop[:, some], of_text)


def same_kind(half: Half) -> FloatArray:
    """(looping, ordinary) 1 where both prompts are of one kind: the source changes the drift."""
    kinds = np.array([t.kind for t in half.ordinary])
    return np.array([kinds == t.kind for t, _ in half.looping], dtype=float)


def onsets_at(half: Half, horizon: int) -> int:
    """How many onsets have a score so many tokens before them."""
    return sum(loop.onset - horizon >= FIRST - 1 for _, loop in half.looping)


def weights_of(half: Half, draws: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(replicate, looping) and (replicate, ordinary): how often each text is drawn."""
    place = {p: n for n, p in enumerate(half.prompts)}
    return (
        draws[:, [place[t.prompt] for t, _ in half.looping]],
        draws[:, [place[t.prompt] for t in half.ordinary]],
    )


def mean_of_pairs(
    values: FloatArray, valid: FloatArray, of_loop: FloatArray, of_text: FloatArray
) -> FloatArray:
    """(replicate,) mean over looping texts of the mean over ordinary texts that can be compared."""
    above, below = of_text @ (values * valid).T, of_text @ valid.T
    each = np.divide(above, below, out=np.zeros_like(above), where=below > 0)
    some = of_loop * (below > 0)
    total = some.sum(1)
    return np.divide((some * each).sum(1), total, out=np.full(len(total), np.nan), where=total > 0)
