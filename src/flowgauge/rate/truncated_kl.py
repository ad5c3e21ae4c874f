"""A lower bound on KL from the top K tokens alone (theory §6).

An endpoint shows K log-probabilities. Their truncated sum Σ p log p/q is no divergence and goes
negative; the K tokens with all others merged into one bucket are two laws on K + 1 symbols, whose
KL is a lower bound by data processing.
"""

import numpy as np
import numpy.typing as npt

from flowgauge.errors import DistributionError, SettingsError, ShapeError
from flowgauge.math.validate import as_floats, check_same_shape
from flowgauge.records import FloatArray


def truncated_kl_lower_bound(
    log_p: npt.ArrayLike, log_q: npt.ArrayLike, round_off: float = 1e-12
) -> FloatArray:
    """Lower bound on KL(P‖Q) from K tokens' log-probabilities under both laws [nats].

    The KL of the two laws on K + 1 buckets. Not an estimate: it can be far below the KL where the
    laws differ among the tokens not shown.

    Args:
        log_p: (…, k) log-probabilities of K different tokens under P [nats]; −inf is legal.
        log_q: (…, k) of the same tokens under Q.
        round_off: Largest error of a sum of probabilities that must not raise the bound; 1e-6 for
            numbers that were single precision or printed.

    Returns:
        (…) bounds, 0 or more; +inf where Q excludes a shown token that P allows.

    Raises:
        DistributionError: NaN, a value above 0, or probabilities that sum to more than 1.
        ShapeError: Shapes that differ, or K = 0.
        SettingsError: round_off outside (0, 1).

    References:
        [cover:06] section 4.4 (log-sum inequality).

    Example:
        >>> import numpy as np
        >>> round(float(truncated_kl_lower_bound(np.log([0.6]), np.log([0.3]))), 6)
        0.192042
    """
    p, q = as_floats(log_p, "log_p"), as_floats(log_q, "log_q")
    check_same_shape(log_p=p, log_q=q)
    if p.ndim == 0 or 0 in p.shape:
        raise ShapeError(f"log_p has shape {p.shape}: (…, k) with k ≥ 1 was needed")
    if not 0 < round_off < 1:
        raise SettingsError(f"round_off = {round_off}: a small positive number was needed")
    rest_p, rest_q = _rest(p, "log_p"), _rest(q, "log_q")
    known = p > -np.inf
    ratio = np.where(known, p, 0.0) - np.where(known, q, 0.0)
    # exp underflows below −745, yet P gives mass there: 0 · ∞ is ∞, not NaN
    infinite = np.isposinf(ratio)
    shown = np.where(infinite, np.inf, np.exp(p) * np.where(infinite, 0.0, ratio))
    # x log(x/y) falls in y, and in x only below y/e: widen Q's rest, and P's where that lowers it
    wide = rest_q + round_off
    low = np.clip(wide / np.e, np.maximum(rest_p - round_off, 0.0), rest_p + round_off)
    hidden = low * np.log(low / wide)
    return np.maximum(shown.sum(axis=-1) + hidden, 0.0)


def _rest(log_p: FloatArray, name: str) -> FloatArray:
    """Mass of the tokens not shown."""
    if np.isnan(log_p).any() or bool(np.any(log_p > 1e-6)):
        raise DistributionError(f"{name} holds NaN or a value above 0: log-probabilities are ≤ 0")
    total = np.exp(log_p).sum(axis=-1)
    worst = float(np.max(total))
    if worst > 1.0 + 1e-5:
        raise DistributionError(
            f"the probabilities of {name} sum to {worst:.6g}, at most 1 is possible: pass each "
            "token once, as natural logarithms"
        )
    return np.maximum(1.0 - total, 0.0)
