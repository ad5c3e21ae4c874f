import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.geometry import transport_programme

from flowgauge.geometry import transport as module

SEEDS = st.integers(0, 10**6)
SIZES = st.integers(1, 8)


@given(SEEDS, SIZES, SIZES)
@settings(derandomize=True, deadline=None, max_examples=50)
def test_transport_is_the_linear_programme(seed, n, m):
    rng = np.random.default_rng(seed)
    cost, p, q = rng.random((n, m)), rng.dirichlet(np.ones(n)), rng.dirichlet(np.ones(m))
    solved = module.transport(cost, p, q)
    assert solved.converged
    # HiGHS solves to 1e-7; primal and dual of the simplex agree to rounding
    assert abs(solved.lower - transport_programme(cost, p, q)) < 1e-7
    assert abs(solved.lower - np.sum(solved.coupling * cost)) < 1e-13


def test_an_unfinished_transport_still_bounds_from_below(monkeypatch):
    monkeypatch.setattr(module, "MAX_PIVOTS", 3)
    rng = np.random.default_rng(0)
    cost, p = rng.random((40, 40)), np.full(40, 1 / 40)
    solved = module.transport(cost, p, p)
    assert not solved.converged
    assert solved.lower <= transport_programme(cost, p, p) + 1e-9


@given(SEEDS, SIZES, SIZES)
@settings(derandomize=True, deadline=None, max_examples=50)
def test_monotone_coupling_has_its_marginals_and_is_optimal_on_the_line(seed, n, m):
    rng = np.random.default_rng(seed)
    u, v = rng.standard_normal(n), rng.standard_normal(m)
    p, q = rng.dirichlet(np.ones(n)), rng.dirichlet(np.ones(m))
    plan = module.monotone_coupling(u, v, p, q)
    np.testing.assert_allclose(plan.sum(axis=1), p, atol=1e-14)
    np.testing.assert_allclose(plan.sum(axis=0), q, atol=1e-14)
    cost = (u[:, None] - v) ** 2
    assert abs(np.sum(plan * cost) - module.transport(cost, p, q).lower) < 1e-12


def test_rounding_restores_marginals_and_moves_little():
    rng = np.random.default_rng(1)
    p, q = rng.dirichlet(np.ones(6)), rng.dirichlet(np.ones(4))
    exact = np.outer(p, q)
    blurred = np.maximum(exact + 1e-3 * rng.standard_normal(exact.shape), 0.0)
    plan = module.round_to_marginals(blurred, p, q)
    np.testing.assert_allclose(plan.sum(axis=1), p, atol=1e-15)
    np.testing.assert_allclose(plan.sum(axis=0), q, atol=1e-15)
    assert np.all(plan >= 0)
    off = np.abs(blurred.sum(axis=1) - p).sum() + np.abs(blurred.sum(axis=0) - q).sum()
    assert np.abs(plan - blurred).sum() <= 2 * off  # lemma 7 of Altschuler et al.
