"""Gromov–Wasserstein of clouds too large for their matrices, by repeated subsampling.

50,000 points would need 20 GB per distance matrix. Here both clouds are subsampled many times and
solved exactly as in `gromov`; the mean has a standard error, and the same procedure applied to one
cloud against itself shows what the finite size alone produces (section 7 of the theory).
"""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from flowgauge.errors import SettingsError, ShapeError
from flowgauge.geometry.gromov import GromovWassersteinSettings, gromov_wasserstein
from flowgauge.geometry.inputs import Distances, check_paired, check_points, euclidean_distances
from flowgauge.math.validate import is_count
from flowgauge.records import FloatArray, IntArray


@dataclass(frozen=True, slots=True, kw_only=True)
class SampledSettings:
    """How often and how much is drawn.

    Args:
        size: Points of each cloud in one subsample, at least 2.
        repeats: Subsamples, at least 2 (one has no standard error).
        is_paired: Row i of both clouds is the same thing: both are drawn at the same rows.
        distances: Function from points to their dissimilarity matrix.
        solver: Settings of each subsample's Gromov–Wasserstein.
    """

    size: int = 200
    repeats: int = 10
    is_paired: bool = False
    distances: Distances = euclidean_distances
    solver: GromovWassersteinSettings = field(default_factory=GromovWassersteinSettings)

    def __post_init__(self) -> None:
        if not (is_count(self.size, 2) and is_count(self.repeats, 2)):
            raise SettingsError(
                f"size = {self.size} and repeats = {self.repeats}: at least 2 of both are needed"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A mean of independent draws.

    Attributes:
        value: The mean.
        standard_error: Its standard error.
        draws: (repeat,) what was averaged.
    """

    value: float
    standard_error: float
    draws: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class SampledGromovWasserstein:
    """Gromov–Wasserstein between random subsamples of two clouds, all [unit squared].

    Attributes:
        value: Mean over subsamples of the best value found.
        lower_bound: Mean over subsamples of the best lower bound: `value` minus this is what the
            solver may have missed.
        floor: The same between two disjoint subsamples of one cloud, both clouds averaged: what
            subsampling alone produces where the truth is 0.
        identity: Distortion of the identity on the same rows; None unless paired.
        size: Points of each cloud in one subsample.
        converged: Whether every run met its tolerance.
    """

    value: Estimate
    lower_bound: Estimate
    floor: Estimate
    identity: Estimate | None
    size: int
    converged: bool


def sampled_gromov_wasserstein(
    x: npt.ArrayLike,
    y: npt.ArrayLike,
    settings: SampledSettings | None = None,
    *,
    rng: np.random.Generator,
) -> SampledGromovWasserstein:
    """Mean Gromov–Wasserstein value of random subsamples, with error bars [unit of x, squared].

    Made for some 50,000 points. The error bars hold, given the clouds, for the mean over all
    subsamples of this size; that mean is *not* the value of the whole clouds: unpaired subsamples
    of one and the same cloud differ by `floor`, and only what lies well above it means something.
    With paired clouds the identity's estimate, times (1 − 1/N)/(1 − 1/size), is that of all N.

    Args:
        x: (n, dimension) points of equal weight.
        y: (m, dimension) points, in any number of dimensions.
        settings: Size and number of subsamples, distances, solver.
        rng: Randomness of the draws.

    Returns:
        ``SampledGromovWasserstein``.

    Raises:
        ShapeError: Fewer points than 2 · size, or unequal numbers of paired points.
        InputError: A NaN or infinite coordinate; shows where.
        MissingDependencyError: POT is not installed.

    References:
        [memoli:11] section 5 for convergence of subsamples; [flamary:21] POT.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> cloud = rng.standard_normal((1_000, 3))
        >>> turned = cloud[:, [2, 0, 1]]
        >>> settings = SampledSettings(size=30, repeats=4, is_paired=True)
        >>> result = sampled_gromov_wasserstein(cloud, turned, settings, rng=rng)
        >>> result.value.value < 1e-12 < result.floor.value
        True
    """
    chosen = settings or SampledSettings()
    if chosen.is_paired:
        first, second = check_paired(x, y)
    else:
        first, second = check_points(x, "x"), check_points(y, "y")
    for name, points in (("x", first), ("y", second)):
        if len(points) < 2 * chosen.size:
            raise ShapeError(
                f"{name} has {len(points)} points, 2 · size = {2 * chosen.size} are needed for two "
                "disjoint subsamples: lower size or use gromov_wasserstein"
            )
    draws = [_one_draw(first, second, chosen, rng) for _ in range(chosen.repeats)]
    columns = np.array([[d.value, d.lower, d.floor, d.identity] for d in draws])
    return SampledGromovWasserstein(
        value=_estimate(columns[:, 0]),
        lower_bound=_estimate(columns[:, 1]),
        floor=_estimate(columns[:, 2]),
        identity=_estimate(columns[:, 3]) if chosen.is_paired else None,
        size=chosen.size,
        converged=all(d.converged for d in draws),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Draw:
    """What one subsample gave."""

    value: float
    lower: float
    floor: float
    identity: float
    converged: bool


def _one_draw(
    x: FloatArray, y: FloatArray, settings: SampledSettings, rng: np.random.Generator
) -> _Draw:
    """Solve one subsample of each cloud, and each cloud against itself."""
    rows, twins = _two_disjoint(len(x), settings.size, rng)
    if settings.is_paired:
        columns, others = rows, twins
    else:
        columns, others = _two_disjoint(len(y), settings.size, rng)
    c, c_twin = settings.distances(x[rows]), settings.distances(x[twins])
    d, d_twin = settings.distances(y[columns]), settings.distances(y[others])
    runs = [
        gromov_wasserstein(a, b, settings=settings.solver, rng=rng)
        for a, b in ((c, d), (c, c_twin), (d, d_twin))
    ]
    return _Draw(
        value=runs[0].value,
        lower=runs[0].bounds.lower,
        floor=0.5 * (runs[1].value + runs[2].value),
        identity=float(np.mean((c - d) ** 2)),
        converged=all(run.converged for run in runs),
    )


def _two_disjoint(n: int, size: int, rng: np.random.Generator) -> tuple[IntArray, IntArray]:
    rows = rng.choice(n, size=2 * size, replace=False)
    return rows[:size], rows[size:]


def _estimate(draws: FloatArray) -> Estimate:
    return Estimate(
        value=float(draws.mean()),
        standard_error=float(draws.std(ddof=1) / np.sqrt(len(draws))),
        draws=draws,
    )
