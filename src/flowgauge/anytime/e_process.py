"""E-processes: evidence against a null that may be watched at every token (theory of paper III-D).

If the tokens are drawn from the law in the denominator, exp(Σ log ratios) has expectation at most 1
at every stopping time. Everything here stands in logarithms: log e, never e. A process that reached
0 (log −∞) stays there, whatever comes: 0·∞ is 0, the choice that never overstates.
"""

import math

import numpy as np
import numpy.typing as npt

from flowgauge.errors import DistributionError
from flowgauge.math.validate import as_floats
from flowgauge.records import FloatArray


class EProcess:
    """Running product of likelihood ratios, fed one token at a time, log e [nats].

    Attributes:
        log_e: log e after the tokens so far; 0 before the first.

    Example:
        >>> process = EProcess()
        >>> process.update(0.5), process.update(-0.2)
        (0.5, 0.3)
    """

    __slots__ = ("log_e",)

    def __init__(self) -> None:
        self.log_e = 0.0

    def update(self, log_ratio: float) -> float:
        """Take one token in; log e after it [nats].

        Args:
            log_ratio: log of alternative over null for the token written; ±∞ is legal [nats].

        Raises:
            DistributionError: The ratio is NaN.
        """
        if math.isnan(log_ratio):
            raise DistributionError("log_ratio is NaN: the token has no ratio under these laws")
        self.log_e = times(self.log_e, float(log_ratio))
        return self.log_e


def e_process(log_ratios: npt.ArrayLike) -> FloatArray:
    """Log e after each token, from the log likelihood ratios [nats].

    Null: the tokens are drawn from the law in the denominator. With `log_ratios` the density of a
    flow it is exp(F_j), evidence against "drawn from Q"; with minus the density it is evidence
    against "drawn from P". Its largest value is not an e-value; Ville's inequality is for that.

    Args:
        log_ratios: (..., time) log of alternative over null, per token; ±∞ is legal [nats].

    Returns:
        (..., time) log e.

    Raises:
        DistributionError: A ratio is NaN; shows where.

    References:
        [ramdas:23]; docs/paper_index.md, section 3.

    Example:
        >>> e_process([0.5, -0.2, 1.0]).round(3)
        array([0.5, 0.3, 1.3])
    """
    ratios = check_ratios(log_ratios, "log_ratios")
    dead = np.logical_or.accumulate(np.isneginf(ratios), axis=-1)
    # Where the process has died the sum is replaced, so no ∞ − ∞ is ever formed.
    alive = np.where(dead, 0.0, ratios)
    return np.where(dead, -np.inf, np.cumsum(alive, axis=-1))


def times(log_a: float, log_b: float) -> float:
    """Logarithm of a·b with 0·∞ = 0 [nats]."""
    if log_a == -math.inf or log_b == -math.inf:
        return -math.inf
    return log_a + log_b


def times_arrays(log_a: FloatArray, log_b: FloatArray) -> FloatArray:
    """Logarithm of a·b elementwise with 0·∞ = 0 [nats]."""
    dead = np.isneginf(log_a) | np.isneginf(log_b)
    return np.where(dead, -np.inf, np.where(dead, 0.0, log_a) + np.where(dead, 0.0, log_b))


def check_ratios(values: npt.ArrayLike, name: str) -> FloatArray:
    """Log ratios as float64, or an error that shows the NaN and its place [nats]."""
    array = as_floats(values, name)
    if array.ndim == 0:
        raise DistributionError(
            f"{name} is the single number {array}; an array (..., time) is needed"
        )
    if np.isnan(array).any():
        first = ", ".join(str(int(i)) for i in np.argwhere(np.isnan(array))[0])
        raise DistributionError(
            f"{name}[{first}] is NaN: a token with probability 0 under both laws"
        )
    return array
