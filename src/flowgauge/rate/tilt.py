"""Exponential tilting, the optimal policy of KL-regularised reward (theory §6; array API).

q ∝ m e^{βr} maximises E_q r − KL(q‖m)/β. Must not import torch.
"""

from dataclasses import dataclass
from typing import Any

from array_api_compat import array_namespace, is_array_api_obj, is_numpy_array

from flowgauge.errors import DistributionError, SettingsError, ShapeError
from flowgauge.math.logspace import log_sum_exp
from flowgauge.math.validate import as_floats, check_log_distribution

Array = Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Tilt:
    """A tilted law and what it costs; KL = β reward − log_partition holds to round-off.

    Attributes:
        log_q: (…, vocab) log-probabilities [nats].
        kl: (…) KL(q‖m) summed term by term [nats].
        reward: (…) E_q r, in the caller's unit.
        log_partition: (…) log E_m e^{βr} [nats].
    """

    log_q: Array
    kl: Array
    reward: Array
    log_partition: Array


def tilt(log_m: Array, reward: Array, beta: float) -> Tilt:
    """Law q ∝ m e^{βr} of each row, the optimum of KL-regularised RLHF [nats].

    With m a reference policy it is the policy that DPO and PPO with penalty 1/β aim at; a trained
    model is not on this curve, only above it.

    Args:
        log_m: (…, vocab) reference law [nats]; −inf is legal.
        reward: (…, vocab) or (vocab,) finite rewards, or −inf for what is forbidden (β > 0).
        beta: β, finite; 0 gives m, negative seeks low reward [nats per unit of reward].

    Returns:
        `Tilt`.

    Raises:
        DistributionError: log_m is no law, a reward is NaN or +inf, everything m allows is
            forbidden, or β r overflows the dtype.
        ShapeError: Shapes that do not fit.
        SettingsError: β is not finite, or not positive with forbidden responses.

    References:
        [bai:25] section III-C; [korbak:22] for RLHF as KL-regularised inference.

    Example:
        >>> import numpy as np
        >>> law = tilt(np.log([0.5, 0.3, 0.2]), np.array([0.0, 1.0, 2.0]), 1.0)
        >>> np.exp(law.log_q).round(4)
        array([0.179 , 0.2919, 0.5291])
        >>> bool(abs(law.kl - (law.reward - law.log_partition)) < 1e-12)
        True
    """
    log_m = check_log_distribution(log_m, "log_m")
    xp = array_namespace(log_m)
    if not is_array_api_obj(reward) or is_numpy_array(reward):
        reward = as_floats(reward, "reward")
    reward = xp.asarray(reward, dtype=log_m.dtype, device=log_m.device)
    shapes = tuple(log_m.shape), tuple(reward.shape)
    if shapes[1] not in (shapes[0], shapes[0][-1:]):
        raise ShapeError(
            f"log_m has shape {shapes[0]}, reward {shapes[1]}: reward must have the shape of log_m "
            "or be (vocab,)"
        )
    _check_reward(xp, reward, beta)
    zero = xp.zeros_like(log_m)
    score = _score(xp, reward, beta) if beta != 0.0 else zero
    log_partition = log_sum_exp(log_m + score, keepdims=True)
    if bool(xp.any(log_partition == -xp.inf)):
        raise DistributionError(
            "reward is −inf on everything log_m allows in some row: no law is left to tilt to"
        )
    log_q = log_m + score - log_partition
    q = xp.exp(log_q)
    used = q > 0
    ratio = xp.where(used, score - log_partition, zero)
    earned = xp.where(used, xp.broadcast_to(reward, log_m.shape), zero)
    return Tilt(
        log_q=log_q,
        kl=xp.maximum(xp.sum(q * ratio, axis=-1), zero[..., 0]),
        reward=xp.sum(q * earned, axis=-1),
        log_partition=xp.squeeze(log_partition, axis=-1),
    )


def _check_reward(xp: Any, reward: Array, beta: float) -> None:
    if not -float("inf") < beta < float("inf"):
        raise SettingsError(
            f"beta = {beta}: a finite number was needed; β → ∞ puts all on the best"
        )
    if bool(xp.any(xp.isnan(reward) | (reward == xp.inf))):
        raise DistributionError(
            "reward holds NaN or +inf: rewards are finite, or −inf if forbidden"
        )
    if beta <= 0 and bool(xp.any(reward == -xp.inf)):
        raise SettingsError(f"beta = {beta} with rewards of −inf: forbidding needs β > 0")


def _score(xp: Any, reward: Array, beta: float) -> Array:
    """Products β r, finite wherever r is."""
    largest = float(xp.max(xp.abs(xp.where(reward == -xp.inf, xp.zeros_like(reward), reward))))
    # half the range: the score still has log m and the partition added to it
    limit = 0.5 * float(xp.finfo(reward.dtype).max)
    if abs(beta) * largest > limit:
        raise DistributionError(
            f"beta = {beta:g} times a reward of size {largest:g} overflows {reward.dtype}: rescale "
            "the rewards; β → ∞ puts all on the best"
        )
    return beta * reward
