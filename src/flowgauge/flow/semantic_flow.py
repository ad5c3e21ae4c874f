"""The flow of one response: density, running sum, drift, variance (paper III-D, Eq. 22).

    density ı_j = log P_j(u_j) − log Q_j(u_j)      flow F_j = Σ_{i≤j} ı_i

F measures where the *law* of the tokens comes from: the source, or what the model carries
anyway. It says nothing about truth. What F does on average is split off by `doob`.
"""

import numpy as np
import numpy.typing as npt

from flowgauge.errors import DistributionError, ShapeError
from flowgauge.flow.doob import doob
from flowgauge.math.validate import as_floats, check_log_probabilities, check_same_shape
from flowgauge.records import FloatArray, Flow


def flow(
    log_p: npt.ArrayLike,
    log_q: npt.ArrayLike,
    drift: npt.ArrayLike | None = None,
    variance: npt.ArrayLike | None = None,
    *,
    log_moments: npt.ArrayLike | None = None,
    orders: npt.ArrayLike | None = None,
) -> Flow:
    """Semantic information flow of one response, with F = A + M where it is known [nats].

    One density may be negative, and so may F: the source then spoke against the text. Averaged over
    texts drawn from P, with Q the exact marginal of P, F_N is the directed information I(S→U); with
    another reference law it is an upper bound, high by KL(P_U ‖ Q).

    Args:
        log_p: (time,) log-probability of each token written, source present [nats].
        log_q: (time,) the same tokens under the reference law [nats].
        drift: (time,) KL(P_j‖Q_j), where both whole laws are known [nats].
        variance: (time,) Var_{P_j}[log P_j/Q_j]; needs `drift` [nats²].
        log_moments: (time, order) ψ_j(λ) = log E_{P_j}[(P_j/Q_j)^λ] [nats].
        orders: (order,) the λ grid of `log_moments`.

    Returns:
        The flow. Where `drift` is None, compensator and martingale are None: they are absent, not
        guessed. A token of probability 0 under P alone makes F −∞ from there on, one of probability
        0 under Q alone makes it +∞. An empty response has an empty flow.

    Raises:
        DistributionError: A log-probability is NaN or above 0, a drift or variance is negative or
            not finite, a token has probability 0 under both laws, or F would be ∞ − ∞.
        ShapeError: The columns differ in length, or one is given without the one it needs.

    References:
        [bai:25] III-D, Eq. 22 and Theorem 2; docs/paper_index.md, section 2.

    Example:
        >>> f = flow(np.log([0.9, 0.2]), np.log([0.1, 0.4]))
        >>> f.flow.round(3), round(f.fraction, 3)
        (array([2.197, 1.504]), 0.467)
    """
    p, q = check_log_probabilities(log_p, "log_p"), check_log_probabilities(log_q, "log_q")
    check_same_shape(log_p=p, log_q=q)
    density = _density(p, q)
    parts = doob(density, drift, variance) if drift is not None else None
    if parts is None and variance is not None:
        raise ShapeError("variance came without drift: F = A + M needs both, or neither")
    moments, grid = _moments(log_moments, orders, len(p))
    return Flow(
        density=density,
        flow=np.cumsum(density),
        surprisal_q=-q + 0.0,
        drift=None if parts is None else parts.drift,
        compensator=None if parts is None else parts.compensator,
        martingale=None if parts is None else parts.martingale,
        variance=None if parts is None else parts.variance,
        log_moments=moments,
        orders=grid,
        residual=float("nan") if parts is None else parts.residual,
    )


def _density(log_p: FloatArray, log_q: FloatArray) -> FloatArray:
    lost = np.isneginf(log_p) & np.isneginf(log_q)
    if lost.any():
        raise DistributionError(
            f"token {int(np.argmax(lost))} has probability 0 under both laws, so their ratio is "
            "not defined. Check that the ids are those of this model's tokenizer."
        )
    density = log_p - log_q
    if np.isposinf(density).any() and np.isneginf(density).any():
        raise DistributionError(
            f"token {int(np.argmax(np.isneginf(density)))} has probability 0 under P and token "
            f"{int(np.argmax(np.isposinf(density)))} under Q: the flow would be ∞ − ∞. Use laws "
            "that leave every token possible (no top-k or top-p), or score the parts apart."
        )
    return density


def _moments(
    log_moments: npt.ArrayLike | None, orders: npt.ArrayLike | None, time: int
) -> tuple[FloatArray | None, FloatArray | None]:
    if (log_moments is None) != (orders is None):
        raise ShapeError("log_moments and orders come together: one was given without the other")
    if log_moments is None or orders is None:
        return None, None
    moments, grid = as_floats(log_moments, "log_moments"), as_floats(orders, "orders")
    if grid.ndim != 1 or moments.shape != (time, len(grid)):
        raise ShapeError(
            f"log_moments has shape {moments.shape} and orders {grid.shape}; "
            f"(time, order) with time = {time} and (order,) were needed"
        )
    if np.isnan(moments).any() or not np.isfinite(grid).all():
        raise DistributionError("log_moments holds NaN or orders is not finite")
    return moments, grid
