"""E-detectors: a change inside a response, found with a bound on false alarms.

    Shiryaev–Roberts   R_j = e_j (1 + R_{j−1})          CUSUM   C_j = e_j max(1, C_{j−1})

e_j is the likelihood ratio of token j: after the change over before it. While nothing has changed,
R_j − j is a martingale, so with an alarm at R ≥ c the mean run to a false alarm is at least c and
P(alarm by t) ≤ t/c. CUSUM never exceeds R and inherits both.
"""

import math

import numpy as np
import numpy.typing as npt

from flowgauge.anytime.e_process import check_ratios, times, times_arrays
from flowgauge.errors import DistributionError
from flowgauge.records import FloatArray


class ShiryaevRoberts:
    """Shiryaev–Roberts e-detector fed one token at a time, log R [nats].

    Attributes:
        log_r: log R after the tokens so far; −∞ before the first.

    Example:
        >>> detector = ShiryaevRoberts()
        >>> detector.update(0.0), round(detector.update(0.0), 6)
        (0.0, 0.693147)
    """

    __slots__ = ("log_r",)

    def __init__(self) -> None:
        self.log_r = -math.inf

    def update(self, log_ratio: float) -> float:
        """Take one token in; log R after it [nats].

        Raises:
            DistributionError: The ratio is NaN.
        """
        _check_number(log_ratio)
        self.log_r = times(float(log_ratio), float(np.logaddexp(0.0, self.log_r)))
        return self.log_r


def shiryaev_roberts(log_ratios: npt.ArrayLike) -> FloatArray:
    """Log R after each token of the Shiryaev–Roberts e-detector [nats].

    Null: no change; every token is drawn from the law in the denominator. Alarm at
    `first_crossing(log_r, log(c))`. R is not an e-process: its mean grows by 1 per token.

    Args:
        log_ratios: (..., time) log of after over before, per token; ±∞ is legal [nats].

    Returns:
        (..., time) log R.

    Raises:
        DistributionError: A ratio is NaN; shows where.

    References:
        [shin:22]; [roberts:66].

    Example:
        >>> np.exp(shiryaev_roberts(np.log([1.0, 1.0, 3.0]))).round(6)
        array([1., 2., 9.])
    """
    ratios = check_ratios(log_ratios, "log_ratios")
    path = np.empty_like(ratios)
    log_r = np.full(ratios.shape[:-1], -np.inf)
    for j in range(ratios.shape[-1]):
        log_r = times_arrays(ratios[..., j], np.logaddexp(0.0, log_r))
        path[..., j] = log_r
    return path


class Cusum:
    """CUSUM e-detector fed one token at a time, log C [nats].

    Attributes:
        log_c: log C after the tokens so far; −∞ before the first.

    Example:
        >>> detector = Cusum()
        >>> detector.update(-1.0), detector.update(0.5)
        (-1.0, 0.5)
    """

    __slots__ = ("log_c",)

    def __init__(self) -> None:
        self.log_c = -math.inf

    def update(self, log_ratio: float) -> float:
        """Take one token in; log C after it [nats].

        Raises:
            DistributionError: The ratio is NaN.
        """
        _check_number(log_ratio)
        self.log_c = times(float(log_ratio), max(0.0, self.log_c))
        return self.log_c


def cusum(log_ratios: npt.ArrayLike) -> FloatArray:
    """Log C after each token of Page's CUSUM, read as an e-detector [nats].

    The largest log likelihood ratio of "the change came at i", over all i up to now. Null as for
    `shiryaev_roberts`, which dominates it; the bounds t/c and c hold for it a fortiori.

    Args:
        log_ratios: (..., time) log of after over before, per token; ±∞ is legal [nats].

    Returns:
        (..., time) log C.

    Raises:
        DistributionError: A ratio is NaN; shows where.

    References:
        [page:54]; [shin:22].

    Example:
        >>> cusum([-1.0, 0.5, 0.25])
        array([-1.  ,  0.5 ,  0.75])
    """
    ratios = check_ratios(log_ratios, "log_ratios")
    path = np.empty_like(ratios)
    log_c = np.full(ratios.shape[:-1], -np.inf)
    for j in range(ratios.shape[-1]):
        log_c = times_arrays(ratios[..., j], np.maximum(0.0, log_c))
        path[..., j] = log_c
    return path


def _check_number(log_ratio: float) -> None:
    if math.isnan(log_ratio):
        raise DistributionError("log_ratio is NaN: the token has no ratio under these laws")
