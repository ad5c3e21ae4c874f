"""The storage transition of the perceptron, counted exactly and seen in experiments (theory §9).

P random dichotomies of points in N dimensions are linearly separable with a probability that Cover
counted; it falls from 1 to 0 around α = P/N = 2, the sharper the larger N: Gardner's α_c(0).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import bdtr

from flowgauge.errors import ConvergenceError, DistributionError, SettingsError, ShapeError
from flowgauge.math.validate import as_floats, is_count
from flowgauge.records import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class PerceptronTransition:
    """Share of random labellings that a perceptron can learn, against patterns per weight.

    Attributes:
        load: (point,) α = patterns / dimension.
        separable: (point,) share of draws that were separable.
        standard_error: (point,) of that share, √(p(1−p)/draws) with Cover's p.
        expected: (point,) Cover's exact probability.
        dimension: N.
        draws: Draws per point.
    """

    load: FloatArray
    separable: FloatArray
    standard_error: FloatArray
    expected: FloatArray
    dimension: int
    draws: int


def cover_probability(patterns: int, dimension: int) -> float:
    """Probability that a random labelling of points in general position is separable [no unit].

    Cover's count 2^{1−P} Σ_{k<N} C(P−1, k) for homogeneous half-spaces (no threshold). Exactly ½ at
    P = 2N.

    Args:
        patterns: P, 1 or more.
        dimension: N, 1 or more.

    Returns:
        The probability.

    Raises:
        SettingsError: A number below 1.

    References:
        [cover:65].

    Example:
        >>> round(cover_probability(20, 10), 12)
        0.5
    """
    if not (is_count(patterns) and is_count(dimension)):
        raise SettingsError(
            f"patterns = {patterns}, dimension = {dimension}: both must be whole numbers, 1 or more"
        )
    if patterns <= dimension:
        return 1.0
    return float(bdtr(dimension - 1, patterns - 1, 0.5))


def is_separable(points: npt.ArrayLike, labels: npt.ArrayLike) -> bool:
    """Whether some w has label · (w·x) > 0 for every point, decided by a linear program [bool].

    No threshold: add a constant column for one.

    Args:
        points: (pattern, dimension) finite inputs.
        labels: (pattern,) −1 or +1.

    Returns:
        True if there is such a w.

    Raises:
        ShapeError: Shapes that do not fit.
        DistributionError: An input is not finite or a label is not ±1.
        ConvergenceError: The solver gave up; shows its message.

    References:
        [cover:65].

    Example:
        >>> is_separable([[1.0, 0.0], [0.0, 1.0]], [1, -1])
        True
        >>> is_separable([[1.0], [2.0]], [1, -1])
        False
    """
    from scipy.optimize import linprog

    x, y = as_floats(points, "points"), as_floats(labels, "labels")
    if x.ndim != 2 or y.shape != x.shape[:1] or x.size == 0:
        raise ShapeError(
            f"points has shape {x.shape}, labels {y.shape}: (pattern, dimension) and (pattern,) "
            "were needed"
        )
    if not np.isfinite(x).all() or not np.isin(y, (-1.0, 1.0)).all():
        raise DistributionError("points must be finite and labels −1 or +1")
    # a positive factor per row changes no sign; at one scale the solver's tolerances are small
    size = np.abs(x).max(axis=1)
    if (size == 0).any():
        return False
    signed = y[:, None] * (x / size[:, None])
    # scale is free: w·x ≥ 1 is feasible exactly where w·x > 0 is
    for presolve in (True, False):  # with it, the solver may end undecided
        program = linprog(
            np.zeros(x.shape[1]),
            A_ub=-signed,
            b_ub=-np.ones(len(x)),
            bounds=(None, None),
            method="highs",
            options={"presolve": presolve},
        )
        if program.status in (0, 2):  # feasible, infeasible
            return bool(program.status == 0)
    raise ConvergenceError(f"the linear program did not end: {program.message}")


def perceptron_transition(
    dimension: int, loads: npt.ArrayLike, draws: int, rng: np.random.Generator
) -> PerceptronTransition:
    """Measured share of separable random labellings at each load α [no unit].

    Gaussian inputs and fair labels; the exact expectation stands beside the measurement.

    Args:
        dimension: N, weights of the perceptron.
        loads: (point,) α > 0; P = round(αN) patterns, at least 1.
        draws: Random problems per point, 1 or more.
        rng: Source of randomness.

    Returns:
        `PerceptronTransition`.

    Raises:
        SettingsError: A number outside its range.

    References:
        [cover:65]; [gardner:88].

    Example:
        >>> import numpy as np
        >>> seen = perceptron_transition(20, [1.0, 3.0], 10, np.random.default_rng(0))
        >>> seen.separable, seen.expected.round(3)
        (array([1., 0.]), array([1.   , 0.004]))
    """
    alphas = np.atleast_1d(as_floats(loads, "loads"))
    sound = alphas.ndim == 1 and alphas.size and np.all((alphas > 0) & (alphas < np.inf))
    if not (is_count(dimension) and is_count(draws) and sound):
        raise SettingsError(
            f"dimension = {dimension}, draws = {draws}, loads = {alphas}: whole numbers of "
            "1 or more and a list of finite loads above 0 are needed"
        )
    counts = [max(1, round(float(alpha) * dimension)) for alpha in alphas]
    shares = []
    for patterns in counts:
        hits = sum(
            is_separable(
                rng.standard_normal((patterns, dimension)), rng.choice([-1.0, 1.0], patterns)
            )
            for _ in range(draws)
        )
        shares.append(hits / draws)
    expected = np.array([cover_probability(patterns, dimension) for patterns in counts])
    return PerceptronTransition(
        load=np.array(counts) / dimension,
        separable=np.array(shares),
        standard_error=np.sqrt(expected * (1.0 - expected) / draws),
        expected=expected,
        dimension=dimension,
        draws=draws,
    )
