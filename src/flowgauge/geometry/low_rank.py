"""A low-rank Gromov–Wasserstein coupling of whole clouds of up to 50,000 points and more.

Both clouds are cut into k-means cells, the cells' centres are coupled by `gromov`, and every pair
of coupled cells is joined by the product of their weights ([chowdhury:21]): a coupling of all the
points whose rank is at most the number of coupled cells, held in memory linear in the points.
POT's own low-rank solver was tried and left: it computes its value in time and memory that
grow with n² and d², and with its default tolerance it stops at the independent coupling.
"""

import warnings
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from flowgauge.errors import SettingsError
from flowgauge.geometry.gromov import (
    GromovWasserstein,
    GromovWassersteinSettings,
    gromov_wasserstein,
)
from flowgauge.geometry.inputs import check_points, check_weights, euclidean_distances
from flowgauge.geometry.quantiles import squared_wasserstein
from flowgauge.records import FloatArray, IntArray

#: From here on k-means looks at small batches: a full pass costs n · anchors · dimension.
MANY_POINTS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class LowRankSettings:
    """How finely the clouds are cut.

    Args:
        anchors: Cells of each cloud, at least 2; more are nearer to the truth and cost their cube.
        pairs: Pairs of matched points that estimate the value, at least 2.
        solver: Settings of the anchors' Gromov–Wasserstein.
    """

    anchors: int = 300
    pairs: int = 50_000
    solver: GromovWassersteinSettings = field(default_factory=GromovWassersteinSettings)

    def __post_init__(self) -> None:
        if self.anchors < 2 or self.pairs < 2:
            raise SettingsError(
                f"anchors = {self.anchors} and pairs = {self.pairs}: at least 2 of both are needed"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantisation:
    """A cloud and the cells it was cut into.

    Attributes:
        points: (point, dimension) all points, and their weights (point,).
        labels: (point,) the cell of each point.
        centres: (cell, dimension) weighted means of the cells, and their weights (cell,).
        radius: Root mean square of the sum of two random points' distances to their centres: the
            square root of the value between cloud and centres is at most this [unit].
    """

    points: FloatArray
    weights: FloatArray
    labels: IntArray
    centres: FloatArray
    centre_weights: FloatArray
    radius: float

    def draw(self, cells: IntArray, rng: np.random.Generator) -> IntArray:
        """One random point of each of these cells, by weight."""
        order = np.argsort(self.labels, kind="stable")
        ends = np.cumsum(self.weights[order])
        size = np.bincount(self.labels, minlength=len(self.centres))
        last = np.cumsum(size) - 1
        before = np.concatenate([[0.0], ends[last[:-1]]])[cells]
        level = before + rng.random(len(cells)) * (ends[last[cells]] - before)
        position = np.clip(
            np.searchsorted(ends, level, side="right"), last[cells] - size[cells] + 1, last[cells]
        )
        return np.asarray(order[position], dtype=np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class LowRankGromovWasserstein:
    """A coupling of two whole clouds in low-rank form, all values [unit squared].

    Attributes:
        value: Its distortion, estimated without bias from random pairs of matches: up to the
            standard error an upper bound of the clouds' Gromov–Wasserstein value.
        standard_error: Of `value`.
        lower_bound: A certain lower bound for the whole clouds: the larger of their exact FLB and
            (√anchors' lower bound − radii)².
        upper_bound: A certain upper bound, (√anchors' value + radii)².
        gap: value − lower_bound, at least 0.
        rank: Coupled pairs of cells: the coupling's non-negative rank is at most this.
        anchors: The solved problem between the cells' centres.
        first, second: The clouds and their cells.
        converged: Whether the anchors' solver met its tolerance.
    """

    value: float
    standard_error: float
    lower_bound: float
    upper_bound: float
    gap: float
    rank: int
    anchors: GromovWasserstein
    first: Quantisation
    second: Quantisation
    converged: bool

    def draw(self, count: int, rng: np.random.Generator) -> tuple[IntArray, IntArray]:
        """So many independent matches (rows of x, rows of y) from the coupling."""
        return _draw(self.anchors.coupling, self.first, self.second, count, rng)


def low_rank_gromov_wasserstein(
    x: npt.ArrayLike,
    y: npt.ArrayLike,
    p: npt.ArrayLike | None = None,
    q: npt.ArrayLike | None = None,
    settings: LowRankSettings | None = None,
    *,
    rng: np.random.Generator,
) -> LowRankGromovWasserstein:
    """Gromov–Wasserstein of whole clouds under Euclidean distance, low rank [unit of x, squared].

    Gives a coupling of all points, its distortion with a standard error, and bounds that hold for
    the whole clouds. The value is *not* near 0 for an isometric copy: inside a cell points are
    matched at random, which costs about four mean squared cell radii. In many dimensions cells
    are wide, and value and bounds lie far apart: then `sampled_gromov_wasserstein` says more.

    Args:
        x: (n, dimension) points.
        y: (m, dimension) points, in any number of dimensions.
        p: (n,) weights; None means equal.
        q: (m,) weights.
        settings: Number of cells and pairs, solver.
        rng: Randomness of k-means and of the pairs.

    Returns:
        ``LowRankGromovWasserstein``.

    Raises:
        ShapeError, DistributionError, InputError: Points or weights that cannot be used.
        MissingDependencyError: POT is not installed.

    References:
        [chowdhury:21] quantised couplings; [memoli:11] theorem 5.1 (triangle inequality);
        [scetbon:22] low-rank couplings.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> line = np.linspace(0.0, 1.0, 5_000)[:, None]
        >>> bent = np.hstack([line, np.zeros_like(line)])[::-1]
        >>> settings = LowRankSettings(anchors=50)
        >>> result = low_rank_gromov_wasserstein(line, bent, settings=settings, rng=rng)
        >>> result.lower_bound < 1e-9, result.value < 1e-3, result.rank <= 100
        (True, True, True)
    """
    chosen = settings or LowRankSettings()
    points, others = check_points(x, "x"), check_points(y, "y")
    first = _quantise(points, check_weights(p, len(points), "p"), chosen.anchors, rng)
    second = _quantise(others, check_weights(q, len(others), "q"), chosen.anchors, rng)
    anchors = gromov_wasserstein(
        euclidean_distances(first.centres),
        euclidean_distances(second.centres),
        first.centre_weights,
        second.centre_weights,
        chosen.solver,
        rng=rng,
    )
    value, error = _distortion(anchors.coupling, first, second, chosen.pairs, rng)
    radii = first.radius + second.radius
    lower = max(
        first_lower_bound(first.points, second.points, first.weights, second.weights),
        max(float(np.sqrt(anchors.bounds.lower)) - radii, 0.0) ** 2,
    )
    return LowRankGromovWasserstein(
        value=value,
        standard_error=error,
        lower_bound=lower,
        upper_bound=(float(np.sqrt(anchors.value)) + radii) ** 2,
        gap=max(value - lower, 0.0),
        rank=int(np.count_nonzero(anchors.coupling)),
        anchors=anchors,
        first=first,
        second=second,
        converged=anchors.converged,
    )


def first_lower_bound(x: FloatArray, y: FloatArray, p: FloatArray, q: FloatArray) -> float:
    """FLB between clouds under Euclidean distance, exact in time linear in points [unit squared].

    The mean squared distance of a point to all others is its squared distance to the mean plus
    the total variance, so no matrix is needed.

    Example:
        >>> half = np.array([0.5, 0.5])
        >>> ends = np.array([[0.0], [1.0]])
        >>> round(first_lower_bound(ends, 3.0 * ends, half, half), 12)
        2.0
    """
    return squared_wasserstein(_eccentricity(x, p), _eccentricity(y, q), p, q)


def _eccentricity(x: FloatArray, p: FloatArray) -> FloatArray:
    square = np.sum((x - p @ x) ** 2, axis=1)
    return np.asarray(np.sqrt(square + p @ square), dtype=np.float64)


def _quantise(
    points: FloatArray, weights: FloatArray, anchors: int, rng: np.random.Generator
) -> Quantisation:
    """Cut a cloud into at most so many k-means cells; empty ones are dropped."""
    from sklearn.cluster import KMeans, MiniBatchKMeans

    kind = MiniBatchKMeans if len(points) > MANY_POINTS else KMeans
    model = kind(min(anchors, len(points)), n_init=1, random_state=int(rng.integers(2**31)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # fewer distinct points than cells: the empty ones go below
        found = model.fit(points, sample_weight=weights).labels_
    mass = np.bincount(found, weights=weights)
    # a cell without mass holds only points without weight, which count nowhere: any cell will do
    used = np.flatnonzero(mass > 0)
    place = np.zeros(len(mass), dtype=np.int64)
    place[used] = np.arange(len(used))
    labels = place[found]
    centre_weights = mass[used]
    sums = np.zeros((len(used), points.shape[1]))
    np.add.at(sums, labels, points * weights[:, None])
    centres = sums / centre_weights[:, None]
    away = np.linalg.norm(points - centres[labels], axis=1)
    radius = np.sqrt(2.0 * float(weights @ away**2) + 2.0 * float(weights @ away) ** 2)
    return Quantisation(
        points=points,
        weights=weights,
        labels=labels,
        centres=centres,
        centre_weights=centre_weights / centre_weights.sum(),
        radius=float(radius),
    )


def _draw(
    coupling: FloatArray,
    first: Quantisation,
    second: Quantisation,
    count: int,
    rng: np.random.Generator,
) -> tuple[IntArray, IntArray]:
    rows, columns = np.nonzero(coupling)
    mass = coupling[rows, columns]
    chosen = rng.choice(len(mass), size=count, p=mass / mass.sum())
    return first.draw(rows[chosen], rng), second.draw(columns[chosen], rng)


def _distortion(
    coupling: FloatArray,
    first: Quantisation,
    second: Quantisation,
    pairs: int,
    rng: np.random.Generator,
) -> tuple[float, float]:
    """Mean and standard error of |d(x, x′) − d(y, y′)|² over independent pairs of matches."""
    i, j = _draw(coupling, first, second, 2 * pairs, rng)
    squares = (_steps(first.points, i) - _steps(second.points, j)) ** 2
    return float(squares.mean()), float(squares.std(ddof=1) / np.sqrt(pairs))


def _steps(points: FloatArray, rows: IntArray) -> FloatArray:
    """Distances between the first and the second half of the rows, in pieces: (pair,)."""
    start, end = np.split(rows, 2)
    pieces = max(1, len(start) * points.shape[1] // 1_000_000)
    parts = zip(np.array_split(start, pieces), np.array_split(end, pieces), strict=True)
    return np.concatenate([np.linalg.norm(points[a] - points[b], axis=1) for a, b in parts])
