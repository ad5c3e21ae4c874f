"""Variational objectives of mutual information as functions of a critic's scores, on the array API.

    scores[i, j] = T(x_i, y_j)        diagonal: pairs drawn together;  off the diagonal: x and y
    drawn apart

The same lines are climbed during training (torch) and evaluated afterwards (numpy). Theory §1 (last
bullets); the paper V-F for Donsker–Varadhan.
"""

import math
from typing import Any

from array_api_compat import array_namespace, device

from flowgauge.math.logspace import log_mean_exp, log_sum_exp

Array = Any


def donsker_varadhan(scores: Array) -> Array:
    """E[T] − log E'[e^T], a lower bound of I for any critic [nats].

    Tight at T = log p(x,y)/(p(x)p(y)) + c.

    The logarithm of a sample mean makes the sample value too high on average (Jensen), by about the
    squared error of that mean over twice its square.

    Args:
        scores: (n, n) critic of all pairs, n ≥ 2.

    Returns:
        The value as an array of no axes.

    References:
        [donsker:83]; [belghazi:18]; the paper, section V-F.

    Example:
        >>> import numpy as np
        >>> round(float(donsker_varadhan(np.log([[1.5, 0.5], [0.5, 1.5]]))), 6)  # log 3
        1.098612
    """
    return _mean_diagonal(scores) - log_mean_exp_apart(scores)


def nwj(scores: Array) -> Array:
    """E[T] − E'[e^(T−1)], a lower bound of I, unbiased for it; tight at T = 1 + log ratio [nats].

    At most `donsker_varadhan` of the same scores, as log a ≤ a/e.

    Args:
        scores: (n, n) critic of all pairs, n ≥ 2.

    Returns:
        The value as an array of no axes.

    References:
        [nguyen:10]; [poole:19] section 2.

    Example:
        >>> import numpy as np
        >>> float(nwj(np.ones((2, 2))))
        0.0
    """
    xp = array_namespace(scores)
    return _mean_diagonal(scores) - xp.exp(log_mean_exp_apart(scores) - 1.0)


def info_nce(scores: Array) -> Array:
    """Log of K minus the loss of naming the partner among K; bounds I from below [nats].

    Args:
        scores: (K, K) critic of all pairs.

    Returns:
        The value as an array of no axes; never above log K.

    References:
        [oord:18]; [poole:19] section 2.3.

    Example:
        >>> import numpy as np
        >>> round(float(info_nce(100.0 * np.eye(4))), 6), round(float(np.log(4)), 6)
        (1.386294, 1.386294)
    """
    xp = array_namespace(scores)
    return xp.mean(xp.linalg.diagonal(scores) - log_mean_exp(scores))


def smile(scores: Array, clip: float) -> Array:
    """Donsker–Varadhan with e^T held in [e^−clip, e^clip] off the diagonal; no bound of I [nats].

    The clip buys less variance for a bias in either direction.

    Args:
        scores: (n, n) critic of all pairs, n ≥ 2.
        clip: τ of the reference, positive; ∞ gives `donsker_varadhan`.

    Returns:
        The value as an array of no axes.

    References:
        [song:20] section 4.

    Example:
        >>> import numpy as np
        >>> float(smile(np.diag([3.0, 3.0]) - 9.0 * (1 - np.eye(2)), 5.0))
        8.0
    """
    xp = array_namespace(scores)
    return _mean_diagonal(scores) - log_mean_exp_apart(xp.clip(scores, -clip, clip))


def jensen_shannon(scores: Array) -> Array:
    """−E[softplus(−T)] − E'[softplus(T)]: leads T to the log ratio, estimates nothing [nats].

    Args:
        scores: (n, n) critic of all pairs, n ≥ 2.

    Returns:
        The value as an array of no axes, at most 0.

    References:
        [song:20] section 5, where SMILE's critic is trained by it.

    Example:
        >>> import numpy as np
        >>> round(float(jensen_shannon(np.zeros((2, 2)))), 6)  # −2 log 2
        -1.386294
    """
    xp = array_namespace(scores)
    n = scores.shape[0]
    zeros = xp.zeros_like(scores)
    together = xp.mean(xp.linalg.diagonal(xp.logaddexp(zeros, -scores)))
    soft = xp.logaddexp(zeros, scores)
    apart = (xp.sum(soft) - xp.sum(xp.linalg.diagonal(soft))) / (n * (n - 1))
    return -together - apart


def mask_diagonal(scores: Array) -> Array:
    """The scores with −∞ on the diagonal, so that only pairs drawn apart are left."""
    xp = array_namespace(scores)
    eye = xp.eye(scores.shape[0], dtype=xp.bool, device=device(scores))
    return xp.where(eye, xp.full_like(scores, -math.inf), scores)


def _mean_diagonal(scores: Array) -> Array:
    xp = array_namespace(scores)
    return xp.mean(xp.linalg.diagonal(scores))


def log_mean_exp_apart(scores: Array) -> Array:
    """The log of E'[e^T]: log of the mean of e^T off the diagonal [nats]."""
    xp = array_namespace(scores)
    n = scores.shape[0]
    return log_sum_exp(xp.reshape(mask_diagonal(scores), (-1,))) - math.log(n * (n - 1))
