"""Local solvers of Gromov–Wasserstein and the couplings they start from, through POT.

A solver improves one coupling to a local optimum; the problem is not convex, so the start decides
which (section 7 of the theory). A start is any function from a `Spaces` to a coupling, or to None
where it does not apply; its `__name__` tells in the result which one won.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from flowgauge.errors import SettingsError
from flowgauge.geometry.bounds import GromovWassersteinBounds, eccentricity
from flowgauge.geometry.distortion import plan_distortion
from flowgauge.geometry.exchange import exchange, permutation_of
from flowgauge.geometry.inputs import is_uniform, load_pot
from flowgauge.geometry.transport import MAX_PIVOTS, monotone_coupling, round_to_marginals
from flowgauge.math.validate import is_count
from flowgauge.records import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Spaces:
    """Two weighted spaces, checked, and the bounds between them.

    Attributes:
        c1, c2: (n, n) and (m, m) dissimilarities.
        p, q: (n,) and (m,) weights.
        bounds: Lower bounds and the transport behind the TLB.
    """

    c1: FloatArray
    c2: FloatArray
    p: FloatArray
    q: FloatArray
    bounds: GromovWassersteinBounds

    @property
    def scale(self) -> float:
        """Mean squared dissimilarity of both spaces together; 1 where all are 0."""
        square = float(self.p @ self.c1**2 @ self.p) + float(self.q @ self.c2**2 @ self.q)
        return square if square > 0 else 1.0

    @property
    def is_symmetric(self) -> bool:
        """Whether both matrices are their own transposes, exactly."""
        return bool(np.array_equal(self.c1, self.c1.T) and np.array_equal(self.c2, self.c2.T))


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalOptimum:
    """Where a solver ended: the coupling, how many steps, and whether it met its tolerance."""

    coupling: FloatArray
    iterations: int
    converged: bool


class Solver(Protocol):
    """Improves a coupling of two spaces."""

    def __call__(self, spaces: Spaces, start: FloatArray) -> LocalOptimum:
        """A local optimum reached from `start`."""
        ...


#: A coupling to start from, or None where this start does not apply.
Start = Callable[[Spaces], FloatArray | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionalGradient:
    """Frank–Wolfe with exact line search and exact transport (POT); never worse than its start.

    Args:
        max_iterations: Steps after which it stops unconverged, at least 1.
        tolerance: Stops when a step gains less than this, relative to the value or to the mean
            squared dissimilarity; above 0.
    """

    max_iterations: int = 1_000
    tolerance: float = 1e-9

    def __post_init__(self) -> None:
        if not is_count(self.max_iterations) or not 0 < self.tolerance < np.inf:
            raise SettingsError(f"{self}: max_iterations ≥ 1 and tolerance > 0 are needed")

    def __call__(self, spaces: Spaces, start: FloatArray) -> LocalOptimum:
        """A local optimum reached from `start`."""
        unit = np.sqrt(spaces.scale)  # POT's absolute tolerance then is a relative one
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # told by `converged` instead
            coupling, log = load_pot().gromov.gromov_wasserstein(
                spaces.c1 / unit,
                spaces.c2 / unit,
                spaces.p,
                spaces.q,
                G0=start,
                log=True,
                max_iter=self.max_iterations,
                tol_rel=self.tolerance,
                tol_abs=self.tolerance,
                numItermaxEmd=MAX_PIVOTS,
            )
        steps = len(log["loss"]) - 1
        return LocalOptimum(
            coupling=np.asarray(coupling, dtype=np.float64),
            iterations=steps,
            converged=steps < self.max_iterations and log["warning"] is None,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Entropic:
    """Entropic projected gradient (POT), rounded to an exact coupling, then refined if wished.

    Args:
        epsilon: Weight of the entropy, relative to the mean squared dissimilarity of both spaces;
            above 0. Large blurs the coupling, small is slow and may underflow.
        max_iterations: Outer steps, at least 1.
        inner_iterations: Sinkhorn steps in each, at least 1; what they leave open is rounded off.
        tolerance: Stops when the coupling moves less than this (Frobenius norm), above 0.
        refine: Conditional gradient from the rounded coupling; None leaves it blurred.
    """

    epsilon: float = 0.01
    max_iterations: int = 1_000
    inner_iterations: int = 100
    tolerance: float = 1e-7
    refine: ConditionalGradient | None = ConditionalGradient()

    def __post_init__(self) -> None:
        steps = is_count(self.max_iterations) and is_count(self.inner_iterations)
        if not 0 < self.epsilon < np.inf or not steps or not 0 < self.tolerance < np.inf:
            raise SettingsError(
                f"{self}: epsilon > 0, outer and inner iterations ≥ 1 and tolerance > 0 are needed"
            )

    def __call__(self, spaces: Spaces, start: FloatArray) -> LocalOptimum:
        """A local optimum reached from `start`."""
        unit = np.sqrt(spaces.scale)
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")  # told by `converged` instead
            coupling, log = load_pot().gromov.entropic_gromov_wasserstein(
                spaces.c1 / unit,
                spaces.c2 / unit,
                spaces.p,
                spaces.q,
                epsilon=self.epsilon,
                G0=start,
                max_iter=self.max_iterations,
                tol=self.tolerance,
                log=True,
                numItermax=self.inner_iterations,
            )
        plan = np.asarray(coupling, dtype=np.float64)
        usable = bool(np.all(np.isfinite(plan)) and abs(float(plan.sum()) - 1.0) < 0.5)
        plan = round_to_marginals(plan, spaces.p, spaces.q) if usable else start
        converged = usable and bool(log["err"][-1] <= self.tolerance)
        # POT looks at its error every tenth step
        steps = min(10 * (len(log["err"]) - 1) + 1, self.max_iterations)
        if self.refine is None:
            return LocalOptimum(coupling=plan, iterations=steps, converged=converged)
        end = self.refine(spaces, plan)
        return LocalOptimum(
            coupling=end.coupling, iterations=steps + end.iterations, converged=end.converged
        )


def product_start(spaces: Spaces) -> FloatArray:
    """The independent coupling p qᵀ: POT's own start."""
    return np.outer(spaces.p, spaces.q)


def third_bound_start(spaces: Spaces) -> FloatArray:
    """The transport behind the TLB: matches points whose distance distributions agree."""
    return spaces.bounds.coupling


def first_bound_start(spaces: Spaces) -> FloatArray:
    """The monotone coupling of eccentricities: central points to central points."""
    left, right = eccentricity(spaces.c1, spaces.p), eccentricity(spaces.c2, spaces.q)
    return monotone_coupling(left, right, spaces.p, spaces.q)


def identity_start(spaces: Spaces) -> FloatArray | None:
    """Point i to point i, where both spaces have the same number of points and weights."""
    return None if spaces.bounds.identity is None else np.diag(spaces.p)


def random_start(rng: np.random.Generator) -> Start:
    """A start near independence, tilted to a random matching; every call draws another one."""

    def random_start(spaces: Spaces) -> FloatArray:
        scores, others = rng.random(len(spaces.p)), rng.random(len(spaces.q))
        matching = monotone_coupling(scores, others, spaces.p, spaces.q)
        return 0.2 * matching + 0.8 * product_start(spaces)

    return random_start


def run_start(
    spaces: Spaces, start: Start, solver: Solver, max_sweeps: int
) -> tuple[float, LocalOptimum] | None:
    """Value and optimum from one start; None where the start does not apply."""
    plan = start(spaces)
    if plan is None:
        return None
    end = _exchanged(spaces, solver(spaces, plan), max_sweeps)
    return plan_distortion(spaces.c1, spaces.c2, end.coupling), end


def _exchanged(spaces: Spaces, end: LocalOptimum, limit: int) -> LocalOptimum:
    """The optimum after pairwise exchanges, where it is a permutation of symmetric spaces."""
    order = permutation_of(end.coupling) if is_uniform(spaces.p) and is_uniform(spaces.q) else None
    if order is None or limit == 0 or not spaces.is_symmetric:
        return end
    order, done = exchange(spaces.c1, spaces.c2, order, limit)
    plan = np.zeros_like(end.coupling)
    plan[np.arange(len(order)), order] = spaces.p
    return LocalOptimum(
        coupling=plan,
        iterations=end.iterations + done,
        converged=end.converged and done < limit,
    )
