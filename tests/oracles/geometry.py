"""Slow and obvious geometry: quadruple loops, linear programmes, all permutations."""

from itertools import permutations, product

import numpy as np
from scipy.integrate import quad
from scipy.optimize import linprog


def naive_distortion(c, d, plan):
    """Σ |C_ik − D_jl|² T_ij T_kl, term by term."""
    n, m = plan.shape
    return sum(
        (c[i, k] - d[j, el]) ** 2 * plan[i, j] * plan[k, el]
        for i, j, k, el in product(range(n), range(m), range(n), range(m))
    )


def best_permutation(c, d):
    """Least distortion over all permutations of equal weights: n! of them."""
    n = len(c)
    return min(np.mean((c - d[np.ix_(s, s)]) ** 2) for s in permutations(range(n)))


def transport_programme(cost, p, q):
    """min ⟨cost, T⟩ over couplings, as a linear programme."""
    n, m = cost.shape
    rows = np.kron(np.eye(n), np.ones(m))
    columns = np.kron(np.ones(n), np.eye(m))
    # the last equation follows from the others
    equations, right = np.vstack([rows, columns])[:-1], np.concatenate([p, q])[:-1]
    solved = linprog(cost.ravel(), A_eq=equations, b_eq=right, bounds=(0, None), method="highs")
    return solved.fun


def naive_squared_wasserstein(u, v, p, q):
    """W₂² on the line, as a linear programme."""
    return transport_programme((u[:, None] - v[None, :]) ** 2, p, q)


def naive_bounds(c, d, p, q):
    """FLB, SLB and TLB by linear programmes."""
    left, right = np.sqrt([row**2 @ p for row in c]), np.sqrt([row**2 @ q for row in d])
    flb = naive_squared_wasserstein(left, right, p, q)
    slb = naive_squared_wasserstein(
        c.ravel(), d.ravel(), np.outer(p, p).ravel(), np.outer(q, q).ravel()
    )
    cost = np.array([[naive_squared_wasserstein(a, b, p, q) for b in d] for a in c])
    return flb, slb, transport_programme(cost, p, q)


def two_point_minimum(c, d, p, q):
    """Exact Gromov–Wasserstein value of two spaces of two points: one free number.

    The distortion is a quadratic in T_00; it is least at an end or at the vertex.
    """
    low, high = max(0.0, p[0] + q[0] - 1.0), min(p[0], q[0])

    def value(t):
        return naive_distortion(c, d, np.array([[t, p[0] - t], [q[0] - t, 1.0 - p[0] - q[0] + t]]))

    middle = (low + high) / 2
    ends = [value(low), value(middle), value(high)]
    candidates = [ends[0], ends[2]]
    if high > low:
        a, b, _ = np.polyfit([-1.0, 0.0, 1.0], ends, 2)
        if a > 0 and abs(b) < 2 * a:
            candidates.append(value(middle - b / (2 * a) * (high - low) / 2))
    return min(candidates)


def hsic_cka(x, y):
    """Linear CKA as a ratio of Hilbert–Schmidt independence criteria, with explicit kernels."""
    n = len(x)
    centre = np.eye(n) - np.ones((n, n)) / n

    def hsic(k, el):
        return np.trace(k @ centre @ el @ centre) / (n - 1) ** 2

    k, el = x @ x.T, y @ y.T
    return hsic(k, el) / np.sqrt(hsic(k, k) * hsic(el, el))


def naive_neighbours(x, k):
    """Sets of the k nearest other points, by sorting all distances."""
    result = []
    for i, point in enumerate(x):
        away = np.linalg.norm(x - point, axis=1)
        away[i] = np.inf
        result.append(set(np.argsort(away)[:k].tolist()))
    return result


def two_nn_line_fit(x, discard=0.1):
    """Facco et al.: slope of −log(1 − F(μ)) against log μ through the origin."""
    away = np.linalg.norm(x[:, None] - x[None, :], axis=2)
    away.sort(axis=1)
    logs = np.sort(np.log(away[:, 2] / away[:, 1]))
    n = len(x)
    kept = n - int(discard * n)
    height = -np.log1p(-np.arange(1, n + 1)[:kept] / n)[: kept if discard else -1]
    logs = logs[: len(height)]
    return float(logs @ height / (logs @ logs))


def statistical_dimension(k_share):
    """Measurements per dimension that ℓ₁ needs at sparsity k/n (Amelunxen et al., 2014).

    inf over τ of ρ(1 + τ²) + (1 − ρ) √(2/π) ∫_τ^∞ (u − τ)² e^{−u²/2} du, by quadrature.
    """

    def curve(tau):
        tail = quad(lambda u: (u - tau) ** 2 * np.exp(-(u**2) / 2), tau, np.inf)[0]
        return k_share * (1 + tau**2) + (1 - k_share) * np.sqrt(2 / np.pi) * tail

    grid = np.linspace(0.0, 6.0, 601)
    best = grid[int(np.argmin([curve(t) for t in grid]))]
    fine = np.linspace(max(best - 0.01, 0.0), best + 0.01, 201)
    return min(curve(t) for t in fine)
