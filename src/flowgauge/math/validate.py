"""What every door checks before it computes: probabilities, log-probabilities, shapes.

Each check returns the array in the form the caller computes with and raises an error of
flowgauge.errors that shows the numbers which came, what was needed and what to do. The checks of
tables (`check_distribution`) work in numpy and float64; those of vocabulary-wide log laws
(`check_log_distribution`) follow the array API, so they accept torch tensors without importing it.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from array_api_compat import array_namespace, is_array_api_obj

from flowgauge.errors import DistributionError, InputError, ShapeError
from flowgauge.records import FloatArray

Array = Any  # an array of the array API: numpy, torch

#: A realised log-probability may exceed 0 by this much; single-precision round-off, set to 0.
ROUND_OFF = 1e-6


def as_floats(values: Any, name: str) -> FloatArray:
    """Real numbers as a new float64 array, or an error that says why they are none [any unit].

    Args:
        values: Nested lists or an array of real numbers, of any shape.
        name: What the caller calls them; opens the message.

    Returns:
        A new float64 array of the same shape; NaN and infinities are let through.

    Raises:
        ShapeError: The rows differ in length.
        InputError: Text, dates, complex numbers, or a tensor that numpy cannot read.

    Example:
        >>> as_floats([[1, 2], [3]], "x")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        flowgauge.errors.ShapeError: x is no array: ...
    """
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise ShapeError(
            f"{name} is no array: {error}. All rows must have one length; pad or split them."
        ) from error
    except (RuntimeError, TypeError) as error:
        raise InputError(f"{name} cannot be read by numpy: {error}") from error
    if array.dtype.kind not in "cUSmMV":
        try:
            return np.array(array, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise InputError(f"{name} holds what is no number: {error}") from error
    raise InputError(f"{name} has dtype {array.dtype}: real numbers were needed")


def is_count(value: Any, least: int = 1) -> bool:
    """Whether a value is an integer of at least `least`; 2.0 and NaN are none [bool].

    Example:
        >>> is_count(3), is_count(np.int64(3), 4), is_count(2.5), is_count(float("nan"))
        (True, False, False, False)
    """
    return isinstance(value, int | np.integer) and bool(value >= least)


def check_distribution(
    p: npt.ArrayLike, name: str, axis: int | None = None, tolerance: float = 1e-9
) -> FloatArray:
    """Probabilities as a float64 array, or an error that shows what is wrong [probability].

    Args:
        p: Probabilities of any shape.
        name: What the caller calls them; opens the message.
        axis: None: the whole array sums to 1. Otherwise each slice along this axis does.
        tolerance: Largest deviation of a sum from 1.

    Returns:
        A new float64 array, not renormalised.

    Raises:
        DistributionError: An entry is NaN, infinite or negative, or a sum is off by more than
            `tolerance`; shows the entry or the sum and where it stands.
        ShapeError: There is no entry at all.

    Example:
        >>> check_distribution([0.25, 0.75], "p").sum()
        np.float64(1.0)
        >>> check_distribution([0.25, 0.7], "p")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        flowgauge.errors.DistributionError: p sums to 0.95 (off by 0.05); it must sum to 1 ...
    """
    array = as_floats(p, name)
    if array.size == 0:
        raise ShapeError(f"{name} has shape {array.shape}: at least one probability is needed")
    _check_entries(array, name)
    sums = np.atleast_1d(array.sum(axis=axis))
    worst = np.unravel_index(int(np.argmax(np.abs(sums - 1.0))), sums.shape)
    off = float(sums[worst]) - 1.0
    if abs(off) > tolerance:
        where = "" if axis is None or array.ndim == 1 else f" at row {_position(worst)}"
        raise DistributionError(
            f"{name} sums to {sums[worst]:.12g}{where} (off by {abs(off):.3g}); it must sum to 1 "
            f"within {tolerance:g}. Divide by the sum if these are weights."
        )
    return array


def check_log_distribution(
    log_p: Array, name: str, axis: int = -1, tolerance: float | None = None
) -> Array:
    """Log laws along one axis, unchanged, or an error that shows what is wrong [nats].

    Args:
        log_p: Log-probabilities (numpy or torch, float32 or float64); −inf is legal.
        name: What the caller calls them; opens the message.
        axis: Axis along which the probabilities sum to 1.
        tolerance: Largest deviation of a sum from 1; by default 1e-6 for float64 and 1e-4 for
            float32, since sums over 262,144 tokens carry that much round-off.

    Returns:
        `log_p` as it came (an array-like becomes a float64 numpy array).

    Raises:
        DistributionError: NaN, +inf, or a sum that is not 1; shows the value and where it stands.
        ShapeError: No axis, no entry, or not a floating-point array.

    Example:
        >>> check_log_distribution([[-0.5, -0.5]], "log_p")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        flowgauge.errors.DistributionError: log_p: the probabilities at row 0 sum to 1.21306; ...
    """
    array = log_p if is_array_api_obj(log_p) else as_floats(log_p, name)
    xp = array_namespace(array)
    if array.ndim == 0 or 0 in array.shape:
        raise ShapeError(f"{name} has shape {tuple(array.shape)}: a law needs at least one entry")
    if not xp.isdtype(array.dtype, "real floating"):
        raise ShapeError(
            f"{name} has dtype {array.dtype}: log-probabilities must be floating point"
        )
    limit = tolerance
    if limit is None:
        limit = 1e-6 if array.dtype == xp.float64 else 1e-4
    largest = xp.max(array, axis=axis, keepdims=True)
    safe = xp.where(xp.isfinite(largest), largest, xp.zeros_like(largest))
    # A wildly wrong array (logits) must not overflow on the way to its message.
    sums = xp.exp(xp.where(safe > 500.0, xp.full_like(safe, xp.inf), safe)) * xp.sum(
        xp.exp(array - safe), axis=axis, keepdims=True
    )
    if bool(xp.all(xp.abs(sums - 1.0) <= limit)):
        return array
    if bool(xp.any(xp.isnan(array))):
        raise DistributionError(f"{name} holds NaN: log-probabilities are ≤ 0 or −inf, never NaN")
    flat = xp.reshape(sums, (-1,))
    row = int(xp.argmax(xp.abs(flat - 1.0)))
    raise DistributionError(
        f"{name}: the probabilities at row {row} sum to {float(flat[row]):.6g}; they must sum to 1 "
        f"within {limit:g}. Normalise with log-softmax (in float64 if they were half precision)."
    )


def check_log_probabilities(values: npt.ArrayLike, name: str, ndim: int = 1) -> FloatArray:
    """Log-probabilities of what was observed, one per event, as float64 [nats].

    They need not sum to anything; −inf is legal. Values above 0 by at most 1e-6 are the round-off
    of single precision and become 0.

    Args:
        values: Log-probabilities.
        name: What the caller calls them; opens the message.
        ndim: Number of axes needed.

    Returns:
        A new float64 array.

    Raises:
        ShapeError: The number of axes is another one.
        DistributionError: NaN or a value above 0; shows the first one and its position.

    Example:
        >>> check_log_probabilities([-1.0, 0.7], "log_p")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        flowgauge.errors.DistributionError: log_p[1] = 0.7 is above 0, so it is no log-prob...
    """
    array = as_floats(values, name)
    if array.ndim != ndim:
        raise ShapeError(f"{name} has shape {array.shape}: {ndim} axis(es) were needed")
    if np.isnan(array).any():
        first = np.argwhere(np.isnan(array))[0]
        raise DistributionError(
            f"{name}[{_position(first)}] is NaN: log-probabilities are ≤ 0 or −inf"
        )
    if (array > ROUND_OFF).any():
        first = np.argwhere(array > ROUND_OFF)[0]
        raise DistributionError(
            f"{name}[{_position(first)}] = {array[tuple(first)]:.6g} is above 0, so it is no "
            "log-probability; losses (−log P) must be negated, densities cannot be used"
        )
    return np.minimum(array, 0.0)


def check_same_shape(**arrays: Array) -> None:
    """Nothing if all shapes are equal, else an error that shows them all [no unit].

    Raises:
        ShapeError: Two shapes differ.

    Example:
        >>> check_same_shape(x=np.zeros(2), y=np.zeros(3))
        Traceback (most recent call last):
        flowgauge.errors.ShapeError: shapes must be equal, these came: x (2,), y (3,)
    """
    shapes = {name: tuple(array.shape) for name, array in arrays.items()}
    if len(set(shapes.values())) > 1:
        came = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise ShapeError(f"shapes must be equal, these came: {came}")


def _check_entries(array: FloatArray, name: str) -> None:
    if not np.isfinite(array).all():
        first = np.argwhere(~np.isfinite(array))[0]
        raise DistributionError(
            f"{name}[{_position(first)}] is {array[tuple(first)]}: probabilities are finite numbers"
        )
    if (array < 0).any():
        first = np.argwhere(array < 0)[0]
        raise DistributionError(
            f"{name}[{_position(first)}] = {array[tuple(first)]:.6g} is negative: probabilities "
            "are 0 or more. Pass probabilities, not logarithms."
        )


def _position(index: Any) -> str:
    return ", ".join(str(int(i)) for i in index)
