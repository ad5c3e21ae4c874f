"""Classical rate–distortion by Blahut–Arimoto, for any distortion matrix (theory §5).

R(D) = min I(X;Y) subject to E d(X,Y) ≤ D. A point of the curve is asked for by its slope or by its
distortion; each carries a certificate from the dual problem.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from flowgauge.errors import DistributionError, SettingsError, ShapeError, UnreachableError
from flowgauge.math.validate import as_floats, check_distribution
from flowgauge.rate.alternate import AlternationSettings
from flowgauge.rate.mixture import best_mixture
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
    return _point(law, cost, float(multiplier), settings or AlternationSettings())


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
    if target == np.inf:
        return _free_point(law, cost)
    least = float(law @ cost.min(axis=1))
    if not least - 1e-12 * float(np.ptp(cost)) <= target < np.inf:
        raise UnreachableError(
            f"target = {target}: the least distortion of any channel is {least:.9g}; ask for that "
            "or more"
        )
    return point_at(law, cost, float(target), settings or AlternationSettings())


def check_cost(p: npt.ArrayLike, cost: npt.ArrayLike, name: str) -> tuple[FloatArray, FloatArray]:
    """Source law and (source, reproduction) matrix, checked."""
    law = check_distribution(p, "p")
    matrix = as_floats(cost, name)
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
    """The point at a reachable distortion, by a search of λ; both ends in closed form."""
    spread = float(np.ptp(cost)) or 1.0
    if target >= float((law @ cost).min()) - 1e-14 * spread:
        return _free_point(law, cost)
    # at the least distortion only each source's cheapest reproductions remain: λ = ∞
    if target <= float(law @ cost.min(axis=1)) + 1e-12 * spread:
        cheapest = cost <= cost.min(axis=1, keepdims=True) + 1e-12 * spread
        return _solved(law, cost, np.inf, cheapest.astype(np.float64), settings)
    return _search(law, cost, target, settings)


def _search(
    law: FloatArray, cost: FloatArray, target: float, settings: AlternationSettings
) -> RatePoint:
    from scipy.optimize import brentq

    spread = float(np.ptp(cost))

    def excess(log_multiplier: float) -> float:
        return _point(law, cost, float(np.exp(log_multiplier)), settings).distortion - target

    low = high = -np.log(spread)
    while excess(high) > 0 and high < np.log(1e12 / spread):
        low, high = high, high + 2.0
    while excess(low) < 0 and low > np.log(1e-12 / spread):
        low, high = low - 2.0, low
    root = low if excess(low) == 0 else brentq(excess, low, high, xtol=1e-13, rtol=1e-14)
    point = _point(law, cost, float(np.exp(root)), settings)
    if abs(point.distortion - target) <= 1e-9 * spread:
        return point
    # the curve is straight here: D jumps at this λ, and mixtures of both sides lie on the line
    sides = [_point(law, cost, float(np.exp(root + step)), settings) for step in (-1e-9, 1e-9)]
    return _time_shared(law, cost, target, sides)


def _time_shared(
    law: FloatArray, cost: FloatArray, target: float, sides: list[RatePoint]
) -> RatePoint:
    """The mixture of two channels of the same slope that has the distortion wanted."""
    more, less = sides
    width = more.distortion - less.distortion
    share = min(1.0, max(0.0, (more.distortion - target) / width if width > 0 else 0.0))
    channel = (1.0 - share) * np.exp(more.log_channel) + share * np.exp(less.log_channel)
    rate, distortion = _information(law, channel), float(law @ (channel * cost).sum(axis=1))
    line = less.rate + less.multiplier * less.distortion - less.gap
    with np.errstate(divide="ignore"):
        log_channel = np.log(channel)
    return RatePoint(
        rate=rate,
        distortion=distortion,
        gap=max(0.0, rate - (line - less.multiplier * distortion)),
        multiplier=less.multiplier,
        log_channel=log_channel,
        converged=more.converged and less.converged,
        iterations=more.iterations + less.iterations,
    )


def _free_point(law: FloatArray, cost: FloatArray) -> RatePoint:
    """Rate 0: the single reproduction that is cheapest for all."""
    means = law @ cost
    log_channel = np.full(cost.shape, -np.inf)
    log_channel[:, int(np.argmin(means))] = 0.0
    return RatePoint(
        rate=0.0,
        distortion=float(means.min()),
        gap=0.0,
        multiplier=0.0,
        log_channel=log_channel,
        converged=True,
        iterations=0,
    )


def _point(
    law: FloatArray, cost: FloatArray, multiplier: float, settings: AlternationSettings
) -> RatePoint:
    if multiplier == 0.0:
        return _free_point(law, cost)
    with np.errstate(over="ignore"):  # exp(−∞) is the 0 that is meant
        kernel = np.exp(-multiplier * (cost - cost.min(axis=1, keepdims=True)))
    return _solved(law, cost, multiplier, kernel, settings)


def _solved(
    law: FloatArray,
    cost: FloatArray,
    multiplier: float,
    kernel: FloatArray,
    settings: AlternationSettings,
) -> RatePoint:
    """q(y|x) ∝ m(y) kernel(x, y), where every row of the kernel has largest entry 1."""
    used = law > 0
    mixture = best_mixture(law[used], kernel[used], settings, np.ones(cost.shape[1]))
    joint = mixture.m * kernel
    # a source that never occurs may need symbols that died out: it takes its cheapest ones
    lost = (joint.sum(axis=1) == 0) & ~used
    joint[lost] = kernel[lost]
    channel = joint / joint.sum(axis=1, keepdims=True)
    with np.errstate(divide="ignore"):
        log_channel = np.log(channel)
    return RatePoint(
        rate=_information(law, channel),
        distortion=float(law @ (channel * cost).sum(axis=1)),
        gap=mixture.gap,
        multiplier=multiplier,
        log_channel=log_channel,
        converged=mixture.gap <= settings.tolerance,
        iterations=mixture.iterations,
    )


def _information(law: FloatArray, channel: FloatArray) -> float:
    mean = law @ channel
    used = (channel > 0) & (mean > 0)
    ratio = np.where(used, channel, 1.0) / np.where(used, np.broadcast_to(mean, channel.shape), 1.0)
    return max(0.0, float(law @ (np.where(used, channel, 0.0) * np.log(ratio)).sum(axis=1)))
