"""Classical rate–distortion by Blahut–Arimoto, for any distortion matrix (theory §5).

R(D) = min I(X;Y) subject to E d(X,Y) ≤ D. A point of the curve is asked for by its slope or by its
distortion; each carries a certificate from the dual problem.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from flowgauge.errors import DistributionError, SettingsError, ShapeError, UnreachableError
from flowgauge.math.validate import check_distribution
from flowgauge.rate.alternate import Alternation, AlternationSettings, alternate
from flowgauge.records import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class RatePoint:
    """One point of a rate–distortion curve with its certificate.

    Attributes:
        rate: I(X;Y) of the channel found [nats]; rate − gap ≤ R(distortion) ≤ rate.
        distortion: E d(X,Y) of the channel found, in the caller's unit.
        gap: Dual gap [nats].
        multiplier: λ = −dR/dD [nats per unit of distortion].
        log_channel: (source, reproduction) log q(y|x) [nats].
        converged: Whether the gap is within the tolerance.
        iterations: Alternations taken.
    """

    rate: float
    distortion: float
    gap: float
    multiplier: float
    log_channel: FloatArray
    converged: bool
    iterations: int


def blahut_arimoto(
    p: npt.ArrayLike,
    distortion: npt.ArrayLike,
    multiplier: float,
    settings: AlternationSettings | None = None,
) -> RatePoint:
    """Point of the rate–distortion function at slope −λ [nats].

    Minimises I(X;Y) + λ E d(X,Y). Where the curve is straight several distortions share a slope
    and one of them comes out. This is the classical problem with any cost; for KL distortion
    between next-token laws use `rate_distortion_curve`, whose reproductions are laws themselves.

    Args:
        p: (source,) distribution of X, sums to 1.
        distortion: (source, reproduction) finite costs, in the caller's unit.
        multiplier: λ ≥ 0 [nats per unit of distortion].
        settings: When to stop; the gap is at most 1e-9 nats by default.

    Returns:
        `RatePoint`.

    Raises:
        DistributionError: p is no distribution, or a cost is not finite.
        ShapeError: p and the matrix disagree about the number of sources.
        SettingsError: λ is negative or not finite.

    References:
        [blahut:72], [arimoto:72]; [cover:06] chapter 10 for R(D) = h(p) − h(D), the example.

    Example:
        >>> point = blahut_arimoto(np.full(2, 0.5), 1.0 - np.eye(2), np.log(9.0))
        >>> round(point.distortion, 6), round(point.rate, 6), point.converged
        (0.1, 0.368064, True)
    """
    law, cost = check_cost(p, distortion, "distortion")
    if not 0 <= multiplier < np.inf:
        raise SettingsError(f"multiplier = {multiplier}: λ = −dR/dD must be finite and 0 or more")
    return _point(law, cost, float(multiplier), settings or AlternationSettings(), None)[0]


def blahut_arimoto_at(
    p: npt.ArrayLike,
    distortion: npt.ArrayLike,
    target: float,
    settings: AlternationSettings | None = None,
) -> RatePoint:
    """Point of the rate–distortion function at a distortion D [nats].

    The form of `blahut_arimoto` that searches the slope. D at or above min_y E d(X,y) gives rate 0.

    Args:
        p: (source,) distribution of X.
        distortion: (source, reproduction) finite costs.
        target: D, at least E min_y d(X,y).
        settings: When to stop.

    Returns:
        `RatePoint`, its distortion within 1e-9 of D relative to the spread of the costs, or at the
        cheapest rate-0 point.

    Raises:
        UnreachableError: D is below the least distortion there is; shows both.
        DistributionError, ShapeError: as `blahut_arimoto`.

    References:
        [blahut:72].

    Example:
        >>> point = blahut_arimoto_at([0.5, 0.5], 1.0 - np.eye(2), 0.1)
        >>> round(point.rate, 6)
        0.368064
    """
    law, cost = check_cost(p, distortion, "distortion")
    least = float(law @ cost.min(axis=1))
    if not least <= target < np.inf:
        raise UnreachableError(
            f"target = {target}: the least distortion of any channel is {least:.9g}; ask for that "
            "or more"
        )
    return point_at(law, cost, float(target), settings or AlternationSettings())


def check_cost(
    p: npt.ArrayLike, cost: npt.ArrayLike, name: str
) -> tuple[FloatArray, FloatArray]:
    """Source law and (source, reproduction) matrix, checked."""
    law = check_distribution(p, "p")
    matrix = np.array(cost, dtype=np.float64)
    if law.ndim != 1 or matrix.ndim != 2 or matrix.shape[0] != len(law) or matrix.shape[1] == 0:
        raise ShapeError(
            f"p has shape {law.shape}, {name} {matrix.shape}: (source,) and (source, reproduction) "
            "were needed"
        )
    if not np.isfinite(matrix).all():
        row, column = np.argwhere(~np.isfinite(matrix))[0]
        raise DistributionError(
            f"{name}[{row}, {column}] is {matrix[row, column]}: every entry must be finite"
        )
    return law / law.sum(), matrix


def point_at(
    law: FloatArray, cost: FloatArray, target: float, settings: AlternationSettings
) -> RatePoint:
    """The point at a reachable distortion, by bracketing λ; both ends in closed form."""
    free = float((law @ cost).min())
    spread = float(np.ptp(cost)) or 1.0
    if target >= free - 1e-14 * spread:
        return _point(law, cost, 0.0, settings, None)[0]
    # at the least distortion only each source's cheapest reproductions remain: λ = ∞
    least = float(law @ cost.min(axis=1))
    if target <= least + 1e-12 * spread:
        return _end_point(law, cost, settings)
    return _search(law, cost, target, settings)


def _search(
    law: FloatArray, cost: FloatArray, target: float, settings: AlternationSettings
) -> RatePoint:
    """Regula falsi (Illinois) on D(λ) − D in log λ, each solve starting from the last law."""
    spread = float(np.ptp(cost))
    low, high = np.log(1e-6 / spread), np.log(10.0 / spread)
    point, start = _point(law, cost, float(np.exp(high)), settings, None)
    while point.distortion > target and high < np.log(1e9 / spread):
        low, high = high, high + 2.0
        point, start = _point(law, cost, float(np.exp(high)), settings, start)
    below, above = point.distortion - target, _excess_at(law, cost, low, target, settings)
    for _ in range(200):
        middle = (low * below - high * above) / (below - above)
        if not low < middle < high:
            middle = 0.5 * (low + high)
        point, start = _point(law, cost, float(np.exp(middle)), settings, start)
        excess = point.distortion - target
        if abs(excess) <= 1e-10 * spread or high - low < 1e-13:
            break
        if excess > 0:
            low, above, below = middle, excess, below * 0.5
        else:
            high, below, above = middle, excess, above * 0.5
    return point


def _excess_at(
    law: FloatArray,
    cost: FloatArray,
    log_multiplier: float,
    target: float,
    settings: AlternationSettings,
) -> float:
    return _point(law, cost, float(np.exp(log_multiplier)), settings, None)[0].distortion - target


def _point(
    law: FloatArray,
    cost: FloatArray,
    multiplier: float,
    settings: AlternationSettings,
    start: FloatArray | None,
) -> tuple[RatePoint, FloatArray]:
    """The point at λ and the log law to start the next one from."""
    if multiplier == 0.0:
        log_channel = np.full(cost.shape, -np.inf)
        log_channel[:, int(np.argmin(law @ cost))] = 0.0
        free = float((law @ cost).min())
        point = RatePoint(
            rate=0.0,
            distortion=free,
            gap=0.0,
            multiplier=0.0,
            log_channel=log_channel,
            converged=True,
            iterations=0,
        )
        return point, np.full(cost.shape[1], -np.log(cost.shape[1]))
    answers = tilted_answers(-multiplier * (cost - cost.min(axis=1, keepdims=True)))
    end = _alternate(law, answers, cost.shape[1], settings, start)
    return _finished(law, cost, multiplier, answers, end), end.log_m


def _end_point(law: FloatArray, cost: FloatArray, settings: AlternationSettings) -> RatePoint:
    cheapest = cost <= cost.min(axis=1, keepdims=True) + 1e-12 * (float(np.ptp(cost)) or 1.0)
    answers = tilted_answers(np.where(cheapest, 0.0, -np.inf))
    end = _alternate(law, answers, cost.shape[1], settings, None)
    return _finished(law, cost, np.inf, answers, end)


def tilted_answers(exponent: FloatArray) -> Callable[[FloatArray], FloatArray]:
    """log m → log q(y|x) ∝ m(y) e^exponent(x,y)."""

    def answers(log_m: FloatArray) -> FloatArray:
        scores = log_m + exponent
        return scores - np.logaddexp.reduce(scores, axis=1, keepdims=True)

    return answers


def _alternate(
    law: FloatArray,
    answers: Callable[[FloatArray], FloatArray],
    size: int,
    settings: AlternationSettings,
    start: FloatArray | None,
) -> Alternation:
    def mean_of_answers(log_m: FloatArray) -> FloatArray:
        with np.errstate(divide="ignore"):
            return np.log(law @ np.exp(answers(log_m)))

    uniform = np.full(size, -np.log(size))
    if start is not None:
        # a law that had died out must be able to come back
        start = np.logaddexp(start, uniform - 12.0)
        start = start - np.logaddexp.reduce(start)
    return alternate(mean_of_answers, uniform if start is None else start, settings)


def _finished(
    law: FloatArray,
    cost: FloatArray,
    multiplier: float,
    answers: Callable[[FloatArray], FloatArray],
    end: Alternation,
) -> RatePoint:
    log_channel = answers(end.log_m)
    channel = np.exp(log_channel)
    change = np.where(channel > 0, log_channel - end.log_mean, 0.0)
    return RatePoint(
        rate=max(0.0, float(law @ (channel * change).sum(axis=1))),
        distortion=float(law @ (channel * cost).sum(axis=1)),
        gap=end.gap,
        multiplier=multiplier,
        log_channel=log_channel,
        converged=end.converged,
        iterations=end.iterations,
    )
