"""Alternating minimisation of I(S;U) + cost, with a certificate (Blahut; Csiszár & Tusnády).

Every multi-source problem of this folder has the form: given a common law m, each source finds its
own q_s; given those, m is their mean T. The map m → T converges, often slowly; Anderson mixing
of log m speeds it up and is dropped for a plain step whenever the certificate grows. Whatever m
is tried, the optimum lies within `gap = max log(T/m) − KL(T‖m)` below the objective at q.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from flowgauge.errors import ConvergenceError, SettingsError
from flowgauge.math.validate import is_count
from flowgauge.records import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class AlternationSettings:
    """When to stop alternating.

    Args:
        tolerance: Largest certified gap accepted [nats].
        max_iterations: Past this the point is returned with `converged=False`.
        memory: Earlier iterates that Anderson mixing combines; 0 alternates plainly.
    """

    tolerance: float = 1e-9
    max_iterations: int = 5000
    memory: int = 6

    def __post_init__(self) -> None:
        counts = is_count(self.max_iterations) and is_count(self.memory, 0)
        if not (0 < self.tolerance < np.inf and counts):
            raise SettingsError(
                f"{self}: tolerance > 0, max_iterations ≥ 1 and memory ≥ 0 are needed"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternation:
    """Where the alternation stopped: the m that the last q answer to, their mean, certificate."""

    log_m: FloatArray
    log_mean: FloatArray
    gap: float
    iterations: int
    converged: bool


def certified_gap(log_m: FloatArray, log_mean: FloatArray) -> float:
    """Upper bound on how far the objective at q lies above the optimum [nats]."""
    finite = log_mean > -np.inf
    change = log_mean[finite] - log_m[finite]
    # np.maximum, not max: a NaN must not pass for a gap of 0
    return float(np.maximum(0.0, change.max() - np.exp(log_mean[finite]) @ change))


def alternate(
    mean_of_answers: Callable[[FloatArray], FloatArray],
    log_m: FloatArray,
    settings: AlternationSettings,
) -> Alternation:
    """Fixed point of log m → log of the mean of the sources' answers to it.

    `log_m` must be finite; the answers' mean may vanish in places (−inf becomes very small).
    """
    history: deque[tuple[FloatArray, FloatArray]] = deque(maxlen=settings.memory + 1)
    best = np.inf
    for iteration in range(1, settings.max_iterations + 1):
        log_mean = np.maximum(mean_of_answers(log_m), -690.0)
        gap = np.nan if np.isnan(log_mean).any() else certified_gap(log_m, log_mean)
        if not np.isfinite(gap):
            raise ConvergenceError(
                f"gap = {gap} at alternation {iteration}: the laws overflowed double precision; "
                "ask for a point further from the ends of the curve"
            )
        if gap <= settings.tolerance or iteration == settings.max_iterations:
            break
        if gap > 4.0 * best:
            history.clear()
        best = min(best, gap)
        history.append((log_m, log_mean - log_m))
        log_m = _mixed(history)
    return Alternation(
        log_m=log_m,
        log_mean=log_mean,
        gap=gap,
        iterations=iteration,
        converged=gap <= settings.tolerance,
    )


def _mixed(history: deque[tuple[FloatArray, FloatArray]]) -> FloatArray:
    """Anderson's next iterate from (point, residual) pairs, normalised; plain if there is one."""
    points = np.array([point for point, _ in history])
    residuals = np.array([residual for _, residual in history])
    proposal = points[-1] + residuals[-1]
    if len(history) > 1:
        change = np.diff(residuals, axis=0)
        # residuals matter in proportion to the mass they move
        weight = np.exp(0.5 * points[-1])
        share, *_ = np.linalg.lstsq((change * weight).T, residuals[-1] * weight, rcond=1e-10)
        correction = share @ (np.diff(points, axis=0) + change)
        if np.abs(correction).max() < 10.0:
            proposal = proposal - correction
    proposal = np.maximum(proposal, -690.0)
    return proposal - np.logaddexp.reduce(proposal)
