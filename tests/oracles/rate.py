"""Slow, obvious answers for flowgauge.rate: a general convex solver, enumeration, closed forms."""

from itertools import product

import numpy as np
from scipy.optimize import minimize

SMALLEST = 1e-13  # keeps SLSQP's iterates off log 0; changes optima by less than 1e-11


def slsqp(objective, shape, rows_sum_to, start, constraint=None):
    """Least value of a smooth convex objective over matrices whose rows sum to given numbers.

    `objective` and `constraint` (≥ 0 is feasible) return value and gradient.
    """
    size = int(np.prod(shape))

    def rows(x):
        return x.reshape(shape).sum(axis=-1) - rows_sum_to

    jacobian = np.kron(np.eye(shape[0]), np.ones(shape[1]))
    constraints = [{"type": "eq", "fun": rows, "jac": lambda _: jacobian}]
    if constraint is not None:
        constraints.append(
            {
                "type": "ineq",
                "fun": lambda x: constraint(x.reshape(shape))[0],
                "jac": lambda x: constraint(x.reshape(shape))[1].ravel(),
            }
        )
    # SLSQP stops early now and then; a restart from its own answer settles it
    x = np.maximum(start, SMALLEST).ravel()
    for _ in range(4):
        result = minimize(
            lambda x: objective(x.reshape(shape))[0],
            x,
            jac=lambda x: objective(x.reshape(shape))[1].ravel(),
            bounds=[(SMALLEST, 1.0)] * size,
            constraints=constraints,
            method="SLSQP",
            options={"ftol": 1e-15, "maxiter": 1000},
        )
        x = np.clip(result.x, SMALLEST, 1.0)
    return result.x.reshape(shape), float(result.fun)


def kl(p, q):
    used = p > 0
    return float(np.sum(p[used] * np.log(p[used] / q[used])))


def step(p, m, distortion):
    """(q, rate) of min KL(q‖m) with KL(p‖q) ≤ D."""

    def rate(q):
        return float(np.sum(q * np.log(q / m))), np.log(q / m) + 1.0

    def room(q):
        return distortion - kl(p, q[0]), (p / q[0])[None, :]

    start = (0.3 * p + 0.7 * m)[None, :]
    q, value = slsqp(rate, (1, len(p)), np.ones(1), start, room)
    return q[0], value


def penalised_step(p, m, multiplier):
    """Least KL(q‖m) + λ KL(p‖q)."""

    def total(q):
        gradient = np.log(q / m) + 1.0 - multiplier * p / q
        return float(np.sum(q * np.log(q / m))) + multiplier * kl(p, q[0]), gradient

    q, value = slsqp(total, (1, len(p)), np.ones(1), (0.5 * p + 0.5 * m)[None, :])
    return q[0], value


def curve(p, weights, distortion):
    """R(D) of several sources jointly: the laws q and I(S;U)."""
    w = weights[:, None]

    def information(q):
        log_ratio = np.log(q / (weights @ q))
        return float(np.sum(w * q * log_ratio)), w * log_ratio

    def room(q):
        return distortion - sum(
            s * kl(a, b) for s, a, b in zip(weights, p, q, strict=True)
        ), w * p / q

    mean = weights @ p
    return slsqp(information, p.shape, np.ones(len(p)), 0.5 * p + 0.5 * mean, room)


def classical(p, cost, distortion):
    """R(D) of a source and a cost matrix: the channel and I(X;Y)."""
    w = p[:, None]

    def information(q):
        log_ratio = np.log(q / (p @ q))
        return float(np.sum(w * q * log_ratio)), w * log_ratio

    def room(q):
        return distortion - float(np.sum(w * q * cost)), -w * cost

    # at the boundary SLSQP stalls from some starts: the best of several
    results = []
    for sharpness in (1.0, 4.0, 12.0, 40.0):
        start = np.exp(-sharpness * cost / np.ptp(cost))
        start /= start.sum(axis=1, keepdims=True)
        results.append(slsqp(information, cost.shape, np.ones(len(p)), start, room))
    feasible = [r for r in results if room(r[0])[0] > -1e-9]
    return min(feasible, key=lambda result: result[1])


def best_of_n_law(m, reward, n):
    """Law of the best of n draws, ties to the first, by listing all n-tuples."""
    law = np.zeros(len(m))
    for draws in product(range(len(m)), repeat=n):
        best = max(draws, key=lambda i: reward[i])
        law[best] += np.prod(m[list(draws)])
    return law


def binary_entropy(x):
    return -x * np.log(x) - (1 - x) * np.log(1 - x)
