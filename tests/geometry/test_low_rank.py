import numpy as np
import pytest
from oracles.geometry import naive_squared_wasserstein

from flowgauge.errors import DistributionError, SettingsError
from flowgauge.geometry import (
    LowRankSettings,
    coupling_distortion,
    euclidean_distances,
    gromov_wasserstein,
    gromov_wasserstein_bounds,
    low_rank,
    low_rank_gromov_wasserstein,
)
from flowgauge.geometry.low_rank import first_lower_bound


def clouds(seed, n=90, m=70):
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((n, 3)), rng.standard_normal((m, 2)) * [2.0, 0.5]
    return x, y, rng.dirichlet(np.ones(n)), rng.dirichlet(np.ones(m)), rng


def full_coupling(result):
    """The low-rank coupling written out: cells' mass spread by the weights of their points."""
    first, second = result.first, result.second
    block = result.anchors.coupling / np.outer(first.centre_weights, second.centre_weights)
    return block[np.ix_(first.labels, second.labels)] * np.outer(first.weights, second.weights)


@pytest.mark.parametrize("seed", range(3))
def test_coupling_has_the_points_weights_as_marginals(seed):
    x, y, p, q, rng = clouds(seed)
    plan = full_coupling(
        low_rank_gromov_wasserstein(x, y, p, q, LowRankSettings(anchors=12), rng=rng)
    )
    np.testing.assert_allclose(plan.sum(axis=1), p, atol=1e-12)
    np.testing.assert_allclose(plan.sum(axis=0), q, atol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_value_estimates_the_distortion_of_the_coupling(seed):
    x, y, p, q, rng = clouds(seed)
    result = low_rank_gromov_wasserstein(x, y, p, q, LowRankSettings(anchors=12), rng=rng)
    exact = coupling_distortion(
        euclidean_distances(x), euclidean_distances(y), full_coupling(result)
    )
    # unbiased: within 4 of its own standard errors
    assert abs(result.value - exact) < 4 * result.standard_error
    assert 0 < result.standard_error < 0.05 * exact


def test_standard_error_is_the_spread_of_repeated_estimates():
    x, y, p, q, rng = clouds(4)
    result = low_rank_gromov_wasserstein(x, y, p, q, LowRankSettings(anchors=12), rng=rng)
    draws = [
        low_rank._distortion(result.anchors.coupling, result.first, result.second, 500, rng)
        for _ in range(200)
    ]
    values, errors = np.array(draws).T
    # the spread of 200 draws is known to 5 percent
    assert abs(np.std(values, ddof=1) / errors.mean() - 1) < 0.2


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("anchors", [5, 20, 70])
def test_certain_bounds_hold_the_value_of_the_whole_clouds(seed, anchors):
    x, y, p, q, rng = clouds(seed)
    result = low_rank_gromov_wasserstein(x, y, p, q, LowRankSettings(anchors=anchors), rng=rng)
    c, d = euclidean_distances(x), euclidean_distances(y)
    found = gromov_wasserstein(c, d, p, q)
    # the value found is an upper bound of the truth, so the lower one must stay below it; and the
    # truth is at least its lower bound, so the upper one must stay above that
    assert result.lower_bound <= found.value + 1e-12
    assert result.upper_bound >= found.bounds.lower - 1e-12
    assert result.gap == max(result.value - result.lower_bound, 0.0)
    assert result.rank <= len(result.first.centres) + len(result.second.centres) - 1


def test_as_many_cells_as_points_is_the_problem_itself():
    x, y, p, q, rng = clouds(6, 25, 20)
    result = low_rank_gromov_wasserstein(x, y, p, q, LowRankSettings(anchors=25), rng=rng)
    assert result.first.radius < 1e-12
    exact = gromov_wasserstein_bounds(euclidean_distances(x), euclidean_distances(y), p, q)
    assert abs(result.lower_bound - exact.lower) < 1e-9
    assert abs(result.value - result.anchors.value) < 4 * result.standard_error


def test_more_anchors_come_nearer_to_an_isometric_copy():
    rng = np.random.default_rng(7)
    x = rng.standard_normal((400, 2)) * [2.0, 1.0]
    y = x[rng.permutation(400)] @ np.array([[0.0, 1.0], [-1.0, 0.0]])
    values = [
        low_rank_gromov_wasserstein(x, y, settings=LowRankSettings(anchors=k), rng=rng).value
        for k in (4, 30, 150)
    ]
    assert values[0] > 2 * values[1] > 4 * values[2]


def test_matches_are_drawn_from_the_coupling():
    x, y, p, q, rng = clouds(8, 12, 9)
    result = low_rank_gromov_wasserstein(x, y, p, q, LowRankSettings(anchors=4), rng=rng)
    count = 40_000
    rows, columns = result.draw(count, rng)
    seen = np.zeros((12, 9))
    np.add.at(seen, (rows, columns), 1 / count)
    plan = full_coupling(result)
    # binomial noise: 5 standard errors for each of 108 entries
    assert np.all(np.abs(seen - plan) < 5 * np.sqrt(plan / count) + 1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_first_lower_bound_needs_no_matrix(seed):
    x, y, p, q, _ = clouds(seed, 15, 11)
    c, d = euclidean_distances(x), euclidean_distances(y)
    fast = first_lower_bound(x, y, p, q)
    assert abs(fast - gromov_wasserstein_bounds(c, d, p, q).flb) < 1e-12
    slow = naive_squared_wasserstein(np.sqrt(c**2 @ p), np.sqrt(d**2 @ q), p, q)
    assert abs(fast - slow) < 1e-7  # the linear programme's own tolerance


def test_many_points_with_duplicates_and_without_weight():
    rng = np.random.default_rng(9)
    x = np.repeat(rng.standard_normal((3, 2)), 4_000, axis=0)  # 12,000 points, 3 places
    p = np.where(np.arange(len(x)) % 2 == 0, 1.0, 0.0)
    result = low_rank_gromov_wasserstein(
        x, x + 1.0, p / p.sum(), settings=LowRankSettings(anchors=10, pairs=1_000), rng=rng
    )
    assert len(result.first.centres) <= 3
    assert result.value < 1e-12
    assert result.upper_bound < 1e-12


def test_bad_input_is_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(DistributionError, match=r"q sums to 2"):
        low_rank_gromov_wasserstein(np.eye(3), np.eye(2), None, [1.0, 1.0], rng=rng)
    with pytest.raises(SettingsError, match=r"anchors = 1 and pairs = 50000: at least 2"):
        LowRankSettings(anchors=1)
