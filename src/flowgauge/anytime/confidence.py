"""A confidence sequence for the mean flow per token, valid at all tokens at once.

The target at token t is the mean of the conditional means, μ̄_t = (1/t) Σ_{i≤t} E[X_i | past], which
may drift. Assumption: every X_i lies in a range [lower, upper] that is known beforehand. Without
a range no such sequence exists (Bahadur and Savage); clip the density for one, and the target is
the mean of the clipped density.

Proof. Let c = upper − lower, X̂_i a prediction from the past, 0 ≤ λ < 1/c and
ψ(λ) = (−log(1 − cλ) − cλ)/c². Fan's inequality exp(λy − ψ(λ)y²) ≤ 1 + λy for y ≥ −c, taken at
y = X_i − X̂_i, makes exp(λ Σ(X_i − E[X_i|past]) − ψ(λ) Σ(X_i − X̂_i)²) a supermartingale; so is its
mean over a grid of λ. Ville's inequality at 2/alpha bounds the sum from one side, mirrored values
from the other.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from flowgauge.anytime.e_process import check_ratios
from flowgauge.anytime.ville import check_alpha
from flowgauge.errors import DistributionError, SettingsError, ShapeError
from flowgauge.math.logspace import log_mean_exp
from flowgauge.records import FloatArray

#: cλ on a grid of powers of 2, fixed: good from a few tokens to about 2^40 of them.
_GRID = 2.0 ** -np.arange(1.0, 21.0)
_PSI = -np.log1p(-_GRID) - _GRID
#: Newton on a convex function from its right side: after 6 steps double precision is reached.
_STEPS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfidenceSequence:
    """Intervals for the running mean, all of them right at once with probability 1 − alpha.

    Attributes:
        mean: (time,) mean of the values so far [nats].
        lower, upper: (time,) ends of the interval for μ̄_t [nats].
        alpha: Chance that any interval misses its target.
    """

    mean: FloatArray
    lower: FloatArray
    upper: FloatArray
    alpha: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfidenceInterval:
    """The interval after one token.

    Attributes:
        mean: Mean of the values so far [nats].
        lower, upper: Ends of the interval [nats].
    """

    mean: float
    lower: float
    upper: float


class MeanConfidence:
    """Confidence sequence fed one value at a time [nats].

    Args:
        lower, upper: Range of the values, known before the first.
        alpha: Chance that any interval misses its target.

    Example:
        >>> sequence = MeanConfidence(lower=0.0, upper=1.0, alpha=0.05)
        >>> for x in [0.5] * 200:
        ...     interval = sequence.update(x)
        >>> round(interval.lower, 3), round(interval.upper, 3)
        (0.434, 0.566)
    """

    __slots__ = ("_count", "_squares", "_total", "alpha", "lower", "upper")

    def __init__(self, *, lower: float, upper: float, alpha: float = 0.05) -> None:
        _check_range(lower, upper)
        self.lower, self.upper, self.alpha = float(lower), float(upper), check_alpha(alpha)
        self._count, self._total, self._squares = 0, 0.0, 0.0

    def update(self, value: float) -> ConfidenceInterval:
        """Take one value in; the interval after it [nats].

        Raises:
            DistributionError: The value is NaN or outside the range.
        """
        x = (_check_values(np.array([value]), self.lower, self.upper)[0] - self.lower) / (
            self.upper - self.lower
        )
        prediction = (0.5 + self._total) / (self._count + 1)
        self._squares += (x - prediction) ** 2
        self._total += float(x)
        self._count += 1
        path = _intervals(
            np.array([self._total]), np.array([self._squares]), np.array([self._count]), self
        )
        return ConfidenceInterval(
            mean=float(path.mean[0]), lower=float(path.lower[0]), upper=float(path.upper[0])
        )


def confidence_sequence(
    values: npt.ArrayLike, *, lower: float, upper: float, alpha: float = 0.05
) -> ConfidenceSequence:
    """Intervals for the mean flow per token, valid at every token at once [nats].

    The target is the mean of the conditional means up to t, whatever law the tokens follow; it may
    change from token to token. The intervals are therefore not intersected over time. They say
    nothing about tokens still to come, nor about single densities.

    Args:
        values: (time,) densities, clipped to the range if they have none of their own [nats].
        lower: Least value possible, fixed before looking [nats].
        upper: Largest value possible, fixed before looking [nats].
        alpha: Chance that any of the intervals misses its target.

    Returns:
        Running mean with both ends, cut to the range.

    Raises:
        SettingsError: The range is empty or not finite, or `alpha` is not between 0 and 1.
        DistributionError: A value is NaN or outside the range; shows the first one.
        ShapeError: The values have more than one axis.

    References:
        [howard:21] theorem 4 (empirical Bernstein), with a discrete mixture; [fan:15] for the
        inequality; [bahadur:56] for the need of a range.

    Example:
        >>> s = confidence_sequence([0.5] * 200, lower=0.0, upper=1.0)
        >>> s.mean[-1], s.lower[-1].round(3), s.upper[-1].round(3)
        (np.float64(0.5), np.float64(0.434), np.float64(0.566))
    """
    settings = MeanConfidence(lower=lower, upper=upper, alpha=alpha)
    x = (_check_values(values, lower, upper) - lower) / (upper - lower)
    count = np.arange(1, len(x) + 1)
    totals = np.cumsum(x)
    predictions = (0.5 + np.concatenate([[0.0], totals[:-1]])) / count
    return _intervals(totals, np.cumsum((x - predictions) ** 2), count, settings)


def _intervals(
    totals: FloatArray, squares: FloatArray, count: npt.NDArray[np.int64], settings: MeanConfidence
) -> ConfidenceSequence:
    """Intervals from the sufficient statistics, values in units of the range."""
    radius = _boundary(squares, math.log(2.0 / settings.alpha)) / count
    mean, width = totals / count, settings.upper - settings.lower
    return ConfidenceSequence(
        mean=settings.lower + width * mean,
        lower=settings.lower + width * np.maximum(mean - radius, 0.0),
        upper=settings.lower + width * np.minimum(mean + radius, 1.0),
        alpha=settings.alpha,
    )


def _boundary(squares: FloatArray, log_level: float) -> FloatArray:
    """The s with log mean_λ exp(λs − ψ(λ)V) = log_level, per entry of V."""
    penalty = _PSI * squares[:, None]
    s = np.min((log_level + math.log(len(_GRID)) + penalty) / _GRID, axis=1)
    for _ in range(_STEPS):
        exponents = _GRID * s[:, None] - penalty
        value = log_mean_exp(exponents)
        weights = np.exp(exponents - value[:, None]) / len(_GRID)
        s = s - (value - log_level) / np.sum(weights * _GRID, axis=1)
    return s


def _check_range(lower: float, upper: float) -> None:
    if not (math.isfinite(lower) and math.isfinite(upper) and lower < upper):
        raise SettingsError(
            f"lower = {lower}, upper = {upper}; a finite range with lower < upper is needed, "
            "fixed before looking at the values"
        )


def _check_values(values: npt.ArrayLike, lower: float, upper: float) -> FloatArray:
    array = check_ratios(values, "values")
    if array.ndim != 1:
        raise ShapeError(
            f"values has shape {array.shape}; (time,) was needed, one response at a time"
        )
    outside = (array < lower) | (array > upper)
    if outside.any():
        first = int(np.argmax(outside))
        raise DistributionError(
            f"values[{first}] = {array[first]:.6g} is outside [{lower:g}, {upper:g}]; clip the "
            "values to a range fixed beforehand (the target is then the clipped mean)"
        )
    return array
