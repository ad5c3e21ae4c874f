"""Gromov–Wasserstein with several starts and an honest gap.

The value is min_T Σ |C_ik − D_jl|² T_ij T_kl (section 7 of the theory; POT's convention). Solvers
find local optima, so the value is an upper bound; the lower bounds say how far off it can be.
"""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from flowgauge.errors import SettingsError
from flowgauge.geometry.bounds import BoundSettings, GromovWassersteinBounds, spaces_bounds
from flowgauge.geometry.inputs import check_dissimilarity, check_weights
from flowgauge.geometry.solvers import (
    ConditionalGradient,
    Solver,
    Spaces,
    Start,
    first_bound_start,
    identity_start,
    product_start,
    random_start,
    run_start,
    third_bound_start,
)
from flowgauge.math.validate import is_count
from flowgauge.records import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class GromovWassersteinSettings:
    """How Gromov–Wasserstein is solved.

    Args:
        solver: `ConditionalGradient`, `Entropic`, or any function of that form.
        starts: Functions from the spaces to a coupling; those that return None are left out.
        random_starts: How many random starts besides, 0 or more; they need `rng`.
        max_sweeps: Most sweeps of pairwise exchanges after each start, 0 or more; made where the
            result is a permutation (equal weights) and both matrices are symmetric.
        bounds: Settings of the lower bounds.
    """

    solver: Solver = field(default_factory=ConditionalGradient)
    starts: tuple[Start, ...] = (
        product_start,
        first_bound_start,
        third_bound_start,
        identity_start,
    )
    random_starts: int = 0
    max_sweeps: int = 100
    bounds: BoundSettings = field(default_factory=BoundSettings)

    def __post_init__(self) -> None:
        if not is_count(self.random_starts, 0) or not (self.starts or self.random_starts):
            raise SettingsError(
                f"{len(self.starts)} starts and {self.random_starts} random ones were given; "
                "at least one is needed, and no negative number"
            )
        if not is_count(self.max_sweeps, 0):
            raise SettingsError(f"max_sweeps = {self.max_sweeps}, at least 0 is needed")


@dataclass(frozen=True, slots=True, kw_only=True)
class GromovWasserstein:
    """The best coupling found between two spaces.

    Attributes:
        value: Its distortion, an upper bound of the Gromov–Wasserstein value [unit squared].
        coupling: (n, m) the coupling.
        bounds: Lower bounds, and the identity's distortion.
        gap: value minus the best lower bound, never negative: the true value lies between.
        converged: Whether the winning run met its tolerance (a local optimum, no more).
        iterations: Steps of all runs together.
        start: Name of the start that won.
        values: Name and value of every run, in order.
    """

    value: float
    coupling: FloatArray
    bounds: GromovWassersteinBounds
    gap: float
    converged: bool
    iterations: int
    start: str
    values: tuple[tuple[str, float], ...]

    @property
    def distance(self) -> float:
        """Mémoli's distance ½√value [unit]."""
        return 0.5 * float(np.sqrt(self.value))


def gromov_wasserstein(
    c1: npt.ArrayLike,
    c2: npt.ArrayLike,
    p: npt.ArrayLike | None = None,
    q: npt.ArrayLike | None = None,
    settings: GromovWassersteinSettings | None = None,
    *,
    rng: np.random.Generator | None = None,
) -> GromovWasserstein:
    """Gromov–Wasserstein value of two spaces and a coupling that attains it [unit of c1, squared].

    ``min_T Σ |C_ik − D_jl|² T_ij T_kl`` over couplings of p and q: how far two geometries are from
    the same one, with no need that their points or dimensions correspond. What is returned is the
    best of several local optima: an upper bound, *not* a proven minimum; `gap` says how much lower
    the minimum could be. It is not Mémoli's distance: that is `distance`, ½√value.

    Args:
        c1: (n, n) dissimilarities, for points `euclidean_distances(points)`.
        c2: (m, m) those of the other space, in the same unit.
        p: (n,) weights of the points of c1; None means equal.
        q: (m,) weights of the points of c2.
        settings: Solver and starts; the default tries four starts with conditional gradient.
        rng: Randomness for `random_starts`.

    Returns:
        ``GromovWasserstein``.

    Raises:
        ShapeError: A matrix is not square or weights do not fit; shows the shapes.
        DistributionError: Weights are negative or do not sum to 1; shows the number.
        InputError: A NaN or infinite dissimilarity; shows where.
        SettingsError: Random starts without `rng`, or no start that applies.
        MissingDependencyError: POT is not installed.

    References:
        [memoli:11]; [peyre:16] for the solver's algebra; [flamary:21] POT.

    Example:
        >>> from flowgauge.geometry import euclidean_distances
        >>> c = euclidean_distances(np.array([[0.0], [1.0], [3.0]]))
        >>> d = euclidean_distances(np.array([[0.0, 3.0], [0.0, 2.0], [0.0, 0.0]]))
        >>> result = gromov_wasserstein(c, d)
        >>> result.value, result.gap
        (0.0, 0.0)
        >>> result.coupling.argmax(axis=1)
        array([0, 1, 2])
    """
    chosen = settings or GromovWassersteinSettings()
    first, second = check_dissimilarity(c1, "c1"), check_dissimilarity(c2, "c2")
    weights, others = check_weights(p, len(first), "p"), check_weights(q, len(second), "q")
    starts = chosen.starts + _random_starts(chosen.random_starts, rng)
    bounds = spaces_bounds(first, second, weights, others, chosen.bounds)
    spaces = Spaces(c1=first, c2=second, p=weights, q=others, bounds=bounds)
    return _best_of(spaces, starts, chosen)


def _random_starts(count: int, rng: np.random.Generator | None) -> tuple[Start, ...]:
    if count == 0:
        return ()
    if rng is None:
        raise SettingsError(
            f"random_starts = {count} needs rng: pass rng=np.random.default_rng(seed)"
        )
    return (random_start(rng),) * count


def _best_of(
    spaces: Spaces, starts: tuple[Start, ...], settings: GromovWassersteinSettings
) -> GromovWasserstein:
    """Run every start that applies and keep the lowest value; the earlier one on a tie."""
    names = [getattr(start, "__name__", type(start).__name__) for start in starts]
    runs = [run_start(spaces, start, settings.solver, settings.max_sweeps) for start in starts]
    done = [(name, *run) for name, run in zip(names, runs, strict=True) if run is not None]
    if not done:
        raise SettingsError(
            f"none of the starts {names} applies to {len(spaces.p)} and {len(spaces.q)} points: "
            "add product_start"
        )
    name, value, end = min(done, key=lambda run: run[1])
    return GromovWasserstein(
        value=value,
        coupling=end.coupling,
        bounds=spaces.bounds,
        gap=max(value - spaces.bounds.lower, 0.0),
        converged=end.converged,
        iterations=sum(run[2].iterations for run in done),
        start=name,
        values=tuple((run[0], run[1]) for run in done),
    )
