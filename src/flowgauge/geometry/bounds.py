"""Lower and upper bounds of the Gromov–Wasserstein value, fast and without a local optimum.

Mémoli's first, second and third lower bound and the identity coupling, all on the scale of
min_T Σ |C_ik − D_jl|² T_ij T_kl (section 7 of the theory), so that

    FLB ≤ TLB,  SLB ≤ TLB ≤ Gromov–Wasserstein ≤ identity.
"""

from dataclasses import dataclass
from math import lcm

import numpy as np
import numpy.typing as npt

from flowgauge.errors import SettingsError
from flowgauge.geometry.distortion import identity_distortion
from flowgauge.geometry.inputs import check_dissimilarity, check_weights, is_uniform
from flowgauge.geometry.quantiles import (
    cell_features,
    squared_distances,
    squared_wasserstein,
    squared_wasserstein_rows,
)
from flowgauge.geometry.transport import Transport, transport
from flowgauge.math.validate import is_count
from flowgauge.records import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundSettings:
    """How the third lower bound is computed.

    Args:
        max_strips: With unequal weights or sizes, rows are compared exactly up to this many
            steps (n · m · (n + m)), some 30 ns each; above, quantile functions are cut in cells.
        cells: That many cells, at least 1. Equal weights whose sizes have a least common multiple
            up to here are exact too. More cells raise the bound towards the exact TLB.
    """

    max_strips: int = 30_000_000
    cells: int = 2_048

    def __post_init__(self) -> None:
        if not (is_count(self.max_strips, 0) and is_count(self.cells)):
            raise SettingsError(f"{self} is out of range: max_strips ≥ 0 and cells ≥ 1 are needed")


@dataclass(frozen=True, slots=True, kw_only=True)
class GromovWassersteinBounds:
    """Bounds of the Gromov–Wasserstein value, all [unit of c1, squared].

    Attributes:
        flb: First lower bound: distributions of the points' root-mean-square eccentricities.
        slb: Second lower bound: distributions of all dissimilarities.
        tlb: Third lower bound: every point's own distribution of dissimilarities, then transport.
        identity: Distortion of matching i with i, an upper bound; None unless both spaces have
            as many points with the same weights.
        coupling: (n, m) the transport behind the TLB: a good start for a solver.
        is_exact: Whether `tlb` is the TLB itself, not a lower bound of it.
    """

    flb: float
    slb: float
    tlb: float
    identity: float | None
    coupling: FloatArray
    is_exact: bool

    @property
    def lower(self) -> float:
        """The best lower bound [unit of c1, squared]."""
        return max(self.flb, self.slb, self.tlb)


def gromov_wasserstein_bounds(
    c1: npt.ArrayLike,
    c2: npt.ArrayLike,
    p: npt.ArrayLike | None = None,
    q: npt.ArrayLike | None = None,
    settings: BoundSettings | None = None,
) -> GromovWassersteinBounds:
    """Lower bounds FLB, SLB, TLB and the identity's upper bound [unit of c1, squared].

    What no coupling can undercut, in time O(n²(n + log n)) and without a local optimum. A bound of
    0 does *not* say that the spaces are isometric: there are different spaces all of whose
    distance distributions agree. The upper bound says nothing unless row i of both is one thing.

    Args:
        c1: (n, n) dissimilarities, any real numbers, symmetric or not.
        c2: (m, m) those of the other space, in the same unit.
        p: (n,) weights of the points of c1; None means equal.
        q: (m,) weights of the points of c2.
        settings: Cells of the TLB for unequal weights.

    Returns:
        ``GromovWassersteinBounds``.

    Raises:
        ShapeError: A matrix is not square or weights do not fit; shows the shapes.
        DistributionError: Weights are negative or do not sum to 1; shows the number.
        InputError: A NaN or infinite dissimilarity; shows where.
        MissingDependencyError: POT is not installed.

    References:
        [memoli:11] section 6 (there for ½√ of this value); [chowdhury:19].

    Example:
        >>> c = np.array([[0.0, 1.0], [1.0, 0.0]])
        >>> bounds = gromov_wasserstein_bounds(c, 2 * c)
        >>> [round(b, 12) for b in (bounds.flb, bounds.slb, bounds.tlb, bounds.identity)]
        [0.5, 0.5, 0.5, 0.5]
    """
    first, second = check_dissimilarity(c1, "c1"), check_dissimilarity(c2, "c2")
    weights, others = check_weights(p, len(first), "p"), check_weights(q, len(second), "q")
    return spaces_bounds(first, second, weights, others, settings or BoundSettings())


def spaces_bounds(
    c1: FloatArray, c2: FloatArray, p: FloatArray, q: FloatArray, settings: BoundSettings
) -> GromovWassersteinBounds:
    """`gromov_wasserstein_bounds` without checks."""
    paired = len(p) == len(q) and bool(np.array_equal(p, q))
    cost, is_exact = row_costs(c1, c2, p, q, settings)
    third: Transport = transport(cost, p, q)
    return GromovWassersteinBounds(
        flb=squared_wasserstein(eccentricity(c1, p), eccentricity(c2, q), p, q),
        slb=_second(c1, c2, p, q),
        tlb=max(third.lower, 0.0),
        identity=identity_distortion(c1, c2, p) if paired else None,
        coupling=third.coupling,
        is_exact=is_exact and third.converged,
    )


def eccentricity(c: FloatArray, p: FloatArray) -> FloatArray:
    """Root mean square dissimilarity of each point to all others: (n,)."""
    return np.asarray(np.sqrt(c**2 @ p), dtype=np.float64)


def row_costs(
    c1: FloatArray, c2: FloatArray, p: FloatArray, q: FloatArray, settings: BoundSettings
) -> tuple[FloatArray, bool]:
    """W₂² between the points' distributions of dissimilarities, (n, m), and whether exact."""
    n, m = len(p), len(q)
    grid = lcm(n, m)
    if is_uniform(p) and is_uniform(q) and (n == m or grid <= settings.cells):
        left = np.repeat(np.sort(c1, axis=1), grid // n, axis=1)
        right = np.repeat(np.sort(c2, axis=1), grid // m, axis=1)
        return squared_distances(left, right) / grid, True
    if n * m * (n + m) <= settings.max_strips:
        return squared_wasserstein_rows(c1, c2, p, q), True
    left, right = (cell_features(c, w, settings.cells) for c, w in ((c1, p), (c2, q)))
    return squared_distances(left, right), False


def _second(c1: FloatArray, c2: FloatArray, p: FloatArray, q: FloatArray) -> float:
    """W₂² between the distributions of all dissimilarities."""
    if len(p) == len(q) and is_uniform(p) and is_uniform(q):
        difference = np.sort(c1, axis=None) - np.sort(c2, axis=None)
        return float(np.mean(difference * difference))
    pairs, others = np.outer(p, p).ravel(), np.outer(q, q).ravel()
    return squared_wasserstein(c1.ravel(), c2.ravel(), pairs, others)
