"""The door for sequences: `estimate_directed_information`; theory §1, Massey's sum."""

from typing import Any

import numpy as np

from flowgauge.errors import SettingsError, ShapeError
from flowgauge.estimators.estimate import DEFAULT_ESTIMATOR
from flowgauge.estimators.result import Estimator, InformationEstimate, summarise
from flowgauge.estimators.samples import (
    Context,
    Variable,
    as_array,
    as_variable,
    check_rows,
    take,
)
from flowgauge.math.validate import is_count
from flowgauge.records import IntArray


def estimate_directed_information(
    x: Any,
    y: Any,
    *,
    estimator: Estimator = DEFAULT_ESTIMATOR,
    rng: np.random.Generator,
    history: int | None = None,
    confidence_level: float = 0.95,
) -> InformationEstimate:
    """Directed information Σ_t I(X^t; Y_t | Y^{t−1}) from independent sequences [nats].

    x_t is known when y_t is written (Massey's convention). Each term is

    - `DifferenceOfEntropies`: the cross-entropy of Y_t given Y^{t−1} less that given X^t and
      Y^{t−1}, two upper bounds;
    - a critic: the estimate of I(X^t, Y^{t−1}; Y_t) less that of I(Y^{t−1}; Y_t), two bounds of the
      same direction;
    - `KSG`: its conditional form, one set of neighbours for all spaces;

    so the sum is no bound, whatever the estimator, unless there is one step (then it is I(X_1;
    Y_1)). All terms share the split of the sequences, and the standard error is that of the sum
    over whole sequences.

    Args:
        x: (sample, time, dim) or (sample, time); floats are continuous, integers symbols.
        y: (sample, time, dim) or (sample, time), the same samples and times.
        estimator: As for `estimate_mutual_information`.
        rng: Shuffles the sequences and seeds the fits.
        history: Steps of the past that are read, of x and of y; None reads all. A short history
            leaves out what is older in both conditions and so may err in either direction, unless
            the process forgets as fast.
        confidence_level: Of the interval.

    Returns:
        The sum, with its terms in `terms_nats`.

    Raises:
        ShapeError: Samples or times do not match or are too few; shows the shapes.
        DistributionError: A value is not finite.
        SettingsError: The history is negative, or the estimator cannot read such data.

    References:
        [massey:90]; theory §1.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> x = rng.integers(2, size=(4000, 2))
        >>> y = np.where(rng.random((4000, 2)) < 0.1, 1 - x, x)  # 2 (log 2 − h(0.1)) = 0.736
        >>> estimate = estimate_directed_information(x, y, rng=rng)
        >>> low, high = estimate.confidence_interval
        >>> low < 0.736 < high, len(estimate.terms_nats)
        (True, 2)
    """
    if history is not None and not is_count(history, 0):
        raise SettingsError(f"{history=}: 0 or more steps, or None for all of the past")
    left, right = _steps(x, "x"), _steps(y, "y")
    if len(left) != len(right):
        raise ShapeError(f"x has {len(left)} time steps and y {len(right)}: they must be the same")
    rows = rng.permutation(check_rows(len(left[0].values), len(right[0].values), 3))
    terms = []
    for t, outcome in enumerate(right):
        start = 0 if history is None else max(0, t - history)
        terms.append(
            estimator.evaluate(
                _join(left[start : t + 1], rows),
                take(outcome, rows),
                _join(right[start:t], rows),
                rng=rng,
            )
        )
    return summarise(terms, estimator=estimator, confidence_level=confidence_level)


def _steps(values: Any, name: str) -> list[Variable]:
    """One variable per time step."""
    array = as_array(values, name)
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3 or 0 in array.shape:
        raise ShapeError(
            f"{name} has shape {np.shape(values)}: (sample, time, dim) or (sample, time) is "
            "needed, none of them 0"
        )
    return [as_variable(array[:, t], f"{name} at step {t}") for t in range(array.shape[1])]


def _join(steps: list[Variable], rows: IntArray) -> Context:
    """Steps side by side as what is known."""
    return tuple(take(step, rows) for step in steps)
