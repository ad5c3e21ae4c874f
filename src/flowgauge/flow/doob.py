"""Doob decomposition of the flow, F = A + M (paper III-D, Theorem 2).

If the text is drawn from P, the flow is a sub-martingale: its compensator A (running sum of the
exact drifts) never falls and M = F − A is a martingale. "Monotone" holds for A, in conditional
expectation; F itself may fall.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from flowgauge.errors import DistributionError, ShapeError
from flowgauge.math.validate import ROUND_OFF, as_floats
from flowgauge.records import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class DoobDecomposition:
    """Predictable part and martingale part of one flow.

    Attributes:
        drift: (time,) KL(P_j‖Q_j) ≥ 0 [nats].
        compensator: (time,) A, running sum of the drift; never falls [nats].
        martingale: (time,) M = F − A [nats].
        variance: (time,) Var_{P_j}[log P_j/Q_j], or None [nats²].
        residual: (F_N − A_N)/√Σv, about N(0,1) if the text was drawn from P [no unit]; nan where
            the variance is not known or sums to 0.
    """

    drift: FloatArray
    compensator: FloatArray
    martingale: FloatArray
    variance: FloatArray | None
    residual: float


def doob(
    density: npt.ArrayLike, drift: npt.ArrayLike, variance: npt.ArrayLike | None = None
) -> DoobDecomposition:
    """Split the flow into what was to be expected and what was luck, F = A + M [nats].

    The split is that of texts drawn from P. For a text somebody else wrote, A is what P *would*
    have gained on average at these prefixes, and M is not a martingale.

    Args:
        density: (time,) log P_j/Q_j of the tokens written [nats].
        drift: (time,) KL(P_j‖Q_j) [nats].
        variance: (time,) Var_{P_j}[log P_j/Q_j] [nats²].

    Returns:
        The decomposition. Drifts and variances below 0 by at most 1e-6 are round-off and become 0.

    Raises:
        DistributionError: A drift or variance is negative or not finite; shows the first one. A
            density is NaN, or one is +∞ and another −∞.
        ShapeError: The columns differ in length.

    References:
        [bai:25] III-D, Theorem 2; [doob:53] chapter VII.

    Example:
        >>> d = doob([0.7, -0.2, 0.5], [0.3, 0.1, 0.2], [0.25, 0.25, 0.5])
        >>> d.compensator.round(2), d.martingale.round(2), round(d.residual, 2)
        (array([0.3, 0.4, 0.6]), array([0.4, 0.1, 0.4]), 0.4)
    """
    i = as_floats(density, "density")
    _check_density(i)
    k = _check_moment(drift, "drift", len(i))
    v = None if variance is None else _check_moment(variance, "variance", len(i))
    compensator = np.cumsum(k)
    martingale = np.cumsum(i) - compensator
    spread = 0.0 if v is None else float(np.sqrt(v.sum()))
    return DoobDecomposition(
        drift=k,
        compensator=compensator,
        martingale=martingale,
        variance=v,
        residual=float(martingale[-1]) / spread if spread > 0 else float("nan"),
    )


def _check_density(density: FloatArray) -> None:
    if density.ndim != 1:
        raise ShapeError(f"density has shape {density.shape}; (time,) was needed")
    if np.isnan(density).any():
        raise DistributionError(
            f"density[{int(np.argmax(np.isnan(density)))}] is NaN; (time,) without NaN was needed: "
            "a token impossible under both laws has no ratio"
        )
    if np.isposinf(density).any() and np.isneginf(density).any():
        raise DistributionError(
            f"density[{int(np.argmax(np.isposinf(density)))}] is +inf and "
            f"density[{int(np.argmax(np.isneginf(density)))}] −inf: the flow would be ∞ − ∞. Use "
            "laws that leave every token possible"
        )


def _check_moment(values: npt.ArrayLike, name: str, time: int) -> FloatArray:
    array = as_floats(values, name)
    if array.shape != (time,):
        raise ShapeError(f"{name} has shape {array.shape}; ({time},), one per token, was needed")
    wrong = ~np.isfinite(array) | (array < -ROUND_OFF)
    if wrong.any():
        first = int(np.argmax(wrong))
        raise DistributionError(
            f"{name}[{first}] = {array[first]:.6g}; it is 0 or more and finite. A negative value "
            "is a truncated or sampled KL; an infinite one means Q excludes a token that P allows "
            "(temper Q only): leave drift and variance out then."
        )
    return np.maximum(array, 0.0)
