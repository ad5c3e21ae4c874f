import numpy as np
import ot
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.geometry import naive_squared_wasserstein

from flowgauge.geometry import quantiles

SEEDS = st.integers(0, 10**6)
SIZES = st.integers(1, 7)


def draw(seed, n, m):
    """Two weighted sets on the line, with ties and with points of no weight."""
    rng = np.random.default_rng(seed)
    u, v = rng.integers(-3, 4, n) / 2, rng.standard_normal(m)
    p, q = rng.dirichlet(np.ones(n)), rng.integers(0, 3, m) + (np.arange(m) == 0)
    return u, v, p, q / q.sum()


@given(SEEDS, SIZES, SIZES)
@settings(derandomize=True, deadline=None, max_examples=60)
def test_squared_wasserstein_is_the_linear_programme(seed, n, m):
    u, v, p, q = draw(seed, n, m)
    # HiGHS solves to 1e-7 feasibility, values here are of order 1
    assert (
        abs(quantiles.squared_wasserstein(u, v, p, q) - naive_squared_wasserstein(u, v, p, q))
        < 1e-7
    )


@given(SEEDS, SIZES, SIZES)
@settings(derandomize=True, deadline=None, max_examples=60)
def test_squared_wasserstein_agrees_with_pot(seed, n, m):
    u, v, p, q = draw(seed, n, m)
    # rounding alone
    assert (
        abs(quantiles.squared_wasserstein(u, v, p, q) - ot.wasserstein_1d(u, v, p, q, p=2)) < 1e-12
    )


def test_rows_are_one_by_one():
    rng = np.random.default_rng(3)
    a, b = rng.standard_normal((4, 5)), rng.standard_normal((3, 6))
    p, q = rng.dirichlet(np.ones(5)), rng.dirichlet(np.ones(6))
    wanted = [[quantiles.squared_wasserstein(u, v, p, q) for v in b] for u in a]
    np.testing.assert_allclose(
        quantiles.squared_wasserstein_rows(a, b, p, q), wanted, rtol=1e-13, atol=1e-15
    )


@given(SEEDS, SIZES, SIZES, st.integers(1, 40))
@settings(derandomize=True, deadline=None, max_examples=60)
def test_cells_never_exceed_the_distance(seed, n, m, cells):
    u, v, p, q = draw(seed, n, m)
    lower = quantiles.squared_distances(
        quantiles.cell_features(u[None, :], p, cells), quantiles.cell_features(v[None, :], q, cells)
    )
    # the spreads are differences of running sums: 1e-15 times the number of cells
    assert lower[0, 0] <= quantiles.squared_wasserstein(u, v, p, q) + 1e-12


def test_many_cells_reach_the_distance():
    u, v, p, q = draw(11, 6, 5)
    exact = quantiles.squared_wasserstein(u, v, p, q)
    left, right = (quantiles.cell_features(a[None, :], w, 20_000) for a, w in ((u, p), (v, q)))
    # at most n + m of the cells hold a step, each loses at most its share of the range squared
    assert 0 <= exact - quantiles.squared_distances(left, right)[0, 0] < 11 * 25 / 20_000


def test_one_cell_is_mean_and_spread():
    u, _, p, _ = draw(5, 6, 5)
    mean_u = u @ p
    spread_u = np.sqrt((u - mean_u) ** 2 @ p)
    np.testing.assert_allclose(
        quantiles.cell_features(u[None, :], p, 1), [[mean_u, spread_u]], rtol=1e-13
    )


def test_two_cells_by_hand():
    features = quantiles.cell_features(np.array([[3.0, 0.0, 2.0, 1.0]]), np.full(4, 0.25), 2)
    wanted = np.array([[0.5, 2.5, 0.5, 0.5]]) / np.sqrt(2)
    np.testing.assert_allclose(features, wanted, rtol=1e-15)


def test_squared_distances_are_those_of_differences():
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((6, 4)) + 1e3, rng.standard_normal((5, 4)) + 1e3
    # without the shift the squares of 1e3 would cost six digits
    np.testing.assert_allclose(
        quantiles.squared_distances(a, b),
        ((a[:, None] - b[None, :]) ** 2).sum(axis=2),
        rtol=1e-11,
        atol=1e-11,
    )
