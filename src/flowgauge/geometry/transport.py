"""Couplings of two weighted sets: linear optimal transport, its certificate, simple couplings.

The linear solver is POT's network simplex; the value returned is that of a feasible dual, so it is
a lower bound of the optimum even where the simplex stopped early (section 7 of the theory).
"""

import warnings
from dataclasses import dataclass

import numpy as np

from flowgauge.geometry.inputs import load_pot
from flowgauge.geometry.quantiles import merge_levels, sort_weighted
from flowgauge.records import FloatArray

#: Pivots of the network simplex; some 10⁵ are needed for 2,000 points of equal weight.
MAX_PIVOTS = 10_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Transport:
    """Solution of min_T ⟨cost, T⟩ over couplings T of p and q.

    Attributes:
        lower: Dual value, never above the optimum [unit of cost].
        coupling: (n, m) the plan; its cost is the optimum when `converged`.
        converged: Whether the simplex proved the plan optimal.
    """

    lower: float
    coupling: FloatArray
    converged: bool


def transport(cost: FloatArray, p: FloatArray, q: FloatArray) -> Transport:
    """Optimal transport for a cost matrix, with a certified lower value [unit of cost].

    Example:
        >>> half = np.array([0.5, 0.5])
        >>> transport(np.array([[1.0, 0.0], [0.0, 1.0]]), half, half).lower
        0.0
    """
    ot = load_pot()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # told by `converged` instead
        plan, log = ot.emd(p, q, cost, numItermax=MAX_PIVOTS, log=True)
    # the c-transform makes any potential feasible: u_i + v_j ≤ cost_ij
    potential = np.asarray(log["u"], dtype=np.float64)
    other = np.min(cost - potential[:, None], axis=0)
    return Transport(
        lower=float(p @ potential + q @ other),
        coupling=np.asarray(plan, dtype=np.float64),
        converged=log["warning"] is None,
    )


def monotone_coupling(
    scores: FloatArray, others: FloatArray, p: FloatArray, q: FloatArray
) -> FloatArray:
    """The coupling that matches two sets in the order of their scores: (n, m).

    Example:
        >>> half = np.array([0.5, 0.5])
        >>> monotone_coupling(np.array([1.0, 2.0]), np.array([9.0, 8.0]), half, half)
        array([[0. , 0.5],
               [0.5, 0. ]])
    """
    rows, columns = np.argsort(scores, kind="stable"), np.argsort(others, kind="stable")
    _, left = sort_weighted(scores[None, :], p)
    _, right = sort_weighted(others[None, :], q)
    widths, i, j = merge_levels(left[0], right)
    plan = np.zeros((len(p), len(q)))
    np.add.at(plan, (rows[i[0]], columns[j[0]]), widths[0])
    return round_to_marginals(plan, p, q)


def round_to_marginals(plan: FloatArray, p: FloatArray, q: FloatArray) -> FloatArray:
    """The nearest simple coupling of p and q to a plan whose marginals are a little off.

    Rows and columns that have too much are scaled down, what is missing is added as a product
    ([altschuler:17], algorithm 2); moves no more than twice the mass by which the plan is off.
    """
    rows, columns = plan.sum(axis=1), plan.sum(axis=0)
    plan = plan * _shrink(p, rows)[:, None]
    columns = plan.sum(axis=0)
    plan = plan * _shrink(q, columns)
    lack_p, lack_q = p - plan.sum(axis=1), q - plan.sum(axis=0)
    missing = float(lack_p.sum())
    # below rounding a correction would only fill a sparse plan with dust
    if missing <= 1e-15:
        return plan
    return np.asarray(plan + np.outer(lack_p, lack_q) / missing, dtype=np.float64)


def _shrink(wanted: FloatArray, found: FloatArray) -> FloatArray:
    """Factors of at most 1 that bring what was found down to what was wanted."""
    return np.minimum(1.0, np.divide(wanted, found, out=np.ones_like(found), where=found > 0))
