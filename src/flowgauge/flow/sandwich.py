"""Two bounds that enclose the information between sources and texts, from one M×M matrix.

Row i holds log P(u_i | s_k) of one text under all M sources, its own on the diagonal. With the own
source in the mean: a lower bound, never above log M. With it left out: an upper bound.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from flowgauge.errors import DistributionError, ShapeError
from flowgauge.math.validate import check_log_probabilities
from flowgauge.records import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandwich:
    """Lower and upper estimate of I(S;U) with jackknife standard errors.

    Attributes:
        lower: Mean over texts with the own source in the pool; at most `limit` [nats].
        upper: Mean with the own source left out; +inf where a text is impossible elsewhere [nats].
        lower_standard_error, upper_standard_error: From deleting one record, text and source, at
            a time; the rows share their sources and are not independent [nats].
        limit: log M, the largest value `lower` can take; near it, only `upper` informs [nats].
    """

    lower: float
    upper: float
    lower_standard_error: float
    upper_standard_error: float
    limit: float


def sandwich(log_likelihood: npt.ArrayLike) -> Sandwich:
    """Lower and upper bound on I(S;U), by expectation, from M independent records [nats].

    Both are bounds *on average* over fresh records with u_i drawn from P(·|s_i); one draw of M
    records may miss by its standard error. If somebody else wrote the texts they bound nothing.

    Args:
        log_likelihood: (text, source) log P(u_i | s_k), square, own source on the diagonal;
            −inf is legal off the diagonal [nats].

    Returns:
        The bounds, their standard errors and the ceiling log M.

    Raises:
        ShapeError: Not a square matrix of at least 3 records.
        DistributionError: NaN, a value above 0, or a text impossible under its own source.

    References:
        [poole:19], InfoNCE and leave-one-out with known conditionals.

    Example:
        >>> s = sandwich(np.log([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]]))
        >>> round(s.lower, 4), round(s.upper, 4), round(s.limit, 4)
        (0.8755, 2.0794, 1.0986)
    """
    matrix = check_log_probabilities(log_likelihood, "log_likelihood", ndim=2)
    count = len(matrix)
    if matrix.shape != (count, count) or count < 3:
        raise ShapeError(
            f"log_likelihood has shape {matrix.shape}; a square (text, source) matrix of at least "
            "3 records was needed"
        )
    own = np.diagonal(matrix).copy()
    if np.isneginf(own).any():
        raise DistributionError(
            f"text {int(np.argmax(np.isneginf(own)))} is impossible under its own source: was it "
            "drawn from this model, from the law that was scored?"
        )
    lower, lower_error = _bound(own, matrix, count)
    others = matrix.copy()
    np.fill_diagonal(others, -np.inf)
    upper, upper_error = _bound(own, others, count - 1)
    return Sandwich(
        lower=lower,
        upper=upper,
        lower_standard_error=lower_error,
        upper_standard_error=upper_error,
        limit=float(np.log(count)),
    )


def _bound(own: FloatArray, pool: FloatArray, size: int) -> tuple[float, float]:
    """Mean over texts of log P(u|own) − log mean over the pool, and its jackknife error."""
    values = own - np.logaddexp.reduce(pool, axis=1) + np.log(size)
    if np.isposinf(values).any():
        return float("inf"), float("inf")
    count = len(own)
    without = own[:, None] - _leave_one_out(pool) + np.log(size - 1)
    np.fill_diagonal(without, 0.0)  # the deleted record's own text goes with it
    replicates = without.sum(axis=0) / (count - 1)
    if not np.isfinite(replicates).all():
        return float(values.mean()), float("inf")
    spread = replicates - replicates.mean()
    return float(values.mean()), float(np.sqrt((count - 1) / count * np.sum(spread**2)))


def _leave_one_out(pool: FloatArray) -> FloatArray:
    """(i, k) log Σ_{l≠k} exp pool[i, l]: sums from both ends, so nothing is subtracted."""
    none = np.full((len(pool), 1), -np.inf)
    before = np.logaddexp.accumulate(np.hstack([none, pool[:, :-1]]), axis=1)
    after = np.logaddexp.accumulate(np.hstack([none, pool[:, :0:-1]]), axis=1)[:, ::-1]
    return np.logaddexp(before, after)
