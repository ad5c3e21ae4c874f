import numpy as np
import ot
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.geometry import best_permutation, two_point_minimum

from flowgauge.errors import DistributionError, MissingDependencyError, SettingsError
from flowgauge.geometry import (
    ConditionalGradient,
    Entropic,
    GromovWassersteinSettings,
    coupling_distortion,
    euclidean_distances,
    gromov_wasserstein,
    identity_start,
    product_start,
)

SEEDS = st.integers(0, 10**6)
TINY = 1e-12
MANY = GromovWassersteinSettings(random_starts=20)


def clouds(seed, n, m):
    rng = np.random.default_rng(seed)
    c = euclidean_distances(rng.standard_normal((n, 3)))
    d = euclidean_distances(rng.standard_normal((m, 2)))
    return c, d, rng.dirichlet(np.ones(n)), rng.dirichlet(np.ones(m)), rng


@given(SEEDS, st.integers(2, 6))
@settings(derandomize=True, deadline=None, max_examples=30)
def test_value_is_that_of_the_best_permutation(seed, n):
    # for Euclidean distances the distortion is concave in the coupling (distances are conditionally
    # negative definite), so for equal weights a permutation is optimal: brute force is exact
    c, d, _, _, rng = clouds(seed, n, n)
    best = best_permutation(c, d)
    result = gromov_wasserstein(c, d, settings=MANY, rng=rng)
    assert abs(result.value - best) < TINY
    assert result.bounds.lower <= best + TINY


@given(SEEDS)
@settings(derandomize=True, deadline=None, max_examples=40)
def test_value_of_two_points_is_exact(seed):
    rng = np.random.default_rng(seed)
    c, d = rng.standard_normal((2, 2)), rng.standard_normal((2, 2))
    p, q = rng.dirichlet(np.ones(2)), rng.dirichlet(np.ones(2))
    result = gromov_wasserstein(c, d, p, q, MANY, rng=rng)
    exact = two_point_minimum(c, d, p, q)
    # a one-dimensional quadratic: line search ends at its minimum, or at one of its two ends
    assert exact - TINY <= result.value <= exact + 1e-9


@given(SEEDS, st.integers(1, 8), st.integers(1, 8))
@settings(derandomize=True, deadline=None, max_examples=40)
def test_record_is_consistent(seed, n, m):
    c, d, p, q, _ = clouds(seed, n, m)
    result = gromov_wasserstein(c, d, p, q)
    np.testing.assert_allclose(result.coupling.sum(axis=1), p, atol=TINY)
    np.testing.assert_allclose(result.coupling.sum(axis=0), q, atol=TINY)
    assert result.bounds.lower <= result.value + TINY
    assert abs(result.gap - (result.value - result.bounds.lower)) < TINY
    assert result.value == min(v for _, v in result.values)
    assert result.start in [name for name, v in result.values if v == result.value]
    assert abs(result.value - coupling_distortion(c, d, result.coupling)) < TINY
    assert result.distance == 0.5 * np.sqrt(result.value)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("solver", [ConditionalGradient(), Entropic()])
def test_isometric_copy_has_value_zero(seed, solver):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((25, 4))
    turn, _ = np.linalg.qr(rng.standard_normal((7, 7)))
    order = rng.permutation(25)
    c, d = euclidean_distances(x), euclidean_distances((x @ turn[:4])[order])
    for p in (np.full(25, 1 / 25), rng.dirichlet(np.ones(25))):
        result = gromov_wasserstein(c, d, p, p[order], GromovWassersteinSettings(solver=solver))
        assert result.value < TINY
        assert result.gap < TINY


@given(SEEDS)
@settings(derandomize=True, deadline=None, max_examples=15)
def test_relabelling_changes_no_value(seed):
    c, d, _, _, rng = clouds(seed, 5, 5)
    order = rng.permutation(5)
    one = gromov_wasserstein(c, d, settings=MANY, rng=rng)
    two = gromov_wasserstein(c[np.ix_(order, order)], d, settings=MANY, rng=rng)
    assert abs(one.value - two.value) < TINY


@given(SEEDS)
@settings(derandomize=True, deadline=None, max_examples=15)
def test_never_worse_than_the_identity_nor_than_pot(seed):
    c, d, p, _, _ = clouds(seed, 12, 12)
    result = gromov_wasserstein(c, d, p, p)
    assert result.bounds.identity is not None
    assert result.value <= result.bounds.identity + TINY
    assert result.value <= ot.gromov.gromov_wasserstein2(c, d, p, p) + 1e-9


def test_pots_start_alone_is_pots_answer():
    c, d, p, q, _ = clouds(7, 15, 11)
    only = GromovWassersteinSettings(starts=(product_start,))
    result = gromov_wasserstein(c, d, p, q, only)
    plan, log = ot.gromov.gromov_wasserstein(c, d, p, q, log=True)
    # both stop within 1e-9 of the local optimum, at the same vertex
    assert abs(result.value - log["gw_dist"]) < 1e-9
    np.testing.assert_allclose(result.coupling, plan, atol=1e-9)
    assert result.start == "product_start"


def test_starts_that_do_not_apply_are_left_out():
    c, d, p, q, _ = clouds(8, 6, 5)
    assert [name for name, _ in gromov_wasserstein(c, d, p, q).values] == [
        "product_start",
        "first_bound_start",
        "third_bound_start",
    ]
    with pytest.raises(SettingsError, match=r"none of the starts \['identity_start'\] applies"):
        gromov_wasserstein(c, d, p, q, GromovWassersteinSettings(starts=(identity_start,)))


def test_same_seed_same_answer():
    c, d, p, q, _ = clouds(9, 8, 7)
    one, two = (
        gromov_wasserstein(c, d, p, q, MANY, rng=np.random.default_rng(3)) for _ in range(2)
    )
    assert one.values == two.values
    assert "random_start" in [name for name, _ in one.values]


def test_random_starts_need_randomness():
    with pytest.raises(SettingsError, match=r"random_starts = 20 needs rng"):
        gromov_wasserstein(np.eye(2), np.eye(2), settings=MANY)


def test_no_start_at_all_is_refused():
    with pytest.raises(SettingsError, match=r"0 starts and 0 random ones"):
        GromovWassersteinSettings(starts=())


def test_exchanges_are_counted_and_may_be_left_out():
    c, d, _, _, _ = clouds(0, 6, 6)
    without, exchanged = (
        gromov_wasserstein(c, d, settings=GromovWassersteinSettings(max_sweeps=k)) for k in (0, 100)
    )
    assert exchanged.value < without.value
    assert exchanged.iterations > without.iterations
    with pytest.raises(SettingsError, match=r"max_sweeps = -1, at least 0"):
        GromovWassersteinSettings(max_sweeps=-1)


def test_spaces_of_one_point_and_of_no_extent():
    result = gromov_wasserstein(np.zeros((1, 1)), np.zeros((3, 3)))
    assert (result.value, result.gap, result.converged) == (0.0, 0.0, True)


def test_bad_weights_are_refused():
    with pytest.raises(DistributionError, match=r"p sums to 0.9"):
        gromov_wasserstein(np.eye(2), np.eye(2), [0.5, 0.4])


def test_missing_pot_is_told(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ot", None)
    with pytest.raises(MissingDependencyError, match=r"flowgauge\[geometry\]"):
        gromov_wasserstein(np.eye(2), np.eye(2))


def test_settings_are_whole_numbers():
    for wrong in (np.nan, 2.5):
        with pytest.raises(SettingsError, match="max_iterations"):
            ConditionalGradient(max_iterations=wrong)
        with pytest.raises(SettingsError, match="inner iterations"):
            Entropic(inner_iterations=wrong)
        with pytest.raises(SettingsError, match="max_sweeps"):
            GromovWassersteinSettings(max_sweeps=wrong)
