"""Entropies of laws known by their logarithms, along the last axis.

Written against the array API: numpy arrays and torch tensors give the same numbers, vocabularies of
262,144 and log-probabilities of −inf included. A term with p = 0 is exactly 0.
"""

from typing import Any

import numpy as np
from array_api_compat import array_namespace, is_array_api_obj

from flowgauge.errors import DistributionError, InputError, ShapeError
from flowgauge.math.logspace import log_sum_exp
from flowgauge.math.validate import as_floats, check_log_distribution, check_same_shape

Array = Any


def entropy(log_p: Array) -> Array:
    """Shannon entropy of each law, H = −Σ p log p [nats].

    The natural-log entropy of the tokens' law; not the entropy of their meanings.

    Args:
        log_p: (..., vocab) log-probabilities; −inf is legal [nats].

    Returns:
        (...) entropies, between 0 and log vocab.

    Raises:
        DistributionError: NaN, or probabilities that do not sum to 1; shows the row and its sum.
        ShapeError: Not a floating-point array with at least one entry.

    References:
        [cover:06] section 2.1.

    Example:
        >>> import numpy as np
        >>> float(entropy(np.log([0.5, 0.25, 0.25])).round(6)), round(1.5 * np.log(2), 6)
        (1.039721, np.float64(1.039721))
    """
    log_p = check_log_distribution(log_p, "log_p")
    return -sum_terms(log_p, log_p)


def varentropy(log_p: Array) -> Array:
    """Variance of the surprisal under each law, Var_P[−log p] [nats²].

    0 for a uniform law and for a certain one alike; it is not a measure of uncertainty.

    Args:
        log_p: (..., vocab) log-probabilities [nats].

    Returns:
        (...) variances.

    Raises:
        DistributionError: NaN, or probabilities that do not sum to 1.
        ShapeError: Not a floating-point array with at least one entry.

    References:
        [kontoyiannis:14] for the name and its role.

    Example:
        >>> import numpy as np
        >>> float(varentropy(np.log([0.9, 0.1])).round(6))
        0.434502
    """
    log_p = check_log_distribution(log_p, "log_p")
    xp = array_namespace(log_p)
    mean = sum_terms(log_p, log_p)
    centred = log_p - xp.expand_dims(mean, axis=-1)
    return sum_terms(log_p, centred * centred)


def cross_entropy(log_p: Array, log_q: Array) -> Array:
    """Mean surprisal of P's tokens under Q, −Σ p log q = H(P) + KL(P‖Q) [nats].

    Args:
        log_p: (..., vocab) the law tokens are drawn from [nats].
        log_q: (..., vocab) the law that predicts them [nats].

    Returns:
        (...) cross-entropies; +inf where Q excludes a token that P allows.

    Raises:
        DistributionError: NaN, or probabilities that do not sum to 1.
        ShapeError: Shapes that differ.

    References:
        [cover:06] section 5.4; [bai:25] III-B, Theorem 1.

    Example:
        >>> import numpy as np
        >>> float(cross_entropy(np.log([0.5, 0.5]), np.log([0.9, 0.1])).round(6))
        1.203973
    """
    log_p, log_q = check_pair(log_p, log_q)
    return -sum_terms(log_p, log_q)


def uncertainty_coefficient(log_joint: Array) -> Array:
    """Theil's U, the share of y's entropy that x explains, I(X;Y)/H(Y) [no unit].

    Between 0 (independent) and 1 (x fixes y); not symmetric. Its pointwise form along a text is
    `Flow.fraction`, which may be negative.

    Args:
        log_joint: (..., x, y) logarithms of joint probabilities; y is the last axis [nats].

    Returns:
        (...) coefficients.

    Raises:
        DistributionError: NaN, a table that does not sum to 1, or H(Y) = 0: there is nothing to
            explain then.
        ShapeError: Fewer than two axes.

    References:
        [theil:70].

    Example:
        >>> import numpy as np
        >>> float(uncertainty_coefficient(np.log([[0.4, 0.1], [0.1, 0.4]])).round(6))
        0.278072
    """
    log_joint = log_joint if is_array_api_obj(log_joint) else as_floats(log_joint, "log_joint")
    xp = array_namespace(log_joint)
    if log_joint.ndim < 2:
        raise ShapeError(f"log_joint has shape {tuple(log_joint.shape)}; (..., x, y) was needed")
    rows, columns = log_joint.shape[-2:]
    flat = xp.reshape(log_joint, (*log_joint.shape[:-2], rows * columns))
    flat = check_log_distribution(flat, "log_joint")
    h_y = -_self_terms(log_sum_exp(log_joint, axis=-2))
    h_x = -_self_terms(log_sum_exp(log_joint, axis=-1))
    if bool(xp.any(h_y <= 0)):
        raise DistributionError(
            "H(Y) = 0: y is certain, so there is no uncertainty to explain; drop such tables"
        )
    # round-off alone leaves 0 … 1
    return xp.clip((h_x + h_y + _self_terms(flat)) / h_y, 0.0, 1.0)


def sum_terms(log_p: Array, values: Array) -> Array:
    """Σ p·values along the last axis, where a term with p = 0 is exactly 0 [unit of values].

    A p > 0 whose exponential underflows still meets an infinite value: P gives it mass.
    """
    xp = array_namespace(log_p, values)
    p = xp.exp(log_p)
    terms = xp.where(p > 0, values, xp.zeros_like(values)) * p
    hidden = (p == 0) & (log_p > -xp.inf) & xp.isinf(values)
    return xp.sum(xp.where(hidden, values, terms), axis=-1)


def check_pair(log_p: Array, log_q: Array) -> tuple[Array, Array]:
    """Both laws checked, of one shape."""
    log_p = check_log_distribution(log_p, "log_p")
    log_q = check_log_distribution(log_q, "log_q")
    check_same_shape(log_p=log_p, log_q=log_q)
    if isinstance(log_p, np.ndarray) != isinstance(log_q, np.ndarray):
        raise InputError(
            f"log_p is {type(log_p).__name__}, log_q {type(log_q).__name__}: both must be numpy "
            "arrays or both tensors of one library"
        )
    return log_p, log_q


def _self_terms(log_p: Array) -> Array:
    return sum_terms(log_p, log_p)
