"""Means over texts, and the test that two of them have one expectation.

Texts are the independent units: every error here comes from the spread of sums over whole texts,
never from that of tokens, which depend on each other.
"""

import math
from dataclasses import dataclass

import numpy as np

from flowgauge.records import FloatArray
from flowgauge.support import Proportion

#: A spread below this share of the sums behind it is round-off, not a spread.
ROUND_OFF = 1e-12
#: Coverage of intervals and bands.
CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Mean:
    """A mean with the error that the spread between texts gives it.

    Attributes:
        value: Sum over texts of what was measured, over the sum of their sizes.
        standard_error: None with one text.
        lower, upper: 95 % interval by Student's t, texts − 1 degrees; None with one text.
    """

    value: float
    standard_error: float | None
    lower: float | None
    upper: float | None

    def __str__(self) -> str:
        if self.lower is None or self.upper is None:
            return f"{self.value:.4g}"
        return f"{self.value:.4g} [{self.lower:.4g}, {self.upper:.4g}]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """Two numbers with one expectation, and the test of their difference.

    Attributes:
        texts: How many texts entered.
        observed, expected: The two means.
        difference: Mean of observed − expected.
        z: difference / standard error; None where there is none.
        p_value: Two-sided, Student's t with texts − 1 degrees: an approximation for many texts.
        absent: Why z is None; "" otherwise.
    """

    texts: int
    observed: Mean
    expected: Mean
    difference: Mean
    z: float | None
    p_value: float | None
    absent: str = ""

    def __str__(self) -> str:
        if self.z is None or self.p_value is None:
            return f"difference {self.difference.value:+.4g}; no test: {self.absent}"
        error = self.difference.standard_error
        return (
            f"difference {self.difference.value:+.4g}, s.e. {error:.2g}, z = {self.z:+.2f}, "
            f"{p_words(self.p_value)}"
        )


def p_words(p_value: float) -> str:
    """A p-value as text; one that underflowed is no 0."""
    return f"p = {p_value:.2g}" if p_value > 0 else "p < 1e-300"


def share_words(found: Proportion) -> str:
    """A share of texts with its interval, as text."""
    interval = f"[{found.lower:.2%}, {found.upper:.2%}]"
    return f"{found.count} of {found.n} texts, {found.share:.2%} {interval},"


def mean_over_texts(totals: FloatArray, sizes: FloatArray | None = None) -> Mean:
    """Σ totals / Σ sizes, with the linearised error over texts [unit of the totals].

    Args:
        totals: (text,) what was summed over each text.
        sizes: (text,) its number of tokens; 1 each where the total itself is averaged.

    Example:
        >>> round(mean_over_texts(np.array([1.0, 3.0])).standard_error, 12)
        1.0
    """
    from scipy.special import stdtrit

    n, size = len(totals), np.ones(len(totals)) if sizes is None else sizes
    value = float(totals.sum() / size.sum())
    if n < 2:
        return Mean(value=value, standard_error=None, lower=None, upper=None)
    rest = math.hypot(*(totals - value * size))  # where squares of what is huge would overflow
    error = math.sqrt(n / (n - 1)) * rest / float(size.sum())
    half = float(stdtrit(n - 1, (1 + CONFIDENCE) / 2)) * error
    return Mean(value=value, standard_error=error, lower=value - half, upper=value + half)


def balance(
    observed: FloatArray,
    expected: FloatArray,
    sizes: FloatArray | None = None,
    *,
    scale: FloatArray | None = None,
) -> Balance:
    """Test that two sums over texts have one expectation [unit of the sums].

    Args:
        observed: (text,) one sum.
        expected: (text,) the other.
        sizes: (text,) as in `mean_over_texts`.
        scale: (text,) size of the numbers behind the sums, for round-off; |observed| + |expected|
            by default.

    Example:
        >>> found = balance(np.array([1.0, 2.0, 4.0]), np.array([2.0, 2.0, 2.0]))
        >>> round(found.z, 4), round(found.p_value, 4)
        (0.378, 0.7418)
    """
    from scipy.special import stdtr

    behind = np.abs(observed) + np.abs(expected) if scale is None else scale
    difference = mean_over_texts(observed - expected, sizes)
    error, absent, z, p = difference.standard_error, "", None, None
    if error is None:
        absent = "one text came, two at least are needed for a standard error"
    elif error <= ROUND_OFF * mean_over_texts(behind, sizes).value:
        absent = "the difference is the same in every text, so its error cannot be estimated"
    else:
        z = difference.value / error
        p = float(2 * stdtr(len(observed) - 1, -abs(z)))
    return Balance(
        texts=len(observed),
        observed=mean_over_texts(observed, sizes),
        expected=mean_over_texts(expected, sizes),
        difference=difference,
        z=z,
        p_value=p,
        absent=absent,
    )
