"""Granger causality between time series by least squares, and its test; theory §4 (Granger view).

    restricted  y_t on 1, y_{t−1..t−p} (and z_{t−1..t−p})         residual covariance Σ_r
    full        the same and x_{t−1..t−p}                         residual covariance Σ_f

For Gaussian data ½ log(|Σ_r|/|Σ_f|) is the transfer entropy from x to y. numpy and scipy alone.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from flowgauge.errors import DistributionError, SettingsError, ShapeError
from flowgauge.math.validate import as_floats, is_count
from flowgauge.records import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class GrangerResult:
    """Transfer entropy of a fitted autoregression and the test of "x does not help" [nats].

    Attributes:
        transfer_entropy_nats: ½ log(|Σ_r|/|Σ_f|) in sample, at least 0; half of Geweke's "Granger
            causality".
        standard_error: By linearisation about a value above 0; meaningless where the truth is 0
            [nats].
        null_mean_nats: About what the value is on average where the truth is 0: restrictions/(2n)
            [nats].
        statistic: F where y has one dimension, else the likelihood ratio 2n · value.
        p_value: Of the statistic under the null, exact for neither (F for fixed regressors, χ² for
            large n).
        chi2_p_value: Of the likelihood ratio 2n · value by χ² with `restrictions` degrees, whatever
            the dimension.
        restrictions: Coefficients that the null sets to 0.
        lags: p.
        n: Time steps regressed.
    """

    transfer_entropy_nats: float
    standard_error: float
    null_mean_nats: float
    statistic: float
    p_value: float
    chi2_p_value: float
    restrictions: int
    lags: int
    n: int


def granger(
    x: npt.ArrayLike, y: npt.ArrayLike, *, lags: int = 1, given: npt.ArrayLike | None = None
) -> GrangerResult:
    """Whether the past of x helps to predict y beyond y's own past, and by how much [nats].

    Least squares with an intercept. The value is the transfer entropy of the best linear Gaussian
    predictor with p lags: not that of the process where it is nonlinear, has a longer memory, or a
    cause of both is left out; and no statement about intervention.

    Args:
        x: (time,) or (time, dim) the candidate cause.
        y: (time,) or (time, dim) the candidate effect, the same times.
        lags: p ≥ 1.
        given: (time,) or (time, dim) series whose past is known in both regressions, or None.

    Returns:
        The value with its standard error, statistic and p-values.

    Raises:
        ShapeError: Lengths differ or are too short for the lags; shows them.
        DistributionError: A value is not finite, or y is predicted without error; shows where.
        SettingsError: There is no lag.

    References:
        [granger:69]; [geweke:82]; [barnett:09]; theory §4.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> x, e, y = rng.normal(size=2000), 0.5 * rng.normal(size=2000), np.zeros(2000)
        >>> for t in range(1, 2000):
        ...     y[t] = 0.5 * y[t - 1] + 0.8 * x[t - 1] + e[t]
        >>> forward, back = granger(x, y), granger(y, x)  # ½ log(0.89/0.25) = 0.635 forward
        >>> abs(forward.transfer_entropy_nats - 0.635) < 3 * forward.standard_error
        True
        >>> forward.p_value < 1e-9, back.p_value > 0.01
        (True, True)
    """
    if not is_count(lags):
        raise SettingsError(f"{lags=}: at least 1 is needed")
    cause, effect = _series(x, "x"), _series(y, "y")
    known = [effect] if given is None else [effect, _series(given, "given")]
    lengths = [len(s) for s in (cause, *known)]
    if len(set(lengths)) > 1:
        raise ShapeError(f"series of lengths {lengths}: all must cover the same times")
    n, dim = lengths[0] - lags, effect.shape[1]
    restricted = _design(known, lags)
    full = np.concatenate([restricted, *_lagged(cause, lags)], axis=1)
    free = n - full.shape[1]
    if free < dim:
        raise ShapeError(
            f"{lengths[0]} time steps leave {n} rows for {full.shape[1]} coefficients: bring at "
            f"least {full.shape[1] + dim + lags} steps or use fewer lags"
        )
    target = effect[lags:]
    residuals = [_residuals(design, target) for design in (restricted, full)]
    (log_r, white_r), (log_f, white_f) = (_whiten(r, target) for r in residuals)
    value = max(0.5 * (log_r - log_f), 0.0)
    restrictions = cause.shape[1] * lags * dim
    statistic, p_value, chi2_p_value = _test(value, n, restrictions, free, dim)
    return GrangerResult(
        transfer_entropy_nats=value,
        standard_error=float(np.std(0.5 * (white_r - white_f)) / np.sqrt(n)),
        null_mean_nats=restrictions / (2 * n),
        statistic=statistic,
        p_value=p_value,
        chi2_p_value=chi2_p_value,
        restrictions=restrictions,
        lags=lags,
        n=n,
    )


def _test(
    value: float, n: int, restrictions: int, free: int, dim: int
) -> tuple[float, float, float]:
    """Statistic, its p-value, and that of the likelihood ratio."""
    from scipy import stats

    ratio = 2 * n * value
    chi2_p_value = float(stats.chi2.sf(ratio, restrictions))
    if dim > 1:
        return ratio, chi2_p_value, chi2_p_value
    f = float(np.expm1(2 * value)) * free / restrictions
    return f, float(stats.f.sf(f, restrictions, free)), chi2_p_value


def _series(values: npt.ArrayLike, name: str) -> FloatArray:
    array = as_floats(values, name)
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2 or array.shape[1] == 0:
        raise ShapeError(f"{name} has shape {np.shape(values)}: (time,) or (time, dim) is needed")
    bad = ~np.isfinite(array).all(axis=1)
    if bad.any():
        raise DistributionError(
            f"{name} is not finite at {int(bad.sum())} times, first at {int(np.argmax(bad))}: "
            "repair the gaps, since dropping rows would change what a lag means"
        )
    return array


def _lagged(series: FloatArray, lags: int) -> list[FloatArray]:
    """The series at t−1 … t−p for t = p … T−1."""
    return [series[lags - k : len(series) - k] for k in range(1, lags + 1)]


def _design(series: list[FloatArray], lags: int) -> FloatArray:
    """(time, coefficient) with an intercept."""
    columns = [block for s in series for block in _lagged(s, lags)]
    return np.concatenate([np.ones((len(series[0]) - lags, 1)), *columns], axis=1)


def _residuals(design: FloatArray, target: FloatArray) -> FloatArray:
    solution = np.linalg.lstsq(design, target)[0]
    residuals: FloatArray = target - design @ solution
    return residuals


def _whiten(residuals: FloatArray, target: FloatArray) -> tuple[float, FloatArray]:
    """Log-determinant of the residual covariance; squared length of whitened residuals."""
    covariance = residuals.T @ residuals / len(residuals)
    sign, log_determinant = np.linalg.slogdet(covariance)
    if sign <= 0 or not np.isfinite(log_determinant) or _is_round_off(covariance, target):
        raise DistributionError(
            f"y is predicted without error (residual covariance {covariance.tolist()}): the log "
            "ratio is not defined; is a coordinate constant, repeated or a copy of a lag?"
        )
    solved = np.linalg.solve(covariance, residuals.T)
    return float(log_determinant), np.einsum("td,dt->t", residuals, solved)


def _is_round_off(covariance: FloatArray, target: FloatArray) -> bool:
    """Whether some direction of y is left with no more than the rounding of least squares."""
    scale = np.abs(target).max(axis=0)
    scale[scale == 0] = 1.0
    # residuals of a perfect fit are about 1e-15 of the target's size; their square is this
    return bool(np.linalg.eigvalsh(covariance / np.outer(scale, scale))[0] <= 1e-27)
