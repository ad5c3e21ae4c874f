"""How many nearest neighbours survive a change of representation: recall@k kept.

Section 7 of the theory, dimension planning: what retrieval notices of a projection, quantisation
or another model. Neighbours are scikit-learn's, loaded on demand.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from flowgauge.errors import SettingsError
from flowgauge.geometry.inputs import check_paired
from flowgauge.math.validate import is_count
from flowgauge.records import FloatArray, IntArray


@dataclass(frozen=True, slots=True, kw_only=True)
class NeighbourOverlap:
    """Share of nearest neighbours two representations have in common.

    Attributes:
        value: Mean over points of |N_x ∩ N_y| / k, in [0, 1].
        standard_error: Over points, as if they were independent.
        chance: What unrelated representations share, k/(n − 1).
        per_point: (point,) each point's share.
        neighbours: k.
    """

    value: float
    standard_error: float
    chance: float
    per_point: FloatArray
    neighbours: int


def neighbour_overlap(x: npt.ArrayLike, y: npt.ArrayLike, k: int = 10) -> NeighbourOverlap:
    """Recall@k of y against x: share of each point's k nearest that stay so [share].

    Euclidean neighbours, the point itself left out; for cosine neighbours pass unit vectors. It is
    symmetric in x and y, and *not* a measure of geometry at large: clouds may share all near
    neighbours and differ in every long distance. Ties are broken by the search, so points that
    coincide may lower it.

    Args:
        x: (n, dimension) points.
        y: (n, dimension) the same things elsewhere, in any number of dimensions.
        k: Neighbours, between 1 and n − 1.

    Returns:
        ``NeighbourOverlap``.

    Raises:
        ShapeError: Not as many points in both; shows the numbers.
        SettingsError: k outside 1 … n − 1; shows it.
        InputError: A coordinate is not finite; shows where.

    References:
        [manning:08] chapter 8 for recall; [radovanovic:10] for what hubs do to it.

    Example:
        >>> cloud = np.random.default_rng(0).standard_normal((100, 8))
        >>> neighbour_overlap(cloud, 3 * cloud[:, ::-1]).value
        1.0
    """
    first, second = check_paired(x, y)
    if not is_count(k) or k >= len(first):
        raise SettingsError(
            f"{k = } neighbours of {len(first)} points: 1 ≤ k < {len(first)} is needed"
        )
    left, right = _neighbours(first, k), _neighbours(second, k)
    n = len(left)
    # one number per (point, neighbour), so that common ones are found by sorting once
    tags = np.arange(n)[:, None] * n
    common = np.isin(left + tags, right + tags).mean(axis=1)
    return NeighbourOverlap(
        value=float(common.mean()),
        standard_error=float(common.std(ddof=1) / np.sqrt(n)),
        chance=k / (n - 1),
        per_point=common,
        neighbours=k,
    )


def _neighbours(points: FloatArray, k: int) -> IntArray:
    """Indices of the k nearest other points: (point, k)."""
    from sklearn.neighbors import NearestNeighbors

    found = NearestNeighbors(n_neighbors=k).fit(points).kneighbors(return_distance=False)
    return np.asarray(found, dtype=np.int64)
