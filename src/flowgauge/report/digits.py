"""Numbers for the page: six significant digits that print as the stored number would.

Rounding twice can move the last printed digit (10.00049 → 10.0005 → 10.001). A value is therefore
shortened to six significant digits, or to as many more as its printed form needs. The forms here
are those of static/numbers.js.
"""

import math
from collections.abc import Callable, Iterable

Prints = Callable[[float], str]

SIGNIFICANT_DIGITS = 6
_EXACT_DIGITS = 17  # a float64 survives the way through 17 digits

#: What a number may look like in JSON: NaN is null, infinities are text that JavaScript reads.
JsonNumber = float | str | None


def print_nats(value: float) -> str:
    """Three decimals: nats, nats², residuals, e-values."""
    return f"{value:.3f}"


def print_share(value: float) -> str:
    """A share as a percentage with one decimal."""
    return f"{100 * value:.1f}"


def print_p_value(value: float) -> str:
    """Four decimals."""
    return f"{value:.4f}"


def print_level(value: float) -> str:
    """As short as it goes."""
    return f"{value:g}"


def print_log(value: float) -> str:
    """A log-probability [nats], and the probability the page shows beside it."""
    p = math.exp(value) if value < 0 else 1.0
    return f"{value:.3f} {p:.3f}" if p >= 0.001 else f"{value:.3f} {p:.1e}"


def shorten(value: float | None, prints: Prints) -> JsonNumber:
    """The shortest number, of six significant digits or more, that prints like the value.

    Args:
        value: As stored; None and NaN mean that there is none.
        prints: The form the page prints it in.

    Returns:
        A float; None for no value; "Infinity" or "-Infinity", which JSON cannot write as numbers.

    Example:
        >>> [shorten(value, print_nats) for value in (1 / 3, 10.00049, float("nan"))]
        [0.333333, 10.00049, None]
    """
    if value is None or math.isnan(value):
        return None
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    shown = prints(value)
    for digits in range(SIGNIFICANT_DIGITS, _EXACT_DIGITS):
        short = float(f"{value:.{digits}g}")
        if prints(short) == shown:
            return short
    return value


def shorten_all(values: Iterable[float | None], prints: Prints) -> list[JsonNumber]:
    """`shorten` for a column."""
    return [shorten(value, prints) for value in values]
