"""A counted share with its exact interval, and the checks that support's numbers share."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from flowgauge.errors import InputError, SettingsError
from flowgauge.math.validate import as_floats, is_count
from flowgauge.records import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Proportion:
    """A share that was counted, with its Clopper–Pearson interval [share].

    Attributes:
        count, n: Counted, out of.
        share: count / n.
        lower, upper: Ends of the interval.
        confidence: Its least coverage.
    """

    count: int
    n: int
    share: float
    lower: float
    upper: float
    confidence: float


def clopper_pearson(count: int, n: int, confidence: float = 0.95) -> Proportion:
    """A share with its exact binomial interval [share].

    Two-sided with equal tails; it covers the true share with at least `confidence`, usually more.

    Args:
        count: How many, 0 … n.
        n: Out of how many, at least 1.
        confidence: Between 0 and 1.

    Raises:
        InputError: count and n are no counts.
        SettingsError: The confidence is out of range.

    References:
        [clopper:34].

    Example:
        >>> found = clopper_pearson(0, 10)
        >>> found.share, found.lower, round(found.upper, 4)
        (0.0, 0.0, 0.3085)
    """
    if not is_count(n) or not is_count(count, 0) or count > n:
        raise InputError(f"{count!r} of {n!r} came; counts with 0 ≤ count ≤ n and n ≥ 1 are needed")
    check_share("confidence", confidence)
    from scipy.stats import binomtest

    ends = binomtest(int(count), int(n)).proportion_ci(confidence, method="exact")
    return Proportion(
        count=int(count),
        n=int(n),
        share=int(count) / int(n),
        lower=float(ends.low),
        upper=float(ends.high),
        confidence=float(confidence),
    )


def check_share(name: str, value: float) -> None:
    """Nothing if a number lies between 0 and 1, else an error that shows it."""
    if not 0 < value < 1:
        raise SettingsError(f"{name} is {value!r}, a number between 0 and 1 was needed")


def finite(values: npt.ArrayLike, name: str) -> FloatArray:
    """Finite numbers as a float64 array, or an error that shows the first that is none."""
    array = as_floats(values, name)
    bad = np.flatnonzero(~np.isfinite(array.ravel()))
    if len(bad):
        raise InputError(
            f"{name}[{bad[0]}] is {array.ravel()[bad[0]]} ({len(bad)} of {array.size} are not "
            "finite); leave responses without a support out"
        )
    return array
