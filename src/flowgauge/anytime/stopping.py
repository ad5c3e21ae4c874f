"""How long until the evidence is there: Wald's identity at the first crossing (Corollary 3).

At τ = min{j : F_j ≥ c} under P, E F_τ = E A_τ. With a constant drift k this is E τ = E F_τ / k, and
F_τ lies between c and c plus the largest density, so E τ is known up to that overshoot.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from flowgauge.errors import DistributionError, SettingsError, UnreachableError
from flowgauge.math.validate import as_floats
from flowgauge.records import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class StoppingTime:
    """Expected first crossing of a threshold.

    Attributes:
        tokens: threshold / drift: the expectation without overshoot, a lower bound [tokens].
        upper: (threshold + largest density) / drift; inf if no largest density was given [tokens].
        mean_drift: The drift it stands on [nats per token].
    """

    tokens: float
    upper: float
    mean_drift: float


class StoppingForecast:
    """Expected first crossing, from the drifts of the tokens so far, fed one at a time.

    Example:
        >>> forecast = StoppingForecast(threshold=4.6)
        >>> forecast.update(0.2).tokens, forecast.update(0.72).tokens
        (22.999999999999996, 10.0)
    """

    __slots__ = ("_count", "_total", "largest_density", "threshold")

    def __init__(self, threshold: float, *, largest_density: float = math.inf) -> None:
        self.threshold = _check_threshold(threshold)
        self.largest_density = _check_largest(largest_density)
        self._total, self._count = 0.0, 0

    def update(self, drift: float) -> StoppingTime:
        """Take KL(P_j‖Q_j) of one token in; the expectation from the mean so far [tokens]."""
        self._total += float(_check_drift(np.array([drift]))[0])
        self._count += 1
        return _stopping_time(self.threshold, self._total / self._count, self.largest_density)


def expected_stopping_time(
    threshold: float, drift: npt.ArrayLike, *, largest_density: float = math.inf
) -> StoppingTime:
    """Expected number of tokens until the flow reaches a threshold, by Wald's identity [tokens].

    Exact as a pair of bounds for texts drawn from P with constant drift; with a drift that varies
    it is the plug-in of the mean, an approximation whose error is to be measured. For a text
    somebody else wrote it is a scale, no expectation.

    Args:
        threshold: c > 0, such as log(1/alpha) [nats].
        drift: KL(P‖Q) per token, one number or (time,) [nats].
        largest_density: Largest log P/Q a token can have; gives the upper bound [nats].

    Returns:
        The expectation without overshoot, and its upper bound.

    Raises:
        UnreachableError: The mean drift is 0, or next to it: the flow has no reason to rise.
        SettingsError: The threshold is not above 0, or the largest density is NaN or not above 0.
        DistributionError: A drift is NaN, infinite or negative.

    References:
        [wald:44]; [bai:25] III-D, Corollary 3.

    Example:
        >>> expected_stopping_time(4.0, [0.1, 0.3], largest_density=1.0)
        StoppingTime(tokens=20.0, upper=25.0, mean_drift=0.2)
    """
    _check_threshold(threshold)
    _check_largest(largest_density)
    drifts = _check_drift(np.atleast_1d(as_floats(drift, "drift")))
    mean = float(np.cumsum(drifts)[-1]) / len(drifts)
    return _stopping_time(threshold, mean, largest_density)


def _stopping_time(threshold: float, mean_drift: float, largest_density: float) -> StoppingTime:
    tokens = threshold / mean_drift if mean_drift else math.inf
    if math.isinf(tokens):  # a drift of 1e-310 is as good as none
        raise UnreachableError(
            f"the mean drift is {mean_drift:g} nats per token, so a flow of {threshold:g} nats is "
            "not to be expected at any length; the two laws do not differ here"
        )
    return StoppingTime(
        tokens=tokens,
        upper=(threshold + largest_density) / mean_drift,
        mean_drift=mean_drift,
    )


def _check_threshold(threshold: float) -> float:
    if not threshold > 0 or math.isinf(threshold):
        raise SettingsError(f"threshold = {threshold}; a finite number of nats above 0 is needed")
    return float(threshold)


def _check_largest(largest_density: float) -> float:
    if not largest_density > 0:
        raise SettingsError(
            f"largest_density = {largest_density}; a number of nats above 0 is needed: where no "
            "density is above 0 the flow never rises"
        )
    return float(largest_density)


def _check_drift(drift: FloatArray) -> FloatArray:
    wrong = ~np.isfinite(drift) | (drift < 0)
    if drift.ndim != 1 or not len(drift) or wrong.any():
        raise DistributionError(
            f"drift = {drift}; finite numbers, 0 or more, at least one, were needed"
        )
    return drift
