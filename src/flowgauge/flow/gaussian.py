"""Directed information of stationary Gaussian vector autoregressions, exact; theory §1 and §4.

    v_t = A_1 v_{t−1} + … + A_p v_{t−p} + w_t,  w_t ~ N(0, Σ) independent over time;  x and y are
    coordinates of v

At a finite horizon all terms are log-determinants of one joint covariance; per step, as the horizon
grows, they are those of the innovations of state-space filters (Riccati equation). Coordinates in
neither x nor y are integrated out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from flowgauge.errors import ConvergenceError, DistributionError, SettingsError, ShapeError
from flowgauge.math.validate import as_floats, is_count
from flowgauge.records import FloatArray

Axes = Sequence[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class GaussianDirectedInformation:
    """Both directions between two parts of a Gaussian process, and what they sum to [nats].

    Attributes:
        forward_nats: I(X^N → Y^N) = Σ_t I(X^t; Y_t | Y^{t−1}); x_t is known when y_t is drawn.
        backward_nats: I(0·Y^{N−1} → X^N) = Σ_t I(Y^{t−1}; X_t | X^{t−1}).
        instantaneous_nats: Σ_t I(X_t; Y_t | X^{t−1}, Y^{t−1}), the part of the forward one due to
            x_t itself.
        mutual_nats: I(X^N; Y^N), computed apart from the two directions.
        horizon: N, or None where all of these are rates per step.
    """

    forward_nats: float
    backward_nats: float
    instantaneous_nats: float
    mutual_nats: float
    horizon: int | None

    @property
    def transfer_entropy_nats(self) -> float:
        """Σ_t I(X^{t−1}; Y_t | Y^{t−1}): the forward one without x_t [nats]."""
        return self.forward_nats - self.instantaneous_nats

    @property
    def conservation_gap_nats(self) -> float:
        """Forward plus backward less mutual; 0 up to rounding [nats]."""
        return self.forward_nats + self.backward_nats - self.mutual_nats


def gaussian_directed_information(
    coefficients: npt.ArrayLike,
    innovations: npt.ArrayLike,
    x_axes: Axes,
    y_axes: Axes,
    *,
    horizon: int,
) -> GaussianDirectedInformation:
    """Directed information of a stationary Gaussian VAR over N steps, exact [nats].

    The first step has no past: what the first lags of the process owe to times before 1 counts as
        noise. Hence the value is not N times the rate of `gaussian_directed_information_rate`.

    Args:
        coefficients: (lag, dim, dim) A_1 … A_p, or (dim, dim) for one lag; all roots inside the
            unit circle.
        innovations: (dim, dim) Σ, positive definite.
        x_axes: Coordinates of x.
        y_axes: Coordinates of y, none of them in x.
        horizon: N ≥ 1; the cost is that of a Cholesky factor of (N · dim) rows.

    Returns:
        Both directions, instantaneous part and mutual information; their gap shows the rounding.

    Raises:
        ShapeError: Coefficients and innovations do not fit; shows their shapes.
        DistributionError: The process is not stationary, or Σ is no covariance; shows the number.
        SettingsError: Axes overlap or are out of range, or the horizon is below 1.

    References:
        [massey:90]; [massey:05]; theory §1.

    Example:
        >>> noise = np.diag([1.0, 0.25])  # x white; y_t = 0.5 y_{t−1} + 0.8 x_{t−1} + e
        >>> result = gaussian_directed_information([[0, 0], [0.8, 0.5]], noise, [0], [1], horizon=3)
        >>> round(result.forward_nats, 6), round(result.backward_nats, 6)
        (1.269761, 0.0)
        >>> round(2 * 0.5 * float(np.log(0.89 / 0.25)), 6)  # the first step has no past
        1.269761
    """
    a, sigma = _checked_model(coefficients, innovations)
    x, y = _checked_axes(x_axes, y_axes, len(sigma))
    if not is_count(horizon):
        raise SettingsError(f"{horizon=}: at least 1 step is needed")
    covariance = _joint_covariance(a, sigma, [*x, *y], horizon)
    is_x = np.tile(np.arange(len(x) + len(y)) < len(x), horizon)
    x_block = covariance[np.ix_(is_x, is_x)]
    y_block = covariance[np.ix_(~is_x, ~is_x)]
    # the order x_1 y_1 x_2 y_2 …: a Cholesky pivot is the variance given all that stands before
    joint = _log_pivots(covariance)
    # the order y_1 x_1 y_2 x_2 …: y_t given the past of both alone
    y_first = np.concatenate([np.r_[len(x) : len(x) + len(y)], np.r_[: len(x)]])
    order = (np.arange(horizon)[:, None] * len(y_first) + y_first).reshape(-1)
    swapped = _log_pivots(covariance[np.ix_(order, order)])[~is_x[order]]
    y_given_y, x_given_x = _log_pivots(y_block).sum(), _log_pivots(x_block).sum()
    log_determinants = [np.linalg.slogdet(m)[1] for m in (x_block, y_block, covariance)]
    return GaussianDirectedInformation(
        forward_nats=float(y_given_y - joint[~is_x].sum()),
        backward_nats=float(x_given_x - joint[is_x].sum()),
        instantaneous_nats=float(swapped.sum() - joint[~is_x].sum()),
        mutual_nats=float(0.5 * (log_determinants[0] + log_determinants[1] - log_determinants[2])),
        horizon=horizon,
    )


def gaussian_directed_information_rate(
    coefficients: npt.ArrayLike, innovations: npt.ArrayLike, x_axes: Axes, y_axes: Axes
) -> GaussianDirectedInformation:
    """Directed information rate of a stationary Gaussian VAR, N → ∞ [nats per step].

    The transfer entropy among the results is half the Granger causality ("log variance ratio") in
    population. It is not
    what a regression with finitely many lags sees: y alone is no finite autoregression in general.

    Args:
        coefficients: (lag, dim, dim) A_1 … A_p, or (dim, dim) for one lag; all roots inside the
            unit circle.
        innovations: (dim, dim) Σ, positive definite.
        x_axes: Coordinates of x.
        y_axes: Coordinates of y, none of them in x.

    Returns:
        Rates of both directions, of the instantaneous part and of the mutual information.

    Raises:
        ShapeError: Coefficients and innovations do not fit; shows their shapes.
        DistributionError: The process is not stationary, or Σ is no covariance; shows the number.
        SettingsError: Axes overlap or are out of range.

    References:
        [barnett:09] for Gaussian Granger causality as twice transfer entropy; [barnett:15] for the
        Riccati equation.

    Example:
        >>> noise = np.diag([1.0, 0.25])  # ½ log((0.8² · 1 + 0.25)/0.25)
        >>> rate = gaussian_directed_information_rate([[0, 0], [0.8, 0.5]], noise, [0], [1])
        >>> round(rate.forward_nats, 6), round(0.5 * float(np.log(0.89 / 0.25)), 6)
        (0.63488, 0.63488)
    """
    a, sigma = _checked_model(coefficients, innovations)
    x, y = _checked_axes(x_axes, y_axes, len(sigma))
    both = _innovations_given_past(a, sigma, [*x, *y])
    x_alone = _log_determinant(_innovations_given_past(a, sigma, list(x)))
    y_alone = _log_determinant(_innovations_given_past(a, sigma, list(y)))
    x_given_both = _log_determinant(both[: len(x), : len(x)])
    y_given_both = _log_determinant(both[len(x) :, len(x) :])
    together = _log_determinant(both)
    return GaussianDirectedInformation(
        forward_nats=0.5 * (y_alone - (together - x_given_both)),
        backward_nats=0.5 * (x_alone - x_given_both),
        instantaneous_nats=0.5 * (y_given_both - (together - x_given_both)),
        mutual_nats=0.5 * (x_alone + y_alone - together),
        horizon=None,
    )


def _checked_model(
    coefficients: npt.ArrayLike, innovations: npt.ArrayLike
) -> tuple[FloatArray, FloatArray]:
    """(lag, dim, dim) and (dim, dim) of a stationary process."""
    a, sigma = as_floats(coefficients, "coefficients"), as_floats(innovations, "innovations")
    if a.ndim == 2:
        a = a[None]
    if sigma.ndim != 2 or a.ndim != 3 or not a.size or a.shape[1:] != sigma.shape:
        raise ShapeError(
            f"coefficients have shape {np.shape(coefficients)} and innovations {sigma.shape}: "
            "(lag, dim, dim) with at least one lag and (dim, dim) are needed"
        )
    if not (np.isfinite(a).all() and np.isfinite(sigma).all()):
        raise DistributionError("coefficients or innovations hold a value that is not finite")
    if np.abs(sigma - sigma.T).max() > 1e-9 * np.abs(sigma).max():
        raise DistributionError(
            "innovations differ from their transpose by up to "
            f"{np.abs(sigma - sigma.T).max():.3g}: a covariance is symmetric"
        )
    smallest = float(np.linalg.eigvalsh(sigma)[0])
    if smallest <= 0:
        raise DistributionError(
            f"innovations have the eigenvalue {smallest:.3g}: a positive definite covariance is "
            "needed; with a coordinate free of noise the information may be infinite"
        )
    radius = float(np.abs(np.linalg.eigvals(_companion(a))).max())
    if radius >= 1:
        raise DistributionError(
            f"the coefficients have spectral radius {radius:.6g}: below 1 is needed for a "
            "stationary process"
        )
    return a, sigma


def _checked_axes(x_axes: Axes, y_axes: Axes, dim: int) -> tuple[list[int], list[int]]:
    x, y = np.atleast_1d(x_axes).tolist(), np.atleast_1d(y_axes).tolist()
    whole = all(is_count(i, 0) for i in (*x, *y))
    if (
        not whole
        or not x
        or not y
        or len({*x, *y}) < len(x) + len(y)
        or not {*x, *y} <= set(range(dim))
    ):
        raise SettingsError(
            f"x_axes={x} and y_axes={y}: both non-empty, without repetition or overlap, from 0 to "
            f"{dim - 1} are needed"
        )
    return x, y


def _companion(a: FloatArray) -> FloatArray:
    """(lag · dim) square matrix of the same process with one lag."""
    lags, dim, _ = a.shape
    top = np.concatenate(list(a), axis=1)
    return np.concatenate([top, np.eye(dim * (lags - 1), dim * lags)], axis=0)


def _joint_covariance(
    a: FloatArray, sigma: FloatArray, axes: list[int], horizon: int
) -> FloatArray:
    """(horizon · axes) covariance of the stationary process, time-major."""
    from scipy.linalg import solve_discrete_lyapunov

    companion, dim = _companion(a), len(sigma)
    noise = np.zeros_like(companion)
    noise[:dim, :dim] = sigma
    state: Any = solve_discrete_lyapunov(companion, noise)
    blocks = []
    for _ in range(horizon):
        blocks.append(state[np.ix_(axes, axes)])  # Cov(v_{t+h}, v_t)
        state = companion @ state
    rows = [
        [blocks[i - j] if i >= j else blocks[j - i].T for j in range(horizon)]
        for i in range(horizon)
    ]
    joint: FloatArray = np.block(rows)
    return (joint + joint.T) / 2


def _log_pivots(covariance: FloatArray) -> FloatArray:
    """½ log of the variance of each coordinate given those before it [nats]."""
    try:
        pivots: FloatArray = np.log(np.diagonal(np.linalg.cholesky(covariance)))
    except np.linalg.LinAlgError as error:
        smallest = float(np.linalg.eigvalsh(covariance)[0])
        raise DistributionError(
            f"the joint covariance over the horizon has the eigenvalue {smallest:.3g}: some step "
            "is known from others to rounding; add noise or shorten the horizon"
        ) from error
    return pivots


def _log_determinant(covariance: FloatArray) -> float:
    return float(np.linalg.slogdet(covariance)[1])


def _innovations_given_past(a: FloatArray, sigma: FloatArray, axes: list[int]) -> FloatArray:
    """Covariance of the observed coordinates given their own infinite past.

    State s_{t+1} = F s_t + w, observed C s_{t+1} = C F s_t + C w: noise of state and observation
    are correlated.
    """
    from scipy.linalg import solve_discrete_are

    companion, dim = _companion(a), len(sigma)
    noise = np.zeros_like(companion)
    noise[:dim, :dim] = sigma
    seen = companion[axes]
    try:
        error: Any = solve_discrete_are(
            companion.T, seen.T, noise, sigma[np.ix_(axes, axes)], s=noise[:, axes]
        )
    except np.linalg.LinAlgError as failure:
        raise ConvergenceError(
            f"the Riccati equation has no finite solution to rounding ({failure}): the process is "
            "too near to one without noise or not stationary"
        ) from failure
    covariance: FloatArray = seen @ error @ seen.T + sigma[np.ix_(axes, axes)]
    return (covariance + covariance.T) / 2
