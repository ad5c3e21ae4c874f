"""KL of a policy from its reference, estimated from the policy's own samples (theory §6).

With r = reference/policy at each token written: k1 = −log r, k2 = ½ log² r, k3 = r − 1 − log r, and
the Rao–Blackwellised sum of exact per-token KLs. Sums over a response, means over responses.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from flowgauge.errors import DistributionError, ShapeError
from flowgauge.math.validate import as_floats, check_log_probabilities, check_same_shape
from flowgauge.records import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class KLEstimate:
    """One estimator's value.

    Attributes:
        value: Mean over responses [nats per response]; +inf where the reference excludes a token.
        standard_error: Of the mean; +inf with one response or an infinite value [nats].
        is_unbiased: Whether its expectation is the KL.
    """

    value: float
    standard_error: float
    is_unbiased: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class KLEstimates:
    """The estimators side by side; `rao_blackwellised` is None without exact per-token KLs."""

    k1: KLEstimate
    k2: KLEstimate
    k3: KLEstimate
    rao_blackwellised: KLEstimate | None


def kl_estimates(
    log_policy: npt.ArrayLike, log_reference: npt.ArrayLike, exact: npt.ArrayLike | None = None
) -> KLEstimates:
    """KL(policy ‖ reference) per response from the policy's samples, four ways [nats].

    k1 and k3 are unbiased, k1 with more variance and of either sign; k2 is biased, of second
    order where the laws are close. The Rao–Blackwellised sum has the least variance. None of them
    is a bound, and none is right for samples of anything but the policy.

    Args:
        log_policy: (sample,) or (sample, time) log-probability of each token under the policy that
            drew it [nats]. Pad short responses with 0 in all three arrays.
        log_reference: Same shape, under the reference; −inf is legal.
        exact: Same shape, KL of the two next-token laws at each position [nats].

    Returns:
        `KLEstimates`.

    Raises:
        DistributionError: NaN, a value above 0, or a token the policy excludes.
        ShapeError: Shapes that differ, or no samples.

    References:
        [schulman:20] for k1, k2, k3; [amini:25] for the Rao–Blackwellised sum.

    Example:
        >>> import numpy as np
        >>> estimates = kl_estimates(np.log([0.5, 0.5]), np.log([0.9, 0.1]))
        >>> round(estimates.k1.value, 6), estimates.k1.is_unbiased
        (0.510826, True)
    """
    given = as_floats(log_policy, "log_policy")
    ndim = given.ndim
    if ndim not in (1, 2) or given.size == 0:
        raise ShapeError(
            f"log_policy has shape {given.shape}: (sample,) or (sample, time) was needed"
        )
    policy = check_log_probabilities(log_policy, "log_policy", ndim)
    reference = check_log_probabilities(log_reference, "log_reference", ndim)
    check_same_shape(log_policy=policy, log_reference=reference)
    if np.isinf(policy).any():
        first = tuple(int(i) for i in np.argwhere(np.isinf(policy))[0])
        raise DistributionError(
            f"log_policy{list(first)} is −inf: the policy cannot have written that token; pass "
            "samples of the policy"
        )
    log_r = reference - policy
    with np.errstate(over="ignore"):
        k3 = np.expm1(log_r) - log_r
    return KLEstimates(
        k1=_estimate(-log_r, is_unbiased=True),
        k2=_estimate(0.5 * log_r**2, is_unbiased=False),
        k3=_estimate(k3, is_unbiased=True),
        rao_blackwellised=None if exact is None else _exact(exact, policy),
    )


def _exact(exact: npt.ArrayLike, policy: FloatArray) -> KLEstimate:
    values = as_floats(exact, "exact")
    check_same_shape(exact=values, log_policy=policy)
    if not bool(np.all(values >= -1e-9)):
        raise DistributionError(
            f"exact has the entry {values[~(values >= -1e-9)][0]}: a KL divergence is 0 or more"
        )
    return _estimate(values, is_unbiased=True)


def _estimate(values: FloatArray, *, is_unbiased: bool) -> KLEstimate:
    totals = values if values.ndim == 1 else values.sum(axis=1)
    mean = float(totals.mean())
    error = np.inf
    if np.isfinite(mean) and len(totals) > 1:
        error = float(totals.std(ddof=1) / np.sqrt(len(totals)))
    return KLEstimate(value=mean, standard_error=error, is_unbiased=is_unbiased)
