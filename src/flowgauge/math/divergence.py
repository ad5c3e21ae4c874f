"""Divergences between two laws known by their logarithms, along the last axis.

    drift        k  = KL(P‖Q)                        kl_divergence
    variance     v  = Var_P[log P/Q]                 relative_varentropy
    log moment   ψ(λ) = log E_P[(P/Q)^λ]             log_moment      (Rényi: D_α = ψ(α−1)/(α−1))

Written against the array API. Where Q excludes a token that P allows, P is not absolutely
continuous with respect to Q and the divergence is +inf; NaN never comes out.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from array_api_compat import array_namespace, is_array_api_obj

from flowgauge.errors import SettingsError
from flowgauge.math.entropy import check_pair, sum_terms
from flowgauge.math.logspace import log_sum_exp
from flowgauge.math.validate import as_floats

Array = Any


def kl_divergence(log_p: Array, log_q: Array) -> Array:
    """Kullback–Leibler divergence KL(P‖Q) = Σ p log(p/q) of each pair of laws [nats].

    Not symmetric and not a distance. It is 0 only for equal laws, and never below 0 here: the sum
    runs over p·(d + e^{−d} − 1) with d = log p/q, whose terms are all ≥ 0, so that nearly equal
    laws keep their relative precision.

    Args:
        log_p: (..., vocab) [nats].
        log_q: (..., vocab) [nats].

    Returns:
        (...) divergences; +inf where Q excludes a token that P allows.

    Raises:
        DistributionError: NaN, or probabilities that do not sum to 1.
        ShapeError: Shapes that differ.

    References:
        [cover:06] section 2.3; [csiszar:67] for the form of the sum.

    Example:
        >>> import numpy as np
        >>> float(kl_divergence(np.log([0.5, 0.5]), np.log([0.9, 0.1])).round(6))
        0.510826
        >>> float(kl_divergence(np.array([-0.6931471805599453] * 2), np.array([0.0, -np.inf])))
        inf
    """
    log_p, log_q = check_pair(log_p, log_q)
    xp = array_namespace(log_p, log_q)
    d = log_ratio(log_p, log_q)
    p, q = xp.exp(log_p), xp.exp(log_q)
    near = xp.abs(d) < 1.0
    small = xp.where(near, d, xp.zeros_like(d))
    # A term with p = 0 leaves q here: the masses Q puts where P has none belong to Σ(q − p) = 0.
    # d is 0 there (log_ratio), so the small branch must not take it.
    far = xp.where(p > 0, p * xp.where(p > 0, d, xp.zeros_like(d)) - p + q, q)
    terms = xp.where(near & (p > 0), p * (small + xp.expm1(-small)), far)
    total = xp.sum(terms, axis=-1)
    return xp.where(excludes(log_p, log_q), xp.full_like(total, xp.inf), total)


def relative_varentropy(log_p: Array, log_q: Array) -> Array:
    """Variance of the log ratio under P, v = Var_P[log P/Q] [nats²].

    The variance that one token adds to the flow's martingale. Not a divergence: it is 0 also where
    the ratio is constant on the tokens of P.

    Args:
        log_p: (..., vocab) [nats].
        log_q: (..., vocab) [nats].

    Returns:
        (...) variances; +inf where Q excludes a token that P allows.

    Raises:
        DistributionError: NaN, or probabilities that do not sum to 1.
        ShapeError: Shapes that differ.

    References:
        [polyanskiy:10] for the divergence variance V(P‖Q); [bai:25] III-D.

    Example:
        >>> import numpy as np
        >>> float(relative_varentropy(np.log([0.5, 0.5]), np.log([0.9, 0.1])).round(6))
        1.206949
    """
    log_p, log_q = check_pair(log_p, log_q)
    xp = array_namespace(log_p, log_q)
    infinite = excludes(log_p, log_q)
    d = log_ratio(log_p, log_q)
    d = xp.where(xp.isinf(d), xp.zeros_like(d), d)
    centred = d - xp.expand_dims(sum_terms(log_p, d), axis=-1)
    total = sum_terms(log_p, centred * centred)
    return xp.where(infinite, xp.full_like(total, xp.inf), total)


def log_moment(log_p: Array, log_q: Array, orders: npt.ArrayLike) -> Array:
    """Log moments of the likelihood ratio, ψ(λ) = log E_P[(P/Q)^λ] [nats].

    The cumulant generating function of one token's density under P: ψ'(0) = KL(P‖Q), ψ''(0) its
    variance. ψ(−1) = log Q(P > 0), which is 0 where Q excludes nothing beyond P.

    Args:
        log_p: (..., vocab) [nats].
        log_q: (..., vocab) [nats].
        orders: (order,) finite λ; a single λ gives one order.

    Returns:
        (..., order) log moments. Where Q excludes a token that P allows: +inf for λ > 0. Where no
        token is allowed by both: −inf for λ < 0.

    Raises:
        DistributionError: NaN, or probabilities that do not sum to 1.
        ShapeError: Shapes that differ.
        SettingsError: An order is not finite, or there is none.

    References:
        [dembo:98] section 2.2 for the transform; docs/paper_index.md, section 3.

    Example:
        >>> import numpy as np
        >>> log_moment(np.log([0.5, 0.5]), np.log([0.9, 0.1]), [-1.0, 0.0, 1.0]).round(6)
        array([0.      , 0.      , 1.021651])
    """
    log_p, log_q = check_pair(log_p, log_q)
    xp = array_namespace(log_p, log_q)
    grid = _check_orders(orders)
    d = log_ratio(log_p, log_q)
    zero = log_p == -xp.inf
    columns = []
    for order in grid:
        if order == 0.0:
            columns.append(xp.zeros_like(log_p[..., 0]))
            continue
        exponents = xp.where(zero, log_p, log_p + order * d)
        columns.append(log_sum_exp(exponents))
    return xp.stack(columns, axis=-1)


def renyi_divergence(log_p: Array, log_q: Array, order: float) -> Array:
    """Rényi divergence of order α ≥ 0, log(Σ p^α q^{1−α})/(α−1) [nats].

    Rises with α. Order 1 is KL(P‖Q), order 0 is −log Q(P > 0), order ∞ is max log p/q.

    Args:
        log_p: (..., vocab) [nats].
        log_q: (..., vocab) [nats].
        order: α, 0 or more; may be infinite.

    Returns:
        (...) divergences; +inf where Q excludes a token that P allows and α ≥ 1.

    Raises:
        SettingsError: The order is negative or NaN.
        DistributionError: NaN, or probabilities that do not sum to 1.
        ShapeError: Shapes that differ.

    References:
        [vanerven:14].

    Example:
        >>> import numpy as np
        >>> float(renyi_divergence(np.log([0.5, 0.5]), np.log([0.9, 0.1]), 2.0).round(6))
        1.021651
    """
    if not order >= 0:
        raise SettingsError(f"order = {order}; a Rényi order is 0 or more")
    if order == 1.0:
        return kl_divergence(log_p, log_q)
    log_p, log_q = check_pair(log_p, log_q)
    xp = array_namespace(log_p, log_q)
    d = log_ratio(log_p, log_q)
    if order == np.inf:
        return xp.max(xp.where(log_p == -xp.inf, xp.full_like(d, -xp.inf), d), axis=-1)
    power = order - 1.0
    log_mean = log_moment(log_p, log_q, power)[..., 0]
    # Near order 1 the sum is 1 + small: its excess is summed by itself, or the quotient is noise.
    near = xp.max(xp.abs(power * d), axis=-1) < 0.5
    excess = sum_terms(log_p, xp.expm1(xp.clip(power * d, -0.5, 0.5)))
    return xp.where(near, xp.log1p(excess), log_mean) / power + 0.0


def log_ratio(log_p: Array, log_q: Array) -> Array:
    """Log p/q where P has mass and 0 where it has none, so that no ∞ − ∞ is formed [nats]."""
    xp = array_namespace(log_p, log_q)
    zero = log_p == -xp.inf
    nothing = xp.zeros_like(log_p)
    return xp.where(zero, nothing, log_p) - xp.where(zero, nothing, log_q)


def excludes(log_p: Array, log_q: Array) -> Array:
    """Whether Q gives probability 0 to a token that P allows, per law [bool]."""
    xp = array_namespace(log_p, log_q)
    return xp.any((log_p > -xp.inf) & (log_q == -xp.inf), axis=-1)


def _check_orders(orders: npt.ArrayLike) -> list[float]:
    if is_array_api_obj(orders):
        orders = orders.tolist()  # type: ignore[union-attr]
    grid = np.atleast_1d(as_floats(orders, "orders"))
    if grid.ndim != 1 or not len(grid) or not np.isfinite(grid).all():
        raise SettingsError(f"orders = {grid}; a non-empty list of finite λ is needed")
    return [float(order) for order in grid]
