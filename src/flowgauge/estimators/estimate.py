"""The door for independent pairs: `estimate_mutual_information`; theory §1 (last bullets)."""

from typing import Any

import numpy as np

from flowgauge.estimators.difference_of_entropies import DifferenceOfEntropies
from flowgauge.estimators.result import Estimator, InformationEstimate, summarise
from flowgauge.estimators.samples import as_variable, check_rows, take

#: The default: no bound, and so not held down to log n.
DEFAULT_ESTIMATOR = DifferenceOfEntropies()


def estimate_mutual_information(
    x: Any,
    y: Any,
    *,
    estimator: Estimator = DEFAULT_ESTIMATOR,
    rng: np.random.Generator,
    confidence_level: float = 0.95,
) -> InformationEstimate:
    """Mutual information I(X; Y) from independent pairs, with its error [nats].

    The rows are shuffled, then cut by the estimator: learnt critics and densities are fitted on the
        first, stopped by the next and evaluated on the last. The interval covers what the fitted
        object stands for, not its misfit; rows that depend on each other (a time series) make it
        too narrow.

    Args:
        x: (sample,) or (sample, dim); floats are continuous, integers and booleans symbols.
        y: (sample,) or (sample, dim); row i belongs to row i of x.
        estimator: `DifferenceOfEntropies`, `DonskerVaradhan`, `NWJ`, `InfoNCE`, `SMILE` or `KSG`.
        rng: Shuffles the rows and seeds the fit; the same state gives the same result.
        confidence_level: Of the interval, strictly between 0 and 1.

    Returns:
        Value, standard error, interval, what it may claim and warnings.

    Raises:
        ShapeError: Rows do not match or are too few; shows the numbers.
        DistributionError: A value is not finite; shows the first.
        SettingsError: The estimator cannot read such data, or the level is out of range.

    References:
        [mcallester:20]; [poole:19]; theory §1.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> x = rng.integers(2, size=4000)
        >>> y = np.where(rng.random(4000) < 0.1, 1 - x, x)  # log 2 − h(0.1) = 0.368
        >>> estimate = estimate_mutual_information(x, y, rng=rng)
        >>> low, high = estimate.confidence_interval
        >>> low < 0.368 < high, estimate.is_lower_bound
        (True, False)
    """
    left, right = as_variable(x, "x"), as_variable(y, "y")
    n = check_rows(len(left.values), len(right.values), 3)
    rows = rng.permutation(n)
    term = estimator.evaluate((take(left, rows),), take(right, rows), (), rng=rng)
    return summarise([term], estimator=estimator, confidence_level=confidence_level)
