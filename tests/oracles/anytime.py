"""Sequential tests by their definitions, and small worlds with every path. Slow, obvious."""

import numpy as np
from oracles.flow import path_columns


def random_laws(rng, vocab, time, floor=0.0):
    """A law that depends on the whole past: prefix -> (vocab,) probabilities, kept once drawn."""
    drawn = {}

    def law(prefix):
        if prefix not in drawn:
            drawn[prefix] = (1 - floor) * rng.dirichlet(np.ones(vocab)) + floor / vocab
        return drawn[prefix]

    return law


def every_path(seed=0, vocab=2, time=9, orders=(-1.0, -0.5, 0.5, 1.0)):
    """All paths of two random laws with their columns (oracles.flow.path_columns)."""
    rng = np.random.default_rng(seed)
    law_p, law_q = random_laws(rng, vocab, time, 0.1), random_laws(rng, vocab, time, 0.1)
    return path_columns(law_p, law_q, vocab, time, orders)


def shiryaev_roberts(ratios):
    """R_j = Σ_{i≤j} Π_{i≤l≤j} e_l."""
    return [sum(np.prod(ratios[i : j + 1]) for i in range(j + 1)) for j in range(len(ratios))]


def cusum(ratios):
    """C_j = max_{i≤j} Π_{i≤l≤j} e_l."""
    return [max(np.prod(ratios[i : j + 1]) for i in range(j + 1)) for j in range(len(ratios))]


def e_bh(e_values, alpha):
    """The largest k such that k of the e-values reach K/(alpha k)."""
    count = len(e_values)
    for k in range(count, 0, -1):
        reached = [e >= count / (alpha * k) for e in e_values]
        if sum(reached) >= k:
            return reached
    return [False] * count


def boundary(squares, alpha, grid):
    """The s at which the mean over λ of exp(λs − ψ(λ)V) is 2/alpha, by bisection; range 1."""
    psi = -np.log(1 - grid) - grid

    def mixture(s):
        return np.log(np.mean(np.exp(grid * s - psi * squares)))

    low, high = 0.0, 1.0
    while mixture(high) < np.log(2 / alpha):
        high *= 2
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if mixture(middle) < np.log(2 / alpha) else (low, middle)
    return high
