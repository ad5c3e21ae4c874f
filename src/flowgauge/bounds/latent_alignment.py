"""Attention read as a latent alignment, and the exact gap of its ELBO (theory §9; paper V-C).

log Σ_j π_j p(u|j) = ELBO(q) + KL(q‖posterior), with π the attention over source positions j.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from flowgauge.errors import DistributionError, ShapeError
from flowgauge.math.logspace import log_sum_exp
from flowgauge.math.validate import ROUND_OFF, as_floats, check_log_distribution
from flowgauge.records import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class LatentAlignmentElbo:
    """The bound, what it bounds and the gap, computed apart from each other.

    Attributes:
        elbo: (…) Σ_j q_j (log π_j p(u|j) − log q_j) [nats].
        log_evidence: (…) log Σ_j π_j p(u|j) [nats].
        gap: (…) KL(q‖posterior) [nats]; elbo + gap = log_evidence to round-off.
        log_posterior: (…, source) log of π_j p(u|j)/evidence [nats].
    """

    elbo: FloatArray
    log_evidence: FloatArray
    gap: FloatArray
    log_posterior: FloatArray


def latent_alignment_elbo(
    log_prior: npt.ArrayLike, log_likelihood: npt.ArrayLike, log_q: npt.ArrayLike | None = None
) -> LatentAlignmentElbo:
    """ELBO of a latent alignment and its exact gap [nats].

    The evidence is that of the mixture Σ π_j p(u|j). A real attention layer mixes values before
    the non-linearity, so its own log p(u) is not this evidence.

    Args:
        log_prior: (…, source) log attention weights π [nats].
        log_likelihood: (…, source) log p(u|j) of the token written [nats].
        log_q: (…, source) variational law; by default π itself, which gives the expected
            log-likelihood Σ π_j log p(u|j).

    Returns:
        `LatentAlignmentElbo`; −inf elbo and +inf gap where q allows a j that cannot have written u.

    Raises:
        DistributionError: A law does not sum to 1, a likelihood is NaN or above 0, or
            no alignment can have written u.
        ShapeError: Shapes that differ.

    References:
        [deng:18] latent alignment and variational attention; [bai:25] section V.

    Example:
        >>> import numpy as np
        >>> bound = latent_alignment_elbo(np.log([0.5, 0.5]), np.log([0.8, 0.2]))
        >>> round(float(bound.elbo), 4), round(float(bound.log_evidence), 4)
        (-0.9163, -0.6931)
        >>> round(float(bound.elbo + bound.gap - bound.log_evidence), 12)
        0.0
    """
    prior = np.asarray(check_log_distribution(log_prior, "log_prior"), dtype=np.float64)
    likelihood = as_floats(log_likelihood, "log_likelihood")
    law = prior if log_q is None else np.asarray(check_log_distribution(log_q, "log_q"))
    if not prior.shape == likelihood.shape == law.shape:
        raise ShapeError(
            f"shapes must be equal, these came: log_prior {prior.shape}, log_likelihood "
            f"{likelihood.shape}, log_q {law.shape}"
        )
    wrong = ~(likelihood <= ROUND_OFF)
    if wrong.any():
        raise DistributionError(
            f"log_likelihood holds {likelihood[wrong][0]}: log-probabilities are ≤ 0 or −inf, not "
            "NaN and not log-densities"
        )
    joint = prior + likelihood
    evidence = np.asarray(log_sum_exp(joint))
    if np.isinf(evidence).any():
        raise DistributionError(
            "no alignment can have written u: log_prior + log_likelihood is −inf everywhere in "
            "some row"
        )
    posterior = joint - evidence[..., None]
    return LatentAlignmentElbo(
        elbo=_expected_ratio(law, joint),
        log_evidence=evidence,
        gap=-_expected_ratio(law, posterior),
        log_posterior=posterior,
    )


def _expected_ratio(log_q: FloatArray, log_target: FloatArray) -> FloatArray:
    """Σ q (log target − log q) with 0 log 0 = 0."""
    used = log_q > -np.inf
    ratio = np.where(used, log_target, 0.0) - np.where(used, log_q, 0.0)
    # exp underflows below −745, yet q gives mass there: 0 · −∞ is −∞, not NaN
    lost = np.isneginf(ratio)
    return np.where(lost, -np.inf, np.exp(log_q) * np.where(lost, 0.0, ratio)).sum(axis=-1)
