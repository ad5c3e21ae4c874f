"""The Gromov–Wasserstein objective of one coupling, squared loss, in POT's convention.

    Σ_{ijkl} |C_ik − D_jl|² T_ij T_kl        (section 7 of the theory; Mémoli's distance is ½√·)

The naive sum has n²m² terms. A sparse coupling (a vertex has at most n + m − 1 entries) needs the
square of its entries and no cancellation; a dense one two matrix products. Imports numpy alone.
"""

import numpy as np
import numpy.typing as npt

from flowgauge.errors import DistributionError, ShapeError
from flowgauge.geometry.inputs import SUM_TOLERANCE, check_dissimilarity
from flowgauge.math.validate import as_floats
from flowgauge.records import FloatArray


def coupling_distortion(c1: npt.ArrayLike, c2: npt.ArrayLike, coupling: npt.ArrayLike) -> float:
    """Mean squared change of dissimilarity under a coupling [unit of c1, squared].

    ``Σ |C_ik − D_jl|² T_ij T_kl``: two pairs of matched points are drawn, and the difference of
    their dissimilarities is squared. An upper bound of the Gromov–Wasserstein value for every
    coupling; it is *not* the value itself unless the coupling is optimal.

    Args:
        c1: (n, n) dissimilarities of the first space.
        c2: (m, m) those of the second.
        coupling: (n, m) non-negative masses that sum to 1; their marginals are the weights.

    Returns:
        The distortion, 0 or more.

    Raises:
        ShapeError: The coupling is not (n, m); shows both shapes.
        DistributionError: A mass is negative or not finite, or they do not sum to 1; shows it.

    References:
        [peyre:16] proposition 1; [memoli:11] definition 5.7.

    Example:
        >>> c = np.array([[0.0, 1.0], [1.0, 0.0]])
        >>> [coupling_distortion(c, c, t) for t in (np.full((2, 2), 0.25), np.eye(2) / 2)]
        [0.5, 0.0]
    """
    first, second = check_dissimilarity(c1, "c1"), check_dissimilarity(c2, "c2")
    plan = as_floats(coupling, "coupling")
    if plan.shape != (len(first), len(second)):
        raise ShapeError(
            f"coupling has shape {plan.shape}, ({len(first)}, {len(second)}) was needed: "
            "one row per point of c1, one column per point of c2"
        )
    if not np.all(plan >= 0) or not np.all(np.isfinite(plan)):
        raise DistributionError(
            f"coupling has entries in [{np.min(plan)}, {np.max(plan)}]; finite masses of at least "
            "0 are needed"
        )
    total = float(plan.sum())
    if abs(total - 1.0) > SUM_TOLERANCE:
        raise DistributionError(
            f"coupling sums to {total:.9g}, 1 within {SUM_TOLERANCE} was needed: divide by the sum"
        )
    return plan_distortion(first, second, plan)


def plan_distortion(c1: FloatArray, c2: FloatArray, plan: FloatArray) -> float:
    """`coupling_distortion` without checks."""
    rows, columns = np.nonzero(plan)
    if len(rows) ** 2 <= 2 * (c1.size + c2.size):
        mass = plan[rows, columns]
        difference = c1[np.ix_(rows, rows)] - c2[np.ix_(columns, columns)]
        return float(mass @ (difference * difference) @ mass)
    p, q = plan.sum(axis=1), plan.sum(axis=0)
    shift = float(p @ c1 @ p) / float(p.sum()) ** 2  # a shift of both changes nothing, saves digits
    left, right = c1 - shift, c2 - shift
    cross = float(np.sum((left @ plan @ right.T) * plan))
    return max(float(p @ left**2 @ p) + float(q @ right**2 @ q) - 2.0 * cross, 0.0)


def identity_distortion(c1: FloatArray, c2: FloatArray, p: FloatArray) -> float:
    """Distortion of matching point i with point i, weights p [unit of c1, squared]."""
    return float(p @ (c1 - c2) ** 2 @ p)
