"""Directed rate–reward (theory §6; paper III-C): least information for a mean reward.

R(W) = min I(S→U) subject to E r(S,U) ≥ W has q(u|s) ∝ m(u) e^{β r(s,u)} with m = E_s q: the
classical problem of `blahut_arimoto.py` with cost −r, asked for by its reward.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from flowgauge.errors import ShapeError, UnreachableError
from flowgauge.math.validate import as_floats
from flowgauge.rate.alternate import AlternationSettings
from flowgauge.rate.blahut_arimoto import check_cost, point_at
from flowgauge.records import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class RateRewardCurve:
    """Points of R(W), each with its certificate: `rate − gap ≤ R(reward) ≤ rate`.

    Attributes:
        reward: (point,) mean reward reached, in the caller's unit.
        rate: (point,) I(S;U) [nats].
        gap: (point,) dual gap [nats].
        beta: (point,) β = dR/dW [nats per unit of reward]; ∞ at the largest reward.
        log_policy: (point, source, response) log q(u|s) [nats].
        converged: (point,) whether the gap is within the tolerance.
        iterations: (point,) alternations of the last solve.
    """

    reward: FloatArray
    rate: FloatArray
    gap: FloatArray
    beta: FloatArray
    log_policy: FloatArray
    converged: npt.NDArray[np.bool_]
    iterations: npt.NDArray[np.int64]


def rate_reward_curve(
    weights: npt.ArrayLike,
    reward: npt.ArrayLike,
    targets: npt.ArrayLike | None = None,
    settings: AlternationSettings | None = None,
) -> RateRewardCurve:
    """Least information from source to response at given mean rewards, R(W) [nats].

    R = 0 up to the reward of the best single response for all sources. A policy's own point
    (reward, I(S→U)) lies on or above the curve; how far above is what its training wasted.

    Args:
        weights: (source,) probabilities of the sources.
        reward: (source, response) finite rewards r(s, u).
        targets: (point,) mean rewards W; by default nine from the reward at rate 0 to the largest.
        settings: When to stop; the gap is at most 1e-9 nats by default.

    Returns:
        `RateRewardCurve`, one point per target.

    Raises:
        UnreachableError: A target is above the largest mean reward; shows both.
        DistributionError, ShapeError: weights or rewards that are none.

    References:
        [bai:25] section III-C; [blahut:72].

    Example:
        >>> curve = rate_reward_curve([0.5, 0.5], np.eye(2), [0.5, 0.9, 1.0])
        >>> curve.rate.round(4), curve.beta.round(4)
        (array([0.    , 0.3681, 0.6931]), array([0.    , 2.1972,    inf]))
    """
    law, gain = check_cost(weights, reward, "reward")
    free, most = float((law @ gain).max()), float(law @ gain.max(axis=1))
    wanted = np.linspace(free, most, 9)
    if targets is not None:
        wanted = np.atleast_1d(as_floats(targets, "targets"))
    if wanted.ndim != 1 or wanted.size == 0:
        raise ShapeError(f"targets has shape {wanted.shape}: a list (point,) was needed")
    slack = 1e-12 * (1.0 + abs(most))
    if not bool(np.all(wanted <= most + slack)):
        raise UnreachableError(
            f"targets = {wanted}: the largest mean reward of any policy is {most:.9g}; ask for "
            "that or less"
        )
    settings = settings or AlternationSettings()
    points = [point_at(law, -gain, -float(min(target, most)), settings) for target in wanted]
    return RateRewardCurve(
        reward=np.array([-point.distortion for point in points]),
        rate=np.array([point.rate for point in points]),
        gap=np.array([point.gap for point in points]),
        beta=np.array([point.multiplier for point in points]),
        log_policy=np.array([point.log_channel for point in points]),
        converged=np.array([point.converged for point in points]),
        iterations=np.array([point.iterations for point in points]),
    )
