"""A low-rank Gromov–Wasserstein coupling of whole clouds of up to 50,000 points and more.

Both clouds are cut into k-means cells, the cells' centres are coupled by `gromov`, and every pair
of coupled cells is joined by the product of their weights ([chowdhury:21]): a coupling of all the
points whose rank is at most the number of coupled cells, held in memory linear in the points.
POT's own low-rank solver was tried and left: it computes its value in time and memory that
grow with n² and d², and with its default tolerance it stops at the independent coupling.
"""

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
from flowgauge.geometry.quantisation import Quantisation, quantise
from flowgauge.math.validate import is_count
from flowgauge.records import FloatArray, IntArray


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
        if not (is_count(self.anchors, 2) and is_count(self.pairs, 2)):
            raise SettingsError(
                f"anchors = {self.anchors} and pairs = {self.pairs}: at least 2 of both are needed"
            )


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
    first = quantise(points, check_weights(p, len(points), "p"), chosen.anchors, rng)
    second = quantise(others, check_weights(q, len(others), "q"), chosen.anchors, rng)
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
