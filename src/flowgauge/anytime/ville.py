"""Ville's inequality: the level of a test that is watched at every token.

For a process with expectation at most 1 at every stopping time, P(sup_j e_j ≥ 1/α) ≤ α. So the
null may be rejected at the first crossing of 1/α, however long one meant to look.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from flowgauge.anytime.e_process import check_ratios
from flowgauge.errors import DistributionError, SettingsError, ShapeError


@dataclass(frozen=True, slots=True, kw_only=True)
class VilleTest:
    """What an e-process said up to now.

    Attributes:
        alpha: Level of the test.
        log_e_value: Largest log e so far; 0 before the first token [nats].
        first_crossing: First token (0-based) with e ≥ 1/alpha; None if there was none.
    """

    alpha: float
    log_e_value: float
    first_crossing: int | None

    @property
    def rejects(self) -> bool:
        """Whether the null is rejected at level alpha."""
        return self.first_crossing is not None

    @property
    def log_p_value(self) -> float:
        """Log of the anytime p-value min(1, 1/sup e) [nats]."""
        return min(0.0, -self.log_e_value)


class FirstCrossing:
    """First token at which a watched path reaches a threshold, fed one token at a time.

    Attributes:
        index: That token (0-based), None while it has not come.

    Example:
        >>> crossing = FirstCrossing(2.0)
        >>> [crossing.update(x) for x in (1.0, 2.5, 0.0)]
        [None, 1, 1]
    """

    __slots__ = ("_seen", "index", "threshold")

    def __init__(self, threshold: float) -> None:
        if math.isnan(threshold):
            raise SettingsError("threshold is NaN: a number is needed")
        self.threshold = float(threshold)
        self.index: int | None = None
        self._seen = 0

    def update(self, value: float) -> int | None:
        """Take one value in; the first crossing so far [token]."""
        if math.isnan(value):
            raise DistributionError(
                f"path[{self._seen}] is NaN: a watched path has a value everywhere"
            )
        if self.index is None and value >= self.threshold:
            self.index = self._seen
        self._seen += 1
        return self.index


def first_crossing(path: npt.ArrayLike, threshold: float) -> int | None:
    """First token (0-based) at which the path is at or above the threshold [token].

    This is the stopping time τ = min{j : F_j ≥ c} when `path` is a flow (Corollary 3); a path that
    never gets there gives None, not its length.

    Args:
        path: (time,) flow, log e, log R: anything watched.
        threshold: c, in the unit of the path.

    Returns:
        The index, or None.

    Raises:
        DistributionError: The path holds NaN.
        ShapeError: The path has more than one axis.
        SettingsError: The threshold is NaN.

    References:
        [bai:25] III-D, Corollary 3.

    Example:
        >>> first_crossing([0.1, 1.2, 0.9], 1.0), first_crossing([0.1], 1.0)
        (1, None)
    """
    if math.isnan(threshold):
        raise SettingsError("threshold is NaN: a number is needed")
    values = check_ratios(path, "path")
    if values.ndim != 1:
        raise ShapeError(f"path has shape {values.shape}; (time,) was needed, one path at a time")
    reached = values >= threshold
    return int(np.argmax(reached)) if reached.any() else None


class Ville:
    """Ville's test fed with log e, one token at a time.

    Example:
        >>> test = Ville(alpha=0.1)
        >>> test.update(1.0).rejects, test.update(2.4).rejects, test.update(0.0).rejects
        (False, True, True)
    """

    __slots__ = ("_crossing", "_largest", "alpha")

    def __init__(self, alpha: float) -> None:
        self.alpha = check_alpha(alpha)
        self._crossing = FirstCrossing(-math.log(alpha))
        self._largest = -math.inf

    def update(self, log_e: float) -> VilleTest:
        """Take log e after one more token in; the test so far [nats]."""
        crossing = self._crossing.update(log_e)
        self._largest = max(self._largest, float(log_e))
        return VilleTest(alpha=self.alpha, log_e_value=self._largest, first_crossing=crossing)


def ville(log_e: npt.ArrayLike, alpha: float) -> VilleTest:
    """Test a null with an e-process that was watched at every token [nats].

    Args:
        log_e: (time,) log e after each token; may be empty.
        alpha: Level, between 0 and 1.

    Returns:
        Largest log e, first crossing of log(1/alpha), anytime p-value.

    Raises:
        SettingsError: `alpha` is not between 0 and 1.
        DistributionError: `log_e` holds NaN.

    References:
        [ville:39]; [ramdas:23].

    Example:
        >>> test = ville([1.0, 5.0, 2.0], alpha=0.01)
        >>> test.first_crossing, test.log_e_value
        (1, 5.0)
    """
    check_alpha(alpha)
    path = check_ratios(log_e, "log_e")
    return VilleTest(
        alpha=alpha,
        log_e_value=float(path.max()) if path.size else 0.0,
        first_crossing=first_crossing(path, -math.log(alpha)),
    )


def check_alpha(alpha: float) -> float:
    """The level, or an error if it is not between 0 and 1 [probability]."""
    if not 0 < alpha < 1:
        raise SettingsError(f"alpha = {alpha}; a level between 0 and 1 is needed, such as 0.01")
    return alpha
