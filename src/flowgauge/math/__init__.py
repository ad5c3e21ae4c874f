"""Entropies, divergences and log-space arithmetic on numpy and torch alike, in nats."""

from flowgauge.math.divergence import (
    kl_divergence,
    log_moment,
    relative_varentropy,
    renyi_divergence,
)
from flowgauge.math.entropy import cross_entropy, entropy, uncertainty_coefficient, varentropy
from flowgauge.math.logspace import log_mean_exp, log_sum_exp
from flowgauge.math.validate import (
    check_distribution,
    check_log_distribution,
    check_log_probabilities,
    check_same_shape,
)
from flowgauge.math.wright_omega import wright_omega

__all__ = [
    "check_distribution",
    "check_log_distribution",
    "check_log_probabilities",
    "check_same_shape",
    "cross_entropy",
    "entropy",
    "kl_divergence",
    "log_mean_exp",
    "log_moment",
    "log_sum_exp",
    "relative_varentropy",
    "renyi_divergence",
    "uncertainty_coefficient",
    "varentropy",
    "wright_omega",
]
