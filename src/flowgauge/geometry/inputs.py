"""Checks of what comes in: dissimilarity matrices, weights and point clouds; the way to POT.

From section 7 of the theory. Every check returns a float64 array or raises an error that shows
the numbers which came, what was needed and what to do. Heavy libraries are imported on demand.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from flowgauge.errors import DistributionError, InputError, MissingDependencyError, ShapeError
from flowgauge.math.validate import as_floats
from flowgauge.records import FloatArray

#: Weights further from one than this are an error; nearer ones are rescaled (float32 rounding).
SUM_TOLERANCE = 1e-6

#: Dissimilarities whose squares, summed over all quadruples, stay finite.
LARGEST = 1e150

#: A function from points (point, dimension) to their dissimilarities (point, point).
Distances = Callable[[FloatArray], FloatArray]


def check_dissimilarity(c: npt.ArrayLike, name: str) -> FloatArray:
    """A finite square matrix as float64; it need be neither symmetric nor a metric."""
    matrix = as_floats(c, name)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or matrix.shape[0] == 0:
        raise ShapeError(
            f"{name} has shape {matrix.shape}; a square matrix of dissimilarities (point, point) "
            "is needed: for points use euclidean_distances(points)"
        )
    _check_finite(matrix, name)
    if np.abs(matrix).max() > LARGEST:
        raise InputError(
            f"{name} holds a dissimilarity of size {np.abs(matrix).max():.3g}, whose square "
            f"overflows: at most {LARGEST:g} is possible; change the unit"
        )
    return matrix


def check_weights(weights: npt.ArrayLike | None, size: int, name: str) -> FloatArray:
    """Probabilities of the points; None means equal ones."""
    if weights is None:
        return np.full(size, 1.0 / size)
    p = as_floats(weights, name)
    if p.shape != (size,):
        raise ShapeError(f"{name} has shape {p.shape}, ({size},) was needed: one weight per point")
    if not np.all(np.isfinite(p)) or np.any(p < 0):
        bad = int(np.flatnonzero(~(p >= 0) | ~np.isfinite(p))[0])
        raise DistributionError(
            f"{name}[{bad}] = {p[bad]} is no probability; weights must be finite and at least 0"
        )
    total = float(p.sum())
    if abs(total - 1.0) > SUM_TOLERANCE:
        raise DistributionError(
            f"{name} sums to {total:.9g}, 1 within {SUM_TOLERANCE} was needed: divide by the sum"
        )
    return p / total


def check_points(x: npt.ArrayLike, name: str, *, at_least: int = 2) -> FloatArray:
    """A finite matrix (point, dimension) as float64 with at least so many points."""
    points = as_floats(x, name)
    if points.ndim != 2 or points.shape[1] == 0:
        raise ShapeError(f"{name} has shape {points.shape}, (point, dimension) was needed")
    if len(points) < at_least:
        raise ShapeError(f"{name} has {len(points)} points, at least {at_least} are needed")
    return _check_finite(points, name)


def check_paired(x: npt.ArrayLike, y: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Two point clouds whose rows are the same things."""
    first, second = check_points(x, "x"), check_points(y, "y")
    if len(first) != len(second):
        raise ShapeError(
            f"x has {len(first)} points and y has {len(second)}: row i of both must be the same "
            "thing, so as many rows are needed"
        )
    return first, second


def is_uniform(p: FloatArray) -> bool:
    """Whether all weights are equal up to rounding."""
    return bool(np.ptp(p) <= 1e-12 * float(p.max()))


def euclidean_distances(points: npt.ArrayLike) -> FloatArray:
    """Euclidean distances between all points, from differences [unit of x].

    Not for vectors whose length means nothing: scale embeddings to unit length first.

    Args:
        points: (point, dimension) finite coordinates.

    Returns:
        (point, point) distances, 0 on the diagonal.

    Raises:
        ShapeError: Not a matrix, or no point.
        InputError: A coordinate is not finite; shows where.

    Example:
        >>> float(euclidean_distances(np.array([[0.0, 0.0], [3.0, 4.0]]))[0, 1])
        5.0
    """
    from scipy.spatial.distance import pdist, squareform

    cloud = check_points(points, "points", at_least=1)
    distances = np.asarray(squareform(pdist(cloud)), dtype=np.float64)
    if not np.isfinite(distances).all():
        raise InputError(
            f"coordinates up to {np.abs(cloud).max():.3g} make distances overflow: change the unit"
        )
    return distances.reshape(len(cloud), len(cloud))


def load_pot() -> ModuleType:
    """The POT library (module `ot`), or an error that says how to get it."""
    try:
        import ot
    except ImportError as error:
        raise MissingDependencyError(
            "POT (module ot) is not installed and solves the optimal transport here: "
            "pip install 'flowgauge[geometry]'"
        ) from error
    module: Any = ot
    return module  # type: ignore[no-any-return, unused-ignore]


def _check_finite(array: FloatArray, name: str) -> FloatArray:
    bad = np.argwhere(~np.isfinite(array))
    if len(bad):
        where = tuple(int(k) for k in bad[0])
        raise InputError(
            f"{name}[{', '.join(map(str, where))}] = {array[where]}; finite numbers are needed "
            f"({len(bad)} of {array.size} are not): remove or repair these points"
        )
    return array
