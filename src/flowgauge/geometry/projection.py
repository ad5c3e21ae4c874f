"""What a linear map to fewer dimensions does to all distances, measured.

Gaussian, sparse, principal-component and prefix (Matryoshka) maps to each number of dimensions
(section 7 of the theory, dimension planning). A map is any function `(points, dimensions, rng)` →
`(point, dimensions)`; those here are scikit-learn's, loaded on demand.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from flowgauge.errors import InputError, SettingsError
from flowgauge.geometry.inputs import check_points
from flowgauge.math.validate import is_count
from flowgauge.records import FloatArray, IntArray


class ProjectionMap(Protocol):
    """Maps points to fewer dimensions."""

    def __call__(self, x: FloatArray, dimensions: int, rng: np.random.Generator, /) -> FloatArray:
        """The points mapped: (point, dimensions)."""
        ...


def gaussian_map(x: FloatArray, dimensions: int, rng: np.random.Generator) -> FloatArray:
    """Independent Gaussian entries of variance 1/dimensions: keeps squared distances on average."""
    from sklearn.random_projection import GaussianRandomProjection

    x = _check_map(x, dimensions)
    model = GaussianRandomProjection(dimensions, random_state=_seed(rng))
    return np.asarray(model.fit_transform(x), dtype=np.float64)


def sparse_map(x: FloatArray, dimensions: int, rng: np.random.Generator) -> FloatArray:
    """Entries 0 and ±: a share 1/√(dimension of x) is not 0 ([li:06]); else as the Gaussian map."""
    from sklearn.random_projection import SparseRandomProjection

    x = _check_map(x, dimensions)
    model = SparseRandomProjection(dimensions, dense_output=True, random_state=_seed(rng))
    return np.asarray(model.fit_transform(x), dtype=np.float64)


def pca_map(x: FloatArray, dimensions: int, rng: np.random.Generator) -> FloatArray:
    """Principal components: of all orthogonal projections the one that loses least variance."""
    from sklearn.decomposition import PCA

    x = _check_map(x, dimensions, most_rows=True)
    model = PCA(dimensions, svd_solver="full")  # exact, so rng is not used
    return np.asarray(model.fit_transform(x), dtype=np.float64)


def prefix_map(x: FloatArray, dimensions: int, rng: np.random.Generator) -> FloatArray:
    """The first coordinates as they are: what Matryoshka embeddings are trained for."""
    return _check_map(x, dimensions)[:, :dimensions].copy()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectionDistortion:
    """Ratios of squared distances, after the map over before, at each number of dimensions.

    Attributes:
        dimensions: (dimensions,) sizes after the map.
        smallest, mean, largest: (dimensions,) over the pairs measured; 1 is no change.
        root_mean_square: (dimensions,) of ratio − 1.
        lost: (dimensions,) share of the sum of squared distances that is gone: for an orthogonal
            projection the share of variance; negative where distances grew.
        pairs: How many pairs were measured; pairs at distance 0 are left out.
        is_exhaustive: Whether these were all pairs.
    """

    dimensions: IntArray
    smallest: FloatArray
    mean: FloatArray
    largest: FloatArray
    root_mean_square: FloatArray
    lost: FloatArray
    pairs: int
    is_exhaustive: bool

    @property
    def epsilon(self) -> FloatArray:
        """Largest |ratio − 1| at each number of dimensions: the ε of Johnson and Lindenstrauss."""
        return np.maximum(np.abs(self.smallest - 1.0), np.abs(self.largest - 1.0))


def projection_distortion(
    x: npt.ArrayLike,
    dimensions: Sequence[int],
    map: ProjectionMap,
    *,
    rng: np.random.Generator,
    max_pairs: int = 200_000,
) -> ProjectionDistortion:
    """How squared distances change under a map to each number of dimensions [ratio].

    Measured on the cloud at hand, all pairs or a random part of them, one draw of a random map per
    number of dimensions. It is *not* a guarantee for other points, and the extremes of a part of
    the pairs are not those of all. Raw distances are compared: rescale unit vectors after a prefix
    yourself if that is how they will be used.

    Args:
        x: (point, dimension) the cloud.
        dimensions: Sizes to try, each between 1 and what the map allows.
        map: `gaussian_map`, `sparse_map`, `pca_map`, `prefix_map` or a function like these.
        rng: Randomness of map and pairs.
        max_pairs: Above so many pairs, so many random ones are measured.

    Returns:
        ``ProjectionDistortion``.

    Raises:
        SettingsError: No sizes, or one outside 1 … dimension of x (for `pca_map` also the number
            of points); shows it.
        InputError: All points coincide, or a coordinate is not finite, before or after the map.

    References:
        [dasgupta:03]; [achlioptas:03] and [li:06] sparse maps; [kusupati:22] prefixes.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> cloud = rng.standard_normal((100, 20)) * np.linspace(1.0, 0.1, 20)
        >>> by_pca = projection_distortion(cloud, [5, 20], pca_map, rng=rng)
        >>> [float(abs(lost).round(3)) for lost in by_pca.lost]
        [0.397, 0.0]
    """
    points = check_points(x, "x")
    sizes = _check_sizes(dimensions, points, map)
    start, end, is_exhaustive = _pairs(len(points), max_pairs, rng)
    before = _squares(points, start, end)
    kept = before > 0
    if not kept.any():
        raise InputError(
            f"all {len(before)} pairs measured are at distance 0: distinct points are needed"
        )
    start, end, before = start[kept], end[kept], before[kept]
    after = np.stack([_squares(map(points, m, rng), start, end) for m in sizes])
    if not np.isfinite(after).all():
        raise InputError(
            f"the map gave points whose squared distances lie in [{after.min()}, {after.max()}]: "
            "finite ones are needed"
        )
    ratio = after / before
    return ProjectionDistortion(
        dimensions=np.array(sizes, dtype=np.int64),
        smallest=ratio.min(axis=1),
        mean=ratio.mean(axis=1),
        largest=ratio.max(axis=1),
        root_mean_square=np.sqrt(np.mean((ratio - 1.0) ** 2, axis=1)),
        lost=1.0 - after.sum(axis=1) / before.sum(),
        pairs=len(before),
        is_exhaustive=is_exhaustive,
    )


def _check_sizes(dimensions: Sequence[int], x: FloatArray, map: ProjectionMap) -> list[int]:
    largest = min(x.shape) if map is pca_map else x.shape[1]
    sizes = list(dimensions)
    if not sizes or not all(is_count(m) and m <= largest for m in sizes):
        raise SettingsError(
            f"dimensions = {sizes}: at least one size is needed, each between 1 and {largest} "
            f"for {x.shape[0]} points in {x.shape[1]} dimensions"
        )
    return [int(m) for m in sizes]


def _pairs(n: int, max_pairs: int, rng: np.random.Generator) -> tuple[IntArray, IntArray, bool]:
    """All pairs of different points, or so many random ones."""
    if not is_count(max_pairs):
        raise SettingsError(f"{max_pairs = }, at least 1 is needed")
    if n * (n - 1) // 2 <= max_pairs:
        start, end = np.triu_indices(n, 1)
        return start, end, True
    start = rng.integers(n, size=max_pairs)
    return start, (start + rng.integers(1, n, size=max_pairs)) % n, False


def _squares(x: FloatArray, start: IntArray, end: IntArray) -> FloatArray:
    """Squared distances of pairs, in pieces that fit in memory: (pair,)."""
    pieces = max(1, len(start) * x.shape[1] // 1_000_000)
    parts = zip(np.array_split(start, pieces), np.array_split(end, pieces), strict=True)
    return np.concatenate([np.sum((x[a] - x[b]) ** 2, axis=1) for a, b in parts])


def _seed(rng: np.random.Generator) -> int:
    return int(rng.integers(2**31))


def _check_map(x: npt.ArrayLike, dimensions: int, *, most_rows: bool = False) -> FloatArray:
    """Finite points (point, dimension), and a size the map can have."""
    points = check_points(x, "x", at_least=1)
    most = min(points.shape) if most_rows else points.shape[1]
    if not is_count(dimensions) or dimensions > most:
        raise SettingsError(
            f"dimensions = {dimensions}: a whole number between 1 and {most} is needed for "
            f"{points.shape[0]} points in {points.shape[1]} dimensions"
        )
    return points
