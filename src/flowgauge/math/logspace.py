"""Sums and means of numbers known by their logarithms, on numpy and torch alike.

The array API has no log-sum-exp of its own; scipy's works on numpy alone unless an environment
variable is set. −inf is log 0 and never becomes NaN.
"""

from typing import Any

from array_api_compat import array_namespace

Array = Any


def log_sum_exp(values: Array, axis: int = -1, keepdims: bool = False) -> Array:
    """Log Σ exp(values) along one axis, without overflow [nats].

    All −inf gives −inf; a +inf gives +inf.

    Args:
        values: Logarithms, at least one along `axis`.
        axis: Axis to sum over.
        keepdims: Keep the axis with length 1.

    Returns:
        Array without `axis` (or with length 1 there).

    Example:
        >>> import numpy as np
        >>> float(log_sum_exp(np.array([-1000.0, -1000.0, -np.inf])).round(9))
        -999.306852819
    """
    xp = array_namespace(values)
    largest = xp.max(values, axis=axis, keepdims=True)
    finite = xp.isfinite(largest)
    shift = xp.where(finite, largest, xp.zeros_like(largest))
    total = xp.sum(
        xp.exp(xp.where(finite, values - shift, xp.zeros_like(values))), axis=axis, keepdims=True
    )
    result = xp.where(finite, shift + xp.log(total), largest)
    return result if keepdims else xp.squeeze(result, axis=axis)


def log_mean_exp(values: Array, axis: int = -1, keepdims: bool = False) -> Array:
    """Log of the mean of exp(values) along one axis, without overflow [nats].

    Args:
        values: Logarithms, at least one along `axis`.
        axis: Axis to average over.
        keepdims: Keep the axis with length 1.

    Returns:
        Array without `axis` (or with length 1 there).

    Example:
        >>> import numpy as np
        >>> float(np.exp(log_mean_exp(np.log(np.array([0.2, 0.4])))).round(9))
        0.3
    """
    xp = array_namespace(values)
    count = xp.asarray(float(values.shape[axis]), dtype=values.dtype)
    return log_sum_exp(values, axis=axis, keepdims=keepdims) - xp.log(count)
