"""Wright's omega function, Lambert's W in logarithms: ω(y) = W(e^y), the root of ω + log ω = y.

The one-step rate–distortion solution is q = λp / W(λp/m · e^ν); in logarithms it needs ω alone and
cannot overflow. numpy arrays go to scipy, other arrays of the array API (torch) to the iteration of
Fritsch, Shafer and Crowley below.
"""

from typing import Any

from array_api_compat import array_namespace, is_array_api_obj, is_numpy_array

from flowgauge.errors import DistributionError, ShapeError

Array = Any

#: Below this the series in e^y is exact to double precision.
_SERIES_BELOW = -10.0
_PIECE = 16_384


def wright_omega(y: Array) -> Array:
    """Wright's omega of each real entry, ω + log ω = y [no unit].

    Relative error at most 1e-14 in float64 for y from −700 (ω about e^y) to 1e8 (ω about
    y − log y); ω(−∞) = 0 and ω(∞) = ∞. The principal real branch only.

    Args:
        y: Real numbers of any shape, float32 or float64.

    Returns:
        Array of the shape and dtype of `y`, ≥ 0.

    Raises:
        DistributionError: An entry is NaN.
        ShapeError: The array is not floating point.

    References:
        [corless:02]; [lawrence:12] for the iteration.

    Example:
        >>> import numpy as np
        >>> wright_omega(np.array([-np.inf, 1.0, 100.0])).round(6)
        array([ 0.      ,  1.      , 95.441487])
    """
    if not is_array_api_obj(y):
        raise ShapeError(f"y is a {type(y).__name__}; an array of floating-point numbers is needed")
    xp = array_namespace(y)
    if not xp.isdtype(y.dtype, "real floating"):
        raise ShapeError(f"y has dtype {y.dtype}; floating point is needed")
    if bool(xp.any(xp.isnan(y))):
        raise DistributionError("y holds NaN: ω is defined for real numbers and ±∞")
    if is_numpy_array(y):
        from scipy.special import wrightomega

        return wrightomega(y)
    flat = xp.reshape(y, (-1,))
    # Some twenty passes over the numbers: a piece at a time, they stay in the cache.
    pieces = [_iterate(flat[i : i + _PIECE]) for i in range(0, flat.shape[0], _PIECE)]
    return xp.reshape(xp.concat(pieces), y.shape) if pieces else y


def _iterate(y: Array) -> Array:
    """Series below −10, ∞ at ∞, two steps of fourth order between."""
    xp = array_namespace(y)
    x = xp.exp(xp.clip(y, None, _SERIES_BELOW))
    series = x * (1.0 - x * (1.0 - x * (1.5 - x * (8.0 / 3.0))))
    inside = xp.isfinite(y) & (y >= _SERIES_BELOW)
    z = xp.where(inside, y, xp.ones_like(y))
    w = _guess(z)
    for _ in range(2):
        residual = z - w - xp.log(w)
        one = 1.0 + w
        wide = 2.0 * one * (one + residual * (2.0 / 3.0))
        w = w * (1.0 + residual / one * (wide - residual) / (wide - 2.0 * residual))
    return xp.where(inside, w, xp.where(y > 0, y, series))


def _guess(z: Array) -> Array:
    """Within a few per cent of ω: power series about e^z, Taylor about 1, asymptotics."""
    xp = array_namespace(z)
    x = xp.exp(xp.clip(z, None, -1.5))
    low = x * (1.0 - x * (1.0 - 1.5 * x))
    t = xp.clip(z, -1.5, 4.0) - 1.0
    middle = 1.0 + t * (0.5 + t * (1.0 / 16.0 - t / 192.0))
    big = xp.clip(z, 4.0, None)
    log_big = xp.log(big)
    high = big - log_big + log_big / big
    return xp.where(z < -1.5, low, xp.where(z < 4.0, middle, high))
