"""From scores to alarms: a crossing of a threshold; thresholds at equal false-alarm rates."""

from collections.abc import Sequence

import numpy as np

from flowgauge.records import FloatArray, IntArray


def crossings(scores: FloatArray, threshold: float) -> IntArray:
    """Tokens at which the score reaches the threshold and did not at the token before.

    Example:
        >>> crossings(np.array([0.0, 2.0, 3.0, 0.0, 2.0]), 2.0).tolist()
        [1, 4]
    """
    above = scores >= threshold
    before = np.concatenate(([False], above[:-1]))
    return np.flatnonzero(above & ~before)


def rate(texts: Sequence[FloatArray], threshold: float) -> float:
    """Crossings per 1,000 tokens."""
    tokens = sum(map(len, texts))
    return 1000 * sum(len(crossings(s, threshold)) for s in texts) / tokens


def threshold_at(texts: Sequence[FloatArray], per_1000: float) -> float:
    """The lowest threshold from which on upwards none has more crossings than the rate allows.

    The number of crossings need not grow as a threshold falls (alarms that last merge), so the
    first value from above that breaks the rate is the limit; the threshold lies just above it.

    Args:
        texts: (time,) scores of texts that do not loop.
        per_1000: False alarms per 1,000 tokens.

    Example:
        >>> found = threshold_at([np.array([0.0, 3.0, 1.0, 2.0] + [0.0] * 996)], 1.0)
        >>> found > 2.0, round(found, 9)
        (True, 2.0)
    """
    allowed = per_1000 * sum(map(len, texts)) / 1000
    before = np.concatenate([np.concatenate(([-np.inf], s[:-1])) for s in texts])
    after = np.concatenate(list(texts))
    rises = after > before
    low, high = np.sort(before[rises]), np.sort(after[rises])
    # A rise from a to b crosses every threshold in (a, b].
    steps = np.unique(high)[::-1]
    count = np.searchsorted(low, steps, "left") - np.searchsorted(high, steps, "left")
    broken = np.flatnonzero(count > allowed)
    return float(np.nextafter(steps[broken[0]], np.inf) if len(broken) else steps[-1])
