"""Directed rate–distortion of several sources jointly (theory §5; paper III-B, equation 11).

R(D) = min I(S→U) over the sources' laws q_s with mean KL(p_s‖q_s) at most D. The step of `step.py`
for every source, one λ for all (distortion is water-filled), alternates with m = Σ w_s q_s.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from flowgauge.errors import ShapeError, UnreachableError
from flowgauge.math.validate import as_floats, check_distribution
from flowgauge.rate.alternate import AlternationSettings, alternate
from flowgauge.rate.kernel import log_ratio, multiplier_for, normalised_law
from flowgauge.records import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class RateDistortionCurve:
    """Points of R(D), each with its certificate: `rate − gap ≤ R(D) ≤ rate`.

    Attributes:
        distortion: (point,) D [nats]; asked for, or the mutual information where that is less.
        rate: (point,) I(S;U) of the laws found [nats].
        gap: (point,) dual gap [nats].
        multiplier: (point,) λ = −dR/dD; ∞ at D = 0, 0 at rate 0.
        log_q: (point, source, vocab) the sources' laws [nats].
        converged: (point,) whether the gap is within the tolerance.
        iterations: (point,) alternations taken.
    """

    distortion: FloatArray
    rate: FloatArray
    gap: FloatArray
    multiplier: FloatArray
    log_q: FloatArray
    converged: npt.NDArray[np.bool_]
    iterations: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Point:
    distortion: float
    rate: float
    gap: float
    multiplier: float
    log_q: FloatArray
    converged: bool = True
    iterations: int = 0


def rate_distortion_curve(
    p: npt.ArrayLike,
    weights: npt.ArrayLike,
    distortions: npt.ArrayLike,
    settings: AlternationSettings | None = None,
) -> RateDistortionCurve:
    """Least information from source to token at given mean distortions, R(D) [nats].

    The distortion is Σ w_s KL(p_s‖q_s), the rate I(S;U) under the q_s. R(0) = I under p;
    R(D) = 0 from D = I on (one law for all: the mean of the p_s). It is a property of the laws p,
    not of any one compressed model; a model's own point lies on or above the curve.

    Args:
        p: (source, vocab) law of the token given each source, rows sum to 1.
        weights: (source,) probabilities of the sources, sum to 1.
        distortions: (point,) D ≥ 0 [nats].
        settings: When to stop; the gap is at most 1e-9 nats by default.

    Returns:
        `RateDistortionCurve`, one point per distortion.

    Raises:
        DistributionError: p or weights are no probabilities; shows the numbers.
        ShapeError: p and weights disagree about the number of sources.
        UnreachableError: A distortion is negative or not finite.

    References:
        [bai:25] equation 11; [blahut:72] for the alternation and its certificate.

    Example:
        >>> curve = rate_distortion_curve([[0.9, 0.1], [0.2, 0.8]], [0.5, 0.5], [0.0, 0.1, 1.0])
        >>> curve.rate.round(4), bool((curve.gap <= 1e-9).all())
        (array([0.2754, 0.0489, 0.    ]), True)
    """
    laws, shares = check_sources(p, weights)
    targets = check_distortions(distortions)
    settings = settings or AlternationSettings()
    points = [_point(laws, shares, float(target), settings) for target in targets]
    return RateDistortionCurve(
        distortion=np.array([point.distortion for point in points]),
        rate=np.array([point.rate for point in points]),
        gap=np.array([point.gap for point in points]),
        multiplier=np.array([point.multiplier for point in points]),
        log_q=np.array([point.log_q for point in points]),
        converged=np.array([point.converged for point in points]),
        iterations=np.array([point.iterations for point in points]),
    )


def check_sources(p: npt.ArrayLike, weights: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Laws (source, vocab) and weights (source,), checked and cleaned of round-off."""
    laws = check_distribution(p, "p", axis=-1)
    shares = check_distribution(weights, "weights")
    if laws.ndim != 2 or shares.shape != laws.shape[:1]:
        raise ShapeError(
            f"p has shape {laws.shape}, weights {shares.shape}: (source, vocab) and (source,) were "
            "needed"
        )
    return laws / laws.sum(axis=-1, keepdims=True), shares / shares.sum()


def check_distortions(distortions: npt.ArrayLike) -> FloatArray:
    """Targets (point,), each 0 or more."""
    targets = np.atleast_1d(as_floats(distortions, "distortions"))
    if targets.ndim != 1 or targets.size == 0:
        raise ShapeError(f"distortions has shape {targets.shape}: a list (point,) was needed")
    if not bool(np.all((targets >= 0) & (targets < np.inf))):
        raise UnreachableError(
            f"distortions = {targets}: KL(p‖q) is 0 or more and finite, so no laws have it"
        )
    return targets


def mutual_information(log_q: FloatArray, log_mean: FloatArray, weights: FloatArray) -> float:
    """I(S;U) = Σ w_s KL(q_s‖mean) [nats]; 0 log 0 = 0."""
    change = log_ratio(log_q, np.broadcast_to(log_mean, log_q.shape))
    return max(0.0, float(weights @ (np.exp(log_q) * change).sum(axis=-1)))


def safe_log(values: FloatArray) -> FloatArray:
    """Natural logarithm with log 0 = −inf and no warning."""
    with np.errstate(divide="ignore"):
        return np.log(values)


def _point(
    laws: FloatArray, weights: FloatArray, target: float, settings: AlternationSettings
) -> _Point:
    mean = weights @ laws
    log_p, log_mean = safe_log(laws), safe_log(mean)
    information = mutual_information(log_p, log_mean, weights)
    if target <= 0.0:
        return _Point(distortion=0.0, rate=information, gap=0.0, multiplier=np.inf, log_q=log_p)
    if target >= information:
        return _Point(
            distortion=information,
            rate=0.0,
            gap=0.0,
            multiplier=0.0,
            log_q=np.broadcast_to(log_mean, laws.shape),
        )
    # sources of weight 0 take no part; tokens no source writes have q = 0
    sources, tokens = weights > 0, mean > 0
    inner = _solve(log_p[np.ix_(sources, tokens)], weights[sources], target, settings)
    log_q = np.full(laws.shape, -np.inf)
    log_q[np.ix_(sources, tokens)] = inner.log_q
    if not sources.all():
        log_q[~sources] = log_p[~sources]
    return _Point(
        distortion=inner.distortion,
        rate=inner.rate,
        gap=inner.gap,
        multiplier=inner.multiplier,
        log_q=log_q,
        converged=inner.converged,
        iterations=inner.iterations,
    )


def _solve(
    log_p: FloatArray, weights: FloatArray, target: float, settings: AlternationSettings
) -> _Point:
    def answers(log_m: FloatArray) -> tuple[FloatArray, float]:
        reference = np.broadcast_to(log_m, log_p.shape)
        r, m = log_ratio(log_p, reference), np.exp(reference)
        divergence = (np.exp(log_p) * r).sum(axis=-1)
        lam = multiplier_for(r, m, divergence, np.float64(target), weights)
        return reference + normalised_law(r, m, divergence, lam).s, float(lam[0])

    def mean_of_answers(log_m: FloatArray) -> FloatArray:
        return np.log(weights @ np.exp(answers(log_m)[0]))

    end = alternate(mean_of_answers, np.log(weights @ np.exp(log_p)), settings)
    log_q, lam = answers(end.log_m)
    reached = float(weights @ (np.exp(log_p) * log_ratio(log_p, log_q)).sum(axis=-1))
    return _Point(
        distortion=reached,
        rate=mutual_information(log_q, end.log_mean, weights),
        gap=end.gap,
        multiplier=lam,
        log_q=log_q,
        converged=end.converged,
        iterations=end.iterations,
    )
