"""Coefficients by lag, read off a member that predicts the next vector from all before it.

    here            meaning
    coefficients    mean of A_{i,i−k+1} over windows, what a lens shows of lag k
    responses       mean of ∂x_i/∂u_{i−k+1}, with what u does to the coefficients

In a vector autoregression the two are the same matrix. In a member A_ij looks at u, and the two
part: a response holds (∂A/∂u) u as well. For Gaussian u the mean response is what least squares
of x_i on all of u_1 … u_i gives in population (Stein's identity: Cov(f(u), u) = E[∂f] Cov(u)),
whatever the member's form; the mean coefficient has no such meaning.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from flowgauge.architectures.tvvar import MOST_COEFFICIENTS, TVVAR, check_input
from flowgauge.errors import SettingsError, ShapeError
from flowgauge.math.validate import is_count
from flowgauge.records import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class LagReading:
    """What a member does with each lag, on average over windows; no unit but those of u.

    Errors are of the mean over windows alone: how much the reading differs from window to window.
    They are not errors of estimation of the member's weights; for those train it on several data
    sets.

    Attributes:
        coefficients: (lag, out, in) mean of A_{i,i−k+1} at k = 1 … lags, i the last position.
        coefficients_error: Standard errors of these over windows.
        responses: (lag, out, in) mean of ∂x_i/∂u_{i−k+1}.
        responses_error: Standard errors of these over windows.
        windows: Over how many windows.
    """

    coefficients: FloatArray
    coefficients_error: FloatArray
    responses: FloatArray
    responses_error: FloatArray
    windows: int


def read_lags(member: TVVAR, windows: Tensor, *, lags: int) -> LagReading:
    """Mean coefficient and mean response of each lag at the last position of windows.

    Lag k is position i − k + 1, since x_i predicts what stands at i + 1. This is not a fit: whether
    the member predicts well is not looked at, nor what lies beyond `lags`.

    Args:
        member: Any member of the family.
        windows: (window, time, width) inputs; errors take windows as independent.
        lags: How many, at most `time`.

    Raises:
        ShapeError: Windows do not fit the member, or there are fewer than 2 or shorter than lags.
        SettingsError: There is no lag.

    References:
        [stein:81] Lemma 2 for responses; paper V, Eq. 44.

    Example:
        >>> from flowgauge.architectures import LinearAttention, LinearAttentionConfig
        >>> _ = torch.manual_seed(0)
        >>> member = LinearAttention(LinearAttentionConfig(width=2, heads=1)).double()
        >>> reading = read_lags(member, torch.randn(8, 5, 2).double(), lags=3)
        >>> reading.coefficients.shape, reading.responses.shape
        ((3, 2, 2), (3, 2, 2))
    """
    count, time, width = check_input(windows, member.width)
    if not is_count(lags):
        raise SettingsError(f"{lags=}: at least 1 is needed")
    if lags > time or count < 2:
        raise ShapeError(
            f"windows have shape {tuple(windows.shape)}; at least 2 windows of at least "
            f"{lags} positions were needed for {lags=}"
        )
    at_once = max(MOST_COEFFICIENTS // (4 * time**2 * width**2), 1)
    pairs = list(_pieces(member, windows, lags, at_once))
    a, d = (np.concatenate([pair[k] for pair in pairs]) for k in range(2))
    root = count**0.5
    return LagReading(
        coefficients=a.mean(0),
        coefficients_error=a.std(0, ddof=1) / root,
        responses=d.mean(0),
        responses_error=d.std(0, ddof=1) / root,
        windows=count,
    )


def _pieces(
    member: TVVAR, windows: Tensor, lags: int, at_once: int
) -> Iterator[tuple[FloatArray, FloatArray]]:
    """(window, lag, out, in) coefficients and responses of some windows at a time."""
    for piece in windows.split(at_once):
        with torch.no_grad():
            a = member.coefficients(piece)[:, -1]
        with torch.enable_grad():
            u = piece.detach().requires_grad_()
            last = member.parallel(u)[:, -1].sum(0)  # windows do not see each other
            rows = [torch.autograd.grad(x, u, retain_graph=True)[0] for x in last]
        yield _by_lag(a, lags), _by_lag(torch.stack(rows, dim=2), lags)


def _by_lag(of_last: Tensor, lags: int) -> FloatArray:
    """(window, j, out, in) with j ascending to (window, lag, out, in), the last position first."""
    latest: FloatArray = of_last[:, -lags:].flip(1).double().cpu().numpy()
    return latest
