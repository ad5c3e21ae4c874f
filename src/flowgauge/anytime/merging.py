"""Many e-values: one by averaging or multiplying, a list by e-BH with FDR control.

All of it in logarithms. A merged e-value speaks against the intersection of the nulls that went in,
which is less than against each.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from flowgauge.anytime.e_process import check_ratios
from flowgauge.anytime.ville import check_alpha
from flowgauge.errors import DistributionError, ShapeError
from flowgauge.math.logspace import log_mean_exp
from flowgauge.records import FloatArray

BoolArray = npt.NDArray[np.bool_]


class EValueMean:
    """Mean of e-values fed one at a time, log of it [nats].

    Attributes:
        count: e-values so far.

    Example:
        >>> mean = EValueMean()
        >>> mean.update(0.0), round(mean.update(np.log(3.0)), 6)
        (0.0, 0.693147)
    """

    __slots__ = ("_log_sum", "count")

    def __init__(self) -> None:
        self._log_sum = -math.inf
        self.count = 0

    def update(self, log_e: float) -> float:
        """Take one log e-value in; log of the mean so far [nats].

        Raises:
            DistributionError: The value is NaN.
        """
        if math.isnan(log_e):
            raise DistributionError("log_e is NaN: an e-value is a number, 0 or more")
        self._log_sum = float(np.logaddexp(self._log_sum, log_e))
        self.count += 1
        return self._log_sum - math.log(self.count)


def merge_e_values(log_e_values: npt.ArrayLike) -> float:
    """Log of the mean of e-values, an e-value under any dependence [nats].

    Null: all of their nulls at once. How many there are must not depend on their values.

    Args:
        log_e_values: (record,) log e-values; ±∞ is legal [nats].

    Returns:
        Log of the mean.

    Raises:
        ShapeError: There is none.
        DistributionError: One is NaN.

    References:
        [vovk:21]: up to domination the only symmetric way to merge.

    Example:
        >>> round(merge_e_values(np.log([1.0, 3.0])), 6)
        0.693147
    """
    return float(log_mean_exp(_check_list(log_e_values)))


def multiply_e_values(log_e_values: npt.ArrayLike) -> float:
    """Log of the product of *independent* e-values [nats].

    Null: all of their nulls at once. Records that share documents, counter-sources or a prompt are
    not independent; average those (`merge_e_values`).

    Args:
        log_e_values: (record,) log e-values; a single −∞ makes the product −∞ [nats].

    Returns:
        Log of the product.

    Raises:
        ShapeError: There is none.
        DistributionError: One is NaN.

    References:
        [vovk:21].

    Example:
        >>> round(multiply_e_values(np.log([2.0, 3.0])), 6)
        1.791759
    """
    values = _check_list(log_e_values)
    return -math.inf if np.isneginf(values).any() else float(values.sum())


@dataclass(frozen=True, slots=True, kw_only=True)
class EBHResult:
    """Which nulls of a list are rejected.

    Attributes:
        rejected: (record,) True where the null is rejected.
        log_threshold: log(K/(alpha·rejections)), what a log e-value had to reach; inf if no null is
            rejected [nats].
        alpha: Bound on the false discovery rate.
    """

    rejected: BoolArray
    log_threshold: float
    alpha: float

    @property
    def rejections(self) -> int:
        """Number of rejected nulls."""
        return int(self.rejected.sum())


class EBH:
    """E-BH fed with one log e-value at a time; each answer is that for the list so far.

    The bound holds for each list whose length was not chosen by its values.

    Example:
        >>> procedure = EBH(alpha=0.1)
        >>> procedure.update(2.0).rejections, procedure.update(5.0).rejections
        (0, 1)
    """

    __slots__ = ("_values", "alpha")

    def __init__(self, alpha: float) -> None:
        self.alpha = check_alpha(alpha)
        self._values: list[float] = []

    def update(self, log_e: float) -> EBHResult:
        """Take one log e-value in; the rejections among all so far [nats]."""
        result = e_bh([*self._values, float(log_e)], self.alpha)
        self._values.append(float(log_e))  # a NaN was refused above and is not kept
        return result


def e_bh(log_e_values: npt.ArrayLike, alpha: float) -> EBHResult:
    """The e-Benjamini–Hochberg procedure: FDR at most alpha under any dependence [nats].

    Rejects the k largest, k the most with e_(k) ≥ K/(alpha·k). The false discovery rate is a mean
    over lists; it is not the chance that a given rejection is false.

    Args:
        log_e_values: (record,) log e-values, one null each [nats].
        alpha: Bound on the false discovery rate, between 0 and 1.

    Returns:
        The rejections and the threshold they passed.

    Raises:
        ShapeError: There is no e-value.
        DistributionError: One is NaN.
        SettingsError: `alpha` is not between 0 and 1.

    References:
        [wang:22], the base procedure.

    Example:
        >>> e_bh(np.log([100.0, 30.0, 1.0]), alpha=0.1).rejected
        array([ True,  True, False])
    """
    check_alpha(alpha)
    values = _check_list(log_e_values)
    count = len(values)
    ranks = np.arange(1, count + 1)
    thresholds = math.log(count / alpha) - np.log(ranks)
    passing = np.flatnonzero(np.sort(values)[::-1] >= thresholds)
    if not len(passing):
        return EBHResult(rejected=np.zeros(count, bool), log_threshold=math.inf, alpha=alpha)
    threshold = float(thresholds[passing[-1]])
    return EBHResult(rejected=values >= threshold, log_threshold=threshold, alpha=alpha)


def _check_list(log_e_values: npt.ArrayLike) -> FloatArray:
    values = check_ratios(log_e_values, "log_e_values")
    if values.ndim != 1 or not len(values):
        raise ShapeError(f"log_e_values has shape {values.shape}; (record,), not empty, was needed")
    return values
