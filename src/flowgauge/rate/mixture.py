"""The common law of a classical rate–distortion problem, by Blahut's step and Newton's (theory §5).

For a kernel K(x,y) = e^{−λ d(x,y)} the best reproduction law m maximises Σ p_x log (Km)_x over the
simplex. Blahut–Arimoto's step m·c with c = Kᵀ(p/Km) climbs, but crawls where laws die out; the
quadratic model of the objective over m ≥ 0 is a non-negative least-squares problem whose solution
reaches exact zeros in a few steps, the constrained Newton method of [wang:07]. Both share the
certificate gap = max log c − Σ m c log c.
"""

from dataclasses import dataclass

import numpy as np

from flowgauge.rate.alternate import AlternationSettings
from flowgauge.records import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixture:
    """The law m, the factor c of Blahut's next step, the certificate."""

    m: FloatArray
    factor: FloatArray
    gap: float
    iterations: int


def best_mixture(
    law: FloatArray, kernel: FloatArray, settings: AlternationSettings, start: FloatArray
) -> Mixture:
    """Maximiser of Σ p log Km on the simplex, certified.

    Newton is quadratic, so it is run to round-off rather than to the caller's tolerance: a small
    gap alone leaves the distortion loose where the curve is nearly straight.
    """
    now, iteration = _evaluated(law, kernel, start), 0
    for iteration in range(1, settings.max_iterations + 1):  # noqa: B007
        if now.gap <= 1e-15:
            break
        plain = _evaluated(law, kernel, now.m * now.factor)
        # Newton's zeros can starve symbols that only improbable sources need: then Blahut alone
        newton = _evaluated(law, kernel, _newton(law, kernel, plain.m))
        better = newton if newton.gap <= plain.gap else plain
        if now.gap <= settings.tolerance and better.gap >= 0.5 * now.gap:
            break
        now = better
    return Mixture(m=now.m, factor=now.factor, gap=now.gap, iterations=iteration)


def _evaluated(law: FloatArray, kernel: FloatArray, m: FloatArray) -> Mixture:
    m = m / m.sum()
    factor = (law / (kernel @ m)) @ kernel
    logs = np.log(np.maximum(factor, 1e-300))
    # np.maximum, not max: a NaN must not pass for a gap of 0
    gap = float(np.maximum(0.0, logs.max() - (m * factor) @ logs))
    return Mixture(m=m, factor=factor, gap=gap, iterations=0)


def _newton(law: FloatArray, kernel: FloatArray, m: FloatArray) -> FloatArray:
    """One step: minimise the quadratic model over the simplex, then go as far as it climbs."""
    from scipy.optimize import nnls

    mixed = kernel @ m
    model = np.sqrt(law)[:, None] * (kernel / mixed[:, None] - 2.0)
    try:
        goal, _ = nnls(np.vstack([model, np.ones(len(m))]), np.append(np.zeros(len(law)), 1.0))
    except RuntimeError:
        return m  # nearly dependent columns: Blahut's step alone
    total = goal.sum()
    if not total > 0:
        return m
    direction = goal / total - m
    now, rise = float(law @ np.log(mixed)), float((law / mixed) @ (kernel @ direction))
    share = 1.0
    while share > 1e-6:
        trial = kernel @ (m + share * direction)
        if trial.min() > 0 and float(law @ np.log(trial)) >= now + 1e-4 * share * rise - 1e-16:
            return np.maximum(m + share * direction, 0.0)
        share *= 0.5
    return m
