"""A mixture of tilted martingales: more power against "the text was drawn from the prompted law".

For fixed λ, exp(λF_j − Σ ψ_i(λ)) with ψ_i(λ) = log E_{P_i}[(P_i/Q_i)^λ] is a martingale if the
tokens are drawn from P, and so is a uniform mixture over a grid of λ. λ = −1 alone, ψ = 0, is the
plain likelihood ratio. λ > 0 sees texts that copy too well, λ < 0 those that ignore the source.
"""

import math

import numpy as np
import numpy.typing as npt

from flowgauge.anytime.e_process import check_ratios, times_arrays
from flowgauge.errors import DistributionError, SettingsError, ShapeError
from flowgauge.math.logspace import log_mean_exp
from flowgauge.math.validate import as_floats
from flowgauge.records import FloatArray


class TiltedEProcess:
    """λ mixture fed one token at a time, log e [nats].

    Args:
        orders: (order,) the λ grid, fixed before the first token.

    Attributes:
        log_e: log e after the tokens so far; 0 before the first.

    Example:
        >>> process = TiltedEProcess([-1.0, 1.0])
        >>> round(process.update(-0.5, [0.0, 0.3]), 4)
        0.0479
    """

    __slots__ = ("_parts", "log_e", "orders")

    def __init__(self, orders: npt.ArrayLike) -> None:
        self.orders = _check_orders(orders)
        self._parts = np.zeros(len(self.orders))
        self.log_e = 0.0

    def update(self, density: float, log_moments: npt.ArrayLike) -> float:
        """Take one token in; log e after it [nats].

        Args:
            density: log P/Q of the token written [nats].
            log_moments: (order,) ψ(λ) of its law [nats].

        Raises:
            ShapeError: There is not one log moment per order.
            DistributionError: The density or a log moment is NaN.
        """
        psi = as_floats(log_moments, "log_moments")
        if psi.shape != self.orders.shape:
            raise ShapeError(f"log_moments has shape {psi.shape}, {self.orders.shape} was needed")
        if math.isnan(density) or np.isnan(psi).any():
            raise DistributionError(f"density = {density} or log_moments = {psi} holds NaN")
        self._parts = times_arrays(self._parts, tilted_increments(density, psi, self.orders))
        self.log_e = float(log_mean_exp(self._parts))
        return self.log_e


def tilted_e_process(
    density: npt.ArrayLike, log_moments: npt.ArrayLike, orders: npt.ArrayLike
) -> FloatArray:
    """Log e after each token of the uniform λ mixture [nats].

    Null: the tokens are drawn from P. The grid must not be chosen by looking at the text.

    Args:
        density: (..., time) log P/Q of the tokens written [nats].
        log_moments: (..., time, order) ψ_j(λ) = log E_{P_j}[(P_j/Q_j)^λ] [nats].
        orders: (order,) the λ grid.

    Returns:
        (..., time) log e.

    Raises:
        ShapeError: The shapes do not fit.
        DistributionError: NaN in density or log moments.
        SettingsError: The grid is empty or not finite.

    References:
        [howard:20]; docs/paper_index.md, section 3.

    Example:
        >>> tilted_e_process([-0.5, -0.5], [[0.0, 0.3], [0.0, 0.3]], [-1.0, 1.0]).round(4)
        array([0.0479, 0.3785])
    """
    grid = _check_orders(orders)
    i, psi = check_ratios(density, "density"), check_ratios(log_moments, "log_moments")
    if psi.shape != (*i.shape, len(grid)):
        raise ShapeError(
            f"density {i.shape}, log_moments {psi.shape}, orders {grid.shape} came; "
            "(..., time), (..., time, order) and (order,) were needed"
        )
    parts = np.zeros((*i.shape[:-1], len(grid)))
    path = np.empty_like(i)
    for j in range(i.shape[-1]):
        parts = times_arrays(parts, tilted_increments(i[..., j, None], psi[..., j, :], grid))
        path[..., j] = log_mean_exp(parts)
    return path


def tilted_increments(
    density: npt.NDArray[np.float64] | float, log_moments: FloatArray, orders: FloatArray
) -> FloatArray:
    """λı − ψ(λ), the log factor of each λ by one token [nats].

    Not a test by itself: under P each exp of it has mean 1 at most. A factor that would be 0·∞ or
    ∞/∞ counts as 0, so that what is not defined is no evidence.

    Args:
        density: (..., 1) log P/Q of the token written, or one number; ±∞ is legal [nats].
        log_moments: (..., order) ψ(λ) of its law [nats].
        orders: (order,) the λ grid.

    Returns:
        (..., order) log factors; −∞ where one is not defined.

    Example:
        >>> grid = np.array([-1.0, 1.0])
        >>> tilted_increments(-0.5, np.array([0.0, 0.3]), grid)
        array([ 0.5, -0.8])
        >>> tilted_increments(np.inf, np.array([0.0, np.inf]), grid)
        array([-inf, -inf])
    """
    with np.errstate(invalid="ignore"):
        ratios = np.where(orders == 0.0, 0.0, orders * density) - log_moments
    return np.where(np.isnan(ratios), -np.inf, ratios)


def _check_orders(orders: npt.ArrayLike) -> FloatArray:
    grid = as_floats(orders, "orders")
    if grid.ndim != 1 or not len(grid) or not np.isfinite(grid).all():
        raise SettingsError(f"orders = {grid}; a non-empty grid of finite λ is needed")
    return grid
