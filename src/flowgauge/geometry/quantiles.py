"""Optimal transport on the line: squared Wasserstein distances between weighted values.

On the line the optimal coupling is the monotone one, so W₂² is the squared distance between the
two quantile functions (section 7 of the theory; [villani:03] theorem 2.18). FLB and SLB need it
once, TLB between every row of one matrix and every row of the other. Imports numpy alone.
"""

import numpy as np

from flowgauge.records import FloatArray, IntArray

#: Rows cut into cells together: bounds the memory to some 256 · (values + cells) numbers.
ROWS_AT_ONCE = 256


def sort_weighted(values: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Rows of values sorted, and the cumulative weights in that order; both (row, value)."""
    order = np.argsort(values, axis=-1, kind="stable")
    cumulative = np.cumsum(weights[order], axis=1)
    cumulative[:, -1] = 1.0  # rounding in the sum must not leave a strip without a value
    return np.take_along_axis(values, order, axis=-1), np.minimum(cumulative, 1.0)


def merge_levels(first: FloatArray, second: FloatArray) -> tuple[FloatArray, IntArray, IntArray]:
    """Common refinement of one staircase with each of several: widths and indices (row, strip).

    Args:
        first: (n,) cumulative weights of one law, ending in 1.
        second: (row, m) those of several others.

    Returns:
        Widths of the n + m strips of [0, 1], and for each strip the index into both laws.
    """
    levels = np.concatenate([np.broadcast_to(first, (len(second), len(first))), second], axis=1)
    levels.sort(axis=1)
    widths = np.diff(levels, axis=1, prepend=0.0)
    of_first = np.searchsorted(first, levels - widths / 2)
    # strips before this one end at levels of either law; those not of the first are of the second
    of_second = np.arange(levels.shape[1]) - of_first
    return (
        widths,
        np.minimum(of_first, len(first) - 1),
        np.clip(of_second, 0, second.shape[1] - 1),
    )


def squared_wasserstein(u: FloatArray, v: FloatArray, p: FloatArray, q: FloatArray) -> float:
    """W₂² between values u with weights p and values v with weights q [unit of u, squared].

    Example:
        >>> half = np.array([0.5, 0.5])
        >>> squared_wasserstein(np.array([0.0, 2.0]), np.array([3.0, 1.0]), half, half)
        1.0
    """
    left, left_levels = sort_weighted(u[None, :], p)
    right, right_levels = sort_weighted(v[None, :], q)
    return float(_between(left[0], left_levels[0], right, right_levels)[0])


def squared_wasserstein_rows(
    a: FloatArray, b: FloatArray, p: FloatArray, q: FloatArray
) -> FloatArray:
    """W₂² between each row of a and each row of b, exactly, in O(rows² · values) [unit²].

    Args:
        a: (n, i) values.
        b: (m, j) values.
        p: (i,) weights of the values in every row of a.
        q: (j,) those in every row of b.

    Returns:
        (n, m) squared distances.
    """
    left, left_levels = sort_weighted(a, p)
    right, right_levels = sort_weighted(b, q)
    rows = [
        _between(row, levels, right, right_levels)
        for row, levels in zip(left, left_levels, strict=True)
    ]
    return np.stack(rows)


def cell_features(values: FloatArray, weights: FloatArray, cells: int) -> FloatArray:
    """Mean and spread of each row's quantile function in equal cells of [0, 1]: (row, 2 · cells).

    Squared distances between these rows never exceed W₂²: in one cell, by the triangle inequality
    in L₂, ∫(F − G)² ≥ (mean F − mean G)² + (spread F − spread G)². They equal it where both
    quantile functions are constant in every cell. Scaled by 1/√cells, so that no factor is left.
    """
    blocks = [values[i : i + ROWS_AT_ONCE] for i in range(0, len(values), ROWS_AT_ONCE)]
    parts = [_cells_of(block, weights, cells) for block in blocks]
    return np.concatenate(parts) / np.sqrt(cells)


def squared_distances(a: FloatArray, b: FloatArray) -> FloatArray:
    """Squared Euclidean distances between rows by one matrix product, never below 0: (n, m)."""
    shift = a.mean(axis=0)  # what all rows share would only cost digits
    left, right = a - shift, b - shift
    square = -2.0 * (left @ right.T)
    square += np.einsum("ij,ij->i", left, left)[:, None]
    square += np.einsum("ij,ij->i", right, right)
    return np.maximum(square, 0.0, out=square)


def _cells_of(values: FloatArray, weights: FloatArray, cells: int) -> FloatArray:
    """Means and spreads in cells, not yet scaled."""
    ordered, levels = sort_weighted(values, weights)
    edges = np.arange(1, cells + 1) / cells
    widths, cell, item = merge_levels(edges, levels)
    height = np.take_along_axis(ordered, item, axis=1)
    place = (cell + cells * np.arange(len(values))[:, None]).ravel()

    def total(strips: FloatArray) -> FloatArray:
        sums = np.bincount(place, strips.ravel(), minlength=len(values) * cells)
        return np.asarray(sums.reshape(len(values), cells), dtype=np.float64)

    mass = total(widths)
    mean = total(widths * height) / mass
    # about the mean, not from the mean of squares: no digits are lost where nothing varies
    away = height - np.take_along_axis(mean, cell, axis=1)
    return np.concatenate([mean, np.sqrt(total(widths * away**2) / mass)], axis=1)


def _between(
    left: FloatArray, left_levels: FloatArray, right: FloatArray, right_levels: FloatArray
) -> FloatArray:
    """W₂² between one sorted law and several: (row,)."""
    widths, i, j = merge_levels(left_levels, right_levels)
    difference = left[i] - np.take_along_axis(right, j, axis=1)
    return np.asarray(np.einsum("rk,rk->r", widths, difference**2), dtype=np.float64)
