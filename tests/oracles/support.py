"""Slow, obvious answers for flowgauge.support: every ordering, exact fractions, min-max means."""

from fractions import Fraction
from itertools import combinations
from math import comb

import numpy as np


def miss_long_run(k, n, alpha):
    """P(share above the (k+1)-th highest of n > α) = P(Binomial(n, α) ≤ k), as a fraction."""
    a = Fraction(str(alpha))
    return sum(comb(n, i) * a**i * (1 - a) ** (n - i) for i in range(k + 1))


def miss_next(k, n, m, most):
    """P(more than `most` of m lie above the (k+1)-th highest of n): beta-binomial, a fraction.

    x of the m lie above where k + x of all do, in any order, and then the rank itself.
    """
    return sum(
        Fraction(comb(k + x, k) * comb(n - k - 1 + m - x, m - x), comb(n + m, m))
        for x in range(most + 1, m + 1)
    )


def largest_rank(n, alpha, confidence, future):
    """The largest good k by trying every one, and its miss; None if there is none."""
    found = None
    for k in range(n):
        if future is None:
            miss = miss_long_run(k, n, alpha)
        else:
            miss = miss_next(k, n, future, int(Fraction(str(alpha)) * future))
        if miss <= 1 - Fraction(str(confidence)):
            found = k, miss
    return found


def kept_over_orderings(values, n, alpha, threshold):
    """Share of the ways to draw n of the values to calibrate on that keep the guarantee.

    `threshold(calibration)` is the rule; it is kept if at most a share alpha of the rest reaches
    the threshold.
    """
    total = kept = 0
    for drawn in combinations(range(len(values)), n):
        rest = np.delete(values, drawn)
        passing = int(np.sum(rest >= threshold(values[list(drawn)])))
        kept += Fraction(passing, len(rest)) <= Fraction(str(alpha))
        total += 1
    return Fraction(kept, total)


def kept_over_splits(support, supported, splits, rng, threshold):
    """(kept, held) of each random half: was the share in the other half kept, and the promise.

    `threshold(calibration, future)` gives what `conformal_threshold` gives for the unsupported
    responses of one half; `future` is how many the other half holds.
    """
    out = []
    for _ in range(splits):
        order = rng.permutation(len(support))
        half = order[: len(order) // 2], order[len(order) // 2 :]
        own, other = (support[h][~supported[h]] for h in half)
        found = threshold(own, len(other))
        share = Fraction(int(np.sum(other >= found.threshold)), len(other))
        out.append((share <= Fraction(str(found.alpha)), found.confidence_held))
    return np.array(out)


def isotonic(x, y):
    """Isotonic means at each distinct x: max over starts of min over ends of the mean between."""
    xs = np.unique(x)
    sums = np.array([y[x == v].sum() for v in xs], dtype=float)
    counts = np.array([(x == v).sum() for v in xs])
    fitted = [
        max(
            min(sums[a : b + 1].sum() / counts[a : b + 1].sum() for b in range(i, len(xs)))
            for a in range(i + 1)
        )
        for i in range(len(xs))
    ]
    return xs, np.array(fitted)
