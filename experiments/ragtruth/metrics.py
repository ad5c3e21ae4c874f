"""How well a score finds unsupported text, with intervals by bootstrap over sources.

Responses to one source are alike, so sources are drawn, not responses. Everything a replicate needs
is a sum over drawn sources: pairs of sources for AUROC, counts by threshold for average precision,
counts for F1; so a thousand replicates of 75,000 tokens are three products of small matrices, exact
to rounding. `draws` has the sample itself as its first row. Scores: higher = better supported.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from flowgauge.records import FloatArray, IntArray

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    """Items (responses or tokens) with their truth and their source.

    Attributes:
        positive: (item,) whether people found it unsupported.
        source: (item,) index of its source.
        n_sources: How many sources there are.
    """

    positive: BoolArray
    source: IntArray
    n_sources: int

    def only(self, keep: BoolArray) -> "Marked":
        """Some of the items; the sources stay as they are."""
        return Marked(
            positive=self.positive[keep], source=self.source[keep], n_sources=self.n_sources
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A number with its 95 % interval; nan where it is not defined."""

    value: float
    low: float
    high: float

    def as_json(self) -> list[float | None]:
        """[value, low, high], null for nan."""
        return [None if np.isnan(x) else round(x, 6) for x in (self.value, self.low, self.high)]


def draw(n_sources: int, replicates: int, rng: np.random.Generator) -> FloatArray:
    """(1 + replicates, source) how often each source is drawn; the first row is the sample."""
    chosen = rng.integers(n_sources, size=(replicates, n_sources))
    rows = [np.ones(n_sources)]
    rows += [np.bincount(row, minlength=n_sources).astype(float) for row in chosen]
    return np.array(rows)


def estimate(values: FloatArray) -> Estimate:
    """First value with the 2.5 % and 97.5 % quantiles of the rest, undefined replicates aside."""
    rest = values[1:][~np.isnan(values[1:])]
    if np.isnan(values[0]) or not len(rest):
        return Estimate(value=float(values[0]), low=np.nan, high=np.nan)
    low, high = np.quantile(rest, [0.025, 0.975])
    return Estimate(value=float(values[0]), low=float(low), high=float(high))


def _ratio(above: FloatArray, below: FloatArray) -> FloatArray:
    """above / below, nan where below is 0."""
    return np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 0)


def _count(source: IntArray, n_sources: int) -> FloatArray:
    return np.bincount(source, minlength=n_sources).astype(float)


def auroc(scores: FloatArray, marked: Marked, draws: FloatArray) -> FloatArray:
    """(replicate,) share of (unsupported, supported) pairs in the right order; ties count half."""
    scores, n = _checked(scores, marked), marked.n_sources
    bad, bad_source = scores[marked.positive], marked.source[marked.positive]
    good, good_source = scores[~marked.positive], marked.source[~marked.positive]
    order = np.argsort(good_source, kind="stable")
    good, good_source = good[order], good_source[order]
    starts = np.searchsorted(good_source, np.arange(n + 1))
    pairs = np.zeros((n, n))  # of an unsupported item of source s and a supported one of source t
    for t in range(n):
        theirs = np.sort(good[starts[t] : starts[t + 1]])
        if len(theirs):
            at_most = np.searchsorted(theirs, bad, "left") + np.searchsorted(theirs, bad, "right")
            right = len(theirs) - at_most / 2
            pairs[:, t] = np.bincount(bad_source, weights=right, minlength=n)
    hits = ((draws @ pairs) * draws).sum(1)
    return _ratio(hits, (draws @ _count(bad_source, n)) * (draws @ _count(good_source, n)))


def average_precision(scores: FloatArray, marked: Marked, draws: FloatArray) -> FloatArray:
    """(replicate,) Σ (recall step) · precision, from the least supported upwards.

    Only thresholds at which an unsupported item stands add to the sum.
    """
    scores, n = _checked(scores, marked), marked.n_sources
    steps = np.unique(scores[marked.positive])
    if not len(steps):
        return np.full(len(draws), np.nan)
    place = np.searchsorted(steps, scores, "left")  # the first threshold that reaches each item
    reached = place < len(steps)

    def below(keep: BoolArray) -> FloatArray:
        cells = marked.source[keep] * len(steps) + place[keep]
        table = np.bincount(cells, minlength=n * len(steps)).reshape(n, len(steps))
        return table.cumsum(1).astype(float)

    all_below, bad_below = below(reached), below(marked.positive)
    out = np.empty(len(draws))
    for first in range(0, len(draws), 100):  # few at a time: (replicate, threshold) is large
        some = draws[first : first + 100]
        hits, seen = some @ bad_below, some @ all_below
        gained = np.diff(hits, axis=1, prepend=0.0)
        area = (gained * hits / np.maximum(seen, 1.0)).sum(1)
        out[first : first + 100] = _ratio(area, hits[:, -1])
    return out


def best_threshold(scores: FloatArray, positive: BoolArray) -> float:
    """The score at or below which calling items unsupported has the best F1; nan without any."""
    steps = np.unique(scores)
    called = np.searchsorted(np.sort(scores), steps, "right")
    hits = np.searchsorted(np.sort(scores[positive]), steps, "right")
    if not positive.any():
        return float("nan")
    return float(steps[np.argmax(2 * hits / (called + positive.sum()))])


def f1(scores: FloatArray, marked: Marked, draws: FloatArray, threshold: float) -> FloatArray:
    """(replicate,) F1 of calling items unsupported whose score is at most the threshold."""
    called, n = _checked(scores, marked) <= threshold, marked.n_sources
    hits = draws @ _count(marked.source[called & marked.positive], n)
    rest = draws @ _count(marked.source[called], n)
    return _ratio(2 * hits, rest + draws @ _count(marked.source[marked.positive], n))


def _checked(scores: FloatArray, marked: Marked) -> FloatArray:
    scores = np.asarray(scores, dtype=np.float64)
    if scores.shape != marked.positive.shape or np.isnan(scores).any():
        raise ValueError(
            f"scores of shape {scores.shape} with {int(np.isnan(scores).sum())} nan came for "
            f"{len(marked.positive)} items; one number for each item is needed"
        )
    return scores
