"""Directed rate–distortion and rate–reward: how little information could do (theory §§5–6).

Solvers take laws as arrays and return records that carry their own certificate: the dual gap. The
vocabulary-wide step runs on numpy arrays and torch tensors; nothing here imports torch.
"""

from flowgauge.rate.alternate import AlternationSettings
from flowgauge.rate.best_of_n import best_of_n_kl, best_of_n_reward
from flowgauge.rate.blahut_arimoto import RatePoint, blahut_arimoto, blahut_arimoto_at
from flowgauge.rate.curve import RateDistortionCurve, rate_distortion_curve
from flowgauge.rate.directed import DirectedRateDistortion, directed_rate_distortion
from flowgauge.rate.frontier import RewardFrontier, reward_frontier_from_samples
from flowgauge.rate.kl_estimates import KLEstimate, KLEstimates, kl_estimates
from flowgauge.rate.operating_point import OperatingPoint, operating_point
from flowgauge.rate.reward import RateRewardCurve, rate_reward_curve
from flowgauge.rate.step import (
    RateDistortionStep,
    RateDistortionSweep,
    rate_distortion_step,
    rate_distortion_sweep,
)
from flowgauge.rate.step_at import rate_distortion_at
from flowgauge.rate.tilt import Tilt, tilt
from flowgauge.rate.truncated_kl import truncated_kl_lower_bound

__all__ = [
    "AlternationSettings",
    "DirectedRateDistortion",
    "KLEstimate",
    "KLEstimates",
    "OperatingPoint",
    "RateDistortionCurve",
    "RateDistortionStep",
    "RateDistortionSweep",
    "RatePoint",
    "RateRewardCurve",
    "RewardFrontier",
    "Tilt",
    "best_of_n_kl",
    "best_of_n_reward",
    "blahut_arimoto",
    "blahut_arimoto_at",
    "directed_rate_distortion",
    "kl_estimates",
    "operating_point",
    "rate_distortion_at",
    "rate_distortion_curve",
    "rate_distortion_step",
    "rate_distortion_sweep",
    "rate_reward_curve",
    "reward_frontier_from_samples",
    "tilt",
    "truncated_kl_lower_bound",
]
