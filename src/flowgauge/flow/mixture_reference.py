"""The reference law of a pool of sources: sequential Bayes (paper III-A, the marginal of U).

    w_{k,j} ∝ p(s_k) Π_{i<j} P(u_i | s_k, u_<i)          Q_j(u_j) = Σ_k w_{k,j} P(u_j | s_k, u_<j)

This is the exact marginal law of a source drawn from the pool, at the tokens that were written; it
needs realised log-probabilities alone, no vocabulary.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from flowgauge.errors import DistributionError, SettingsError, ShapeError
from flowgauge.math.logspace import log_sum_exp
from flowgauge.math.validate import check_log_distribution, check_log_probabilities, is_count
from flowgauge.records import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class MixtureReference:
    """What the pool says of each token written.

    Attributes:
        log_q: (time,) log Q_j(u_j) [nats].
        log_weights: (time, source) log w_{k,j} *before* token j; −inf for excluded sources [nats].
        log_posterior: (source,) log weights after the last token [nats].
    """

    log_q: FloatArray
    log_weights: FloatArray
    log_posterior: FloatArray


def mixture_reference(
    log_p_pool: npt.ArrayLike,
    log_prior: npt.ArrayLike | None = None,
    exclude: int | Sequence[int] | None = None,
) -> MixtureReference:
    """Reference law of each token as the sources' Bayes mixture [nats].

    With the response's own source in the pool, the flow against it is at most log K and, averaged
    over fresh pools, a lower bound on I(S;U); with the own source excluded, an upper bound. It is a
    law of *this* pool: other sources give another one.

    Args:
        log_p_pool: (source, time) log P(u_j | s_k, u_<j) of the tokens written [nats].
        log_prior: (source,) log prior of the sources; uniform if None [nats].
        exclude: Index or indices of sources left out, such as the response's own; the prior is
            renormalised over the rest.

    Returns:
        Log-probabilities of the mixture and the weights it had before each token.

    Raises:
        DistributionError: NaN, a value above 0, a prior that does not sum to 1, or a token that no
            source left in the pool allows; shows the first such token.
        SettingsError: An index that does not exist, or no source left.
        ShapeError: Shapes that do not fit.

    References:
        [bai:25] III-A; [poole:19] for the two bounds.

    Example:
        >>> m = mixture_reference(np.log([[0.9, 0.9], [0.1, 0.9]]))
        >>> np.exp(m.log_q).round(3), np.exp(m.log_weights).round(3).tolist()
        (array([0.5, 0.9]), [[0.5, 0.5], [0.9, 0.1]])
    """
    pool = check_log_probabilities(log_p_pool, "log_p_pool", ndim=2)
    count, time = pool.shape
    log_w = _prior(log_prior, count, exclude)
    log_q, log_weights = np.empty(time), np.empty((time, count))
    for j in range(time):
        log_weights[j] = log_w
        joint = log_w + pool[:, j]
        log_q[j] = log_sum_exp(joint)
        if np.isneginf(log_q[j]):
            raise DistributionError(
                f"token {j} has probability 0 under every source left in the pool, so the weights "
                "after it are not defined; add sources or exclude fewer"
            )
        log_w = joint - log_q[j]
    return MixtureReference(log_q=log_q, log_weights=log_weights, log_posterior=log_w)


def _prior(
    log_prior: npt.ArrayLike | None, count: int, exclude: int | Sequence[int] | None
) -> FloatArray:
    """Log prior over the pool, excluded sources at −inf."""
    if log_prior is None:
        prior = np.full(count, -np.log(count)) if count else np.empty(0)
    else:
        prior = np.array(check_log_distribution(log_prior, "log_prior"), dtype=np.float64)
    if prior.shape != (count,) or not count:
        raise ShapeError(f"log_prior has shape {prior.shape} for a pool of {count} sources")
    left_out = np.atleast_1d(np.array(() if exclude is None else exclude, dtype=object)).tolist()
    wrong = [k for k in left_out if not (is_count(k, 0) and k < count)]
    if wrong:
        raise SettingsError(f"exclude names source {wrong[0]}; the pool has 0 … {count - 1}")
    prior[left_out] = -np.inf
    total = log_sum_exp(prior)
    if np.isneginf(total):
        raise SettingsError(f"no source with mass is left: {len(left_out)} of {count} are excluded")
    return prior - total
