"""Directed rate–distortion of whole sequences (theory §5, paper equation 11).

On an enumerable world every sequence is one symbol, so R(D) = min I(S→U^N) is exact. A language
model cannot enumerate; there each position is solved on its own with one λ shared by all. Those
laws are feasible, so their rate is an upper bound; the gap between the two is what is lost by
deciding one token at a time.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from flowgauge.errors import ConvergenceError, ShapeError
from flowgauge.math.validate import as_floats, check_distribution
from flowgauge.rate.alternate import AlternationSettings, alternate
from flowgauge.rate.curve import (
    check_distortions,
    mutual_information,
    rate_distortion_curve,
    safe_log,
)
from flowgauge.rate.kernel import log_ratio, normalised_law
from flowgauge.records import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectedRateDistortion:
    """R(D) of sequences and what deciding token by token costs, (point,) each.

    Attributes:
        distortion: D = mean KL(P‖q) over whole sequences [nats per sequence].
        rate: exact I(S→U) of the best joint laws [nats per sequence].
        gap: dual gap of `rate`: rate − gap ≤ R(D) ≤ rate [nats].
        per_token_distortion: D reached by the per-token laws; D up to 1e-9 [nats].
        per_token_rate: I(S→U) of the per-token laws [nats per sequence], at least rate − gap.
        multiplier, per_token_multiplier: λ of either.
        converged: whether every gap is within the tolerance.
    """

    distortion: FloatArray
    rate: FloatArray
    gap: FloatArray
    per_token_distortion: FloatArray
    per_token_rate: FloatArray
    multiplier: FloatArray
    per_token_multiplier: FloatArray
    converged: npt.NDArray[np.bool_]

    @property
    def per_token_excess(self) -> FloatArray:
        """Rate lost by solving each position on its own, 0 or more up to the gap [nats]."""
        return self.per_token_rate - self.rate


def directed_rate_distortion(
    p: npt.ArrayLike,
    weights: npt.ArrayLike,
    distortions: npt.ArrayLike,
    settings: AlternationSettings | None = None,
) -> DirectedRateDistortion:
    """Exact R(D) of a sequence channel, beside the per-token solution [nats per sequence].

    The source is known before the first token, so I(S→U) = I(S;U). With sources that arrive
    during the dialogue the two differ, and this is not the directed rate.

    Args:
        p: (source, u_1, …, u_N) joint law of the sequence given each source; each source's table
            sums to 1. Every sequence is enumerated: keep vocab^N below some thousands.
        weights: (source,) probabilities of the sources.
        distortions: (point,) D ≥ 0 [nats per sequence].
        settings: When the alternations stop.

    Returns:
        `DirectedRateDistortion`.

    Raises:
        DistributionError, ShapeError, UnreachableError: as `rate_distortion_curve`.
        ConvergenceError: The per-token λ was not found; shows how near it came.

    References:
        [bai:25] equation 11; [massey:90] for I(S→U).

    Example:
        >>> import numpy as np
        >>> step = np.array([[0.9, 0.1], [0.2, 0.8]])
        >>> table = step[:, :, None] * step[:, None, :]
        >>> result = directed_rate_distortion(table, [0.5, 0.5], [0.2])
        >>> result.rate.round(3), bool(result.per_token_excess[0] > 0)
        (array([0.053]), True)
    """
    table = as_floats(p, "p")
    if table.ndim < 2 or not table.size:
        raise ShapeError(f"p has shape {table.shape}: (source, u_1, …, u_N) was needed")
    targets = check_distortions(distortions)
    settings = settings or AlternationSettings()
    flat = check_distribution(table.reshape(table.shape[0], -1), "p", axis=-1)
    exact = rate_distortion_curve(flat, weights, targets, settings)
    shares = np.asarray(weights, dtype=np.float64)
    tokens = [
        _per_token_point(table, shares, point, settings)
        for point in zip(exact.distortion, exact.multiplier, strict=True)
    ]
    return DirectedRateDistortion(
        distortion=exact.distortion,
        rate=exact.rate,
        gap=exact.gap,
        per_token_distortion=np.array([token[0] for token in tokens]),
        per_token_rate=np.array([token[1] for token in tokens]),
        multiplier=exact.multiplier,
        per_token_multiplier=np.array([token[2] for token in tokens]),
        converged=exact.converged,
    )


def per_token_laws(
    p: FloatArray, weights: FloatArray, multiplier: float, settings: AlternationSettings
) -> FloatArray:
    """Joint log law (source, u_1, …, u_N) that solves each position with the same λ [nats].

    At a prefix the sources count by their posterior under the laws decided so far, and m is their
    mixture. A source whose true law excludes the prefix follows m.
    """
    shape = p.shape
    log_q = np.zeros((shape[0], 1))
    for step in range(1, len(shape)):
        prefixes = log_q.shape[1]
        true = p.reshape(shape[0], prefixes, shape[step], -1).sum(axis=-1)
        laws = np.empty_like(true)
        for prefix in range(prefixes):
            log_posterior = safe_log(weights) + log_q[:, prefix]
            position = _Position(
                true=true[:, prefix],
                log_weights=log_posterior,
                multiplier=multiplier * true[:, prefix].sum(axis=-1) / np.exp(log_q[:, prefix]),
            )
            laws[:, prefix] = _position_laws(position, settings)
        log_q = (log_q[:, :, None] + laws).reshape(shape[0], -1)
    return log_q.reshape(shape)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Position:
    """One prefix: P(prefix, token | s), log of w_s q(prefix | s), λ per source."""

    true: FloatArray
    log_weights: FloatArray
    multiplier: FloatArray


def _position_laws(position: _Position, settings: AlternationSettings) -> FloatArray:
    """Laws log q (source, vocab) of one prefix."""
    true, log_weights = position.true, position.log_weights
    mass = true.sum(axis=-1)
    alive = (mass > 0) & (log_weights > -np.inf)
    vocab = true.shape[1]
    if not alive.any():
        return np.full(true.shape, -np.log(vocab))
    weights = np.exp(log_weights[alive] - log_weights[alive].max())
    weights /= weights.sum()
    law = true[alive] / mass[alive, None]
    mean = weights @ law
    tokens = mean > 0
    log_p = safe_log(law[:, tokens])
    lam = position.multiplier[alive]

    def answers(log_m: FloatArray) -> FloatArray:
        reference = np.broadcast_to(log_m, log_p.shape)
        r, m = log_ratio(log_p, reference), np.exp(reference)
        divergence = (np.exp(log_p) * r).sum(axis=-1)
        return reference + normalised_law(r, m, divergence, lam).s

    end = alternate(
        lambda log_m: np.log(weights @ np.exp(answers(log_m))), np.log(mean[tokens]), settings
    )
    found = np.full((len(true), int(tokens.sum())), 0.0)
    found[:] = end.log_mean - np.logaddexp.reduce(end.log_mean)
    found[alive] = answers(end.log_m)
    result = np.full(true.shape, -np.inf)
    result[:, tokens] = found
    return result


def _per_token_point(
    p: FloatArray,
    weights: FloatArray,
    point: tuple[float, float],
    settings: AlternationSettings,
) -> tuple[float, float, float]:
    """(distortion, rate, λ) of the per-token laws at a point (D, λ) of R(D), by bisection on log λ.

    At the ends of the curve (λ = ∞: q = p; λ = 0: one law for all) there is nothing to solve.
    """
    target, exact = point
    flat = p.reshape(p.shape[0], -1)
    log_p = safe_log(flat)

    def measure(log_q: FloatArray) -> tuple[float, float]:
        laws = log_q.reshape(flat.shape)
        mean = safe_log(weights @ np.exp(laws))
        distortion = float(weights @ (flat * log_ratio(log_p, laws)).sum(axis=-1))
        return distortion, mutual_information(laws, mean, weights)

    if exact in (0.0, np.inf):
        return target, 0.0 if exact == 0.0 else measure(log_p)[1], exact
    low, high = np.log(exact) - 6.0, np.log(exact) + 6.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        distortion, rate = measure(per_token_laws(p, weights, float(np.exp(middle)), settings))
        if abs(distortion - target) <= 1e-9:
            return distortion, rate, float(np.exp(middle))
        low, high = (middle, high) if distortion > target else (low, middle)
    raise ConvergenceError(
        f"per-token distortion {distortion:.9g} at λ = {np.exp(middle):.6g}, {target:.9g} was "
        "needed: ask for a distortion further from 0 and from the mutual information"
    )
