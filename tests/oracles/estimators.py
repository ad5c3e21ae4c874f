"""Slow, obvious versions for the estimators: loops over pairs, sums over tables."""

import math

import numpy as np


def table_information(joint):
    """I of a joint table, by its definition."""
    total = 0.0
    for i, row in enumerate(joint):
        for j, p in enumerate(row):
            if p > 0:
                total += p * math.log(p / (joint[i].sum() * joint[:, j].sum()))
    return total


def pairs_with_composition(counts):
    """Rows (i, j) that hold each cell of a table exactly `counts[i, j]` times."""
    return np.array(
        [(i, j) for i, row in enumerate(counts) for j, c in enumerate(row) for _ in range(c)]
    )


def ksg_by_loops(x, y, k):
    """Kraskov et al. (2004), Eq. 8, by all pairwise distances."""
    n = len(x)
    d_x = [[max(abs(a - b) for a, b in zip(p, q, strict=True)) for q in x] for p in x]
    d_y = [[max(abs(a - b) for a, b in zip(p, q, strict=True)) for q in y] for p in y]
    total = 0.0
    for i in range(n):
        radius = sorted(max(d_x[i][j], d_y[i][j]) for j in range(n) if j != i)[k - 1]
        near_x = sum(d_x[i][j] < radius for j in range(n) if j != i)
        near_y = sum(d_y[i][j] < radius for j in range(n) if j != i)
        total += harmonic(near_x) + harmonic(near_y)
    # ψ(m + 1) = H_m − γ: the constants cancel
    return harmonic(k - 1) + harmonic(n - 1) - total / n


def harmonic(m):
    """1 + ½ + … + 1/m."""
    return sum(1.0 / i for i in range(1, m + 1))
