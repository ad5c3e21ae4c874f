import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.geometry import naive_bounds, two_point_minimum

from flowgauge.errors import InputError, SettingsError, ShapeError
from flowgauge.geometry import (
    BoundSettings,
    coupling_distortion,
    euclidean_distances,
    gromov_wasserstein_bounds,
)
from flowgauge.geometry.transport import monotone_coupling

SEEDS = st.integers(0, 10**6)
SIZES = st.integers(1, 6)
CELLS = BoundSettings(max_strips=0, cells=16)
#: Rounding of sums of squares of order 1.
TINY = 1e-12


def clouds(seed, n, m):
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((n, 3)), rng.standard_normal((m, 2))
    p, q = rng.dirichlet(np.ones(n)), rng.dirichlet(np.ones(m))
    return euclidean_distances(x), euclidean_distances(y), p, q, rng


def isometric_copy(seed, n=20, dimension=3, larger=5):
    """Distances of a cloud and of its copy: embedded in more dimensions, turned, permuted."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, dimension))
    turn, _ = np.linalg.qr(rng.standard_normal((larger, larger)))
    order = rng.permutation(n)
    y = (x @ turn[:dimension] + rng.standard_normal(larger))[order]
    return euclidean_distances(x), euclidean_distances(y), order, rng


@given(SEEDS, SIZES, SIZES, st.booleans())
@settings(derandomize=True, deadline=None, max_examples=25)
def test_bounds_are_the_linear_programmes(seed, n, m, uniform):
    c, d, p, q, _ = clouds(seed, n, m)
    if uniform:
        p, q = np.full(n, 1 / n), np.full(m, 1 / m)
    bounds = gromov_wasserstein_bounds(c, d, p, q)
    assert bounds.is_exact
    # HiGHS solves each of the programmes to 1e-7
    np.testing.assert_allclose(
        (bounds.flb, bounds.slb, bounds.tlb), naive_bounds(c, d, p, q), atol=1e-6
    )


@given(SEEDS, SIZES, SIZES)
@settings(derandomize=True, deadline=None, max_examples=60)
def test_bounds_are_ordered_below_every_coupling(seed, n, m):
    c, d, p, q, rng = clouds(seed, n, m)
    bounds = gromov_wasserstein_bounds(c, d, p, q)
    random = monotone_coupling(rng.random(n), rng.random(m), p, q)
    upper = min(coupling_distortion(c, d, t) for t in (np.outer(p, q), random, bounds.coupling))
    assert bounds.flb <= bounds.tlb + TINY
    assert bounds.slb <= bounds.tlb + TINY
    assert bounds.lower <= upper + TINY


@given(SEEDS, st.integers(2, 6))
@settings(derandomize=True, deadline=None, max_examples=40)
def test_bounds_stay_below_the_identity(seed, n):
    c, d, p, _, _ = clouds(seed, n, n)
    bounds = gromov_wasserstein_bounds(c, d, p, p)
    assert bounds.identity is not None
    assert bounds.lower <= bounds.identity + TINY
    assert abs(bounds.identity - coupling_distortion(c, d, np.diag(p))) < TINY


@given(SEEDS)
@settings(derandomize=True, deadline=None, max_examples=40)
def test_bounds_stay_below_the_exact_value_of_two_points(seed):
    rng = np.random.default_rng(seed)
    c, d = rng.standard_normal((2, 2)), rng.standard_normal((2, 2))  # no metrics, not symmetric
    p, q = rng.dirichlet(np.ones(2)), rng.dirichlet(np.ones(2))
    bounds = gromov_wasserstein_bounds(c, d, p, q)
    assert bounds.lower <= two_point_minimum(c, d, p, q) + TINY


def test_two_points_at_two_distances_by_hand():
    c = np.array([[0.0, 1.0], [1.0, 0.0]])
    bounds = gromov_wasserstein_bounds(c, 3 * c)
    # every coupling matches half of the pairs with distance 2 to the square, the other half is 0
    np.testing.assert_allclose(
        (bounds.flb, bounds.slb, bounds.tlb, bounds.identity), 2.0, rtol=1e-14
    )


@pytest.mark.parametrize("seed", range(5))
def test_isometric_copy_has_bounds_zero(seed):
    c, d, order, rng = isometric_copy(seed)
    for p in (np.full(20, 1 / 20), rng.dirichlet(np.ones(20))):
        for chosen in (BoundSettings(), CELLS):
            bounds = gromov_wasserstein_bounds(c, d, p, p[order], chosen)
            # distances agree to 1e-15; spreads in cells only to the root of rounding, squared here
            assert max(bounds.flb, bounds.slb, bounds.tlb) < TINY


@given(SEEDS, SIZES, SIZES, st.booleans())
@settings(derandomize=True, deadline=None, max_examples=40)
def test_relabelling_changes_no_bound(seed, n, m, in_cells):
    c, d, p, q, rng = clouds(seed, n, m)
    chosen = CELLS if in_cells else BoundSettings()
    order = rng.permutation(n)
    one = gromov_wasserstein_bounds(c, d, p, q, chosen)
    two = gromov_wasserstein_bounds(c[np.ix_(order, order)], d, p[order], q, chosen)
    np.testing.assert_allclose(
        (one.flb, one.slb, one.tlb), (two.flb, two.slb, two.tlb), rtol=0, atol=TINY
    )


@given(SEEDS, SIZES, SIZES, st.integers(1, 30))
@settings(derandomize=True, deadline=None, max_examples=40)
def test_cells_give_a_bound_between_the_first_and_the_third(seed, n, m, cells):
    c, d, p, q, _ = clouds(seed, n, m)
    exact = gromov_wasserstein_bounds(c, d, p, q)
    coarse = gromov_wasserstein_bounds(c, d, p, q, BoundSettings(max_strips=0, cells=cells))
    assert exact.flb - TINY <= coarse.tlb <= exact.tlb + TINY


def test_cells_report_that_they_are_not_exact():
    c, d, p, q, _ = clouds(0, 5, 4)
    assert not gromov_wasserstein_bounds(c, d, p, q, CELLS).is_exact


def test_equal_weights_of_other_sizes_are_exact_on_the_common_grid():
    c, d, _, _, _ = clouds(1, 6, 4)
    on_grid = gromov_wasserstein_bounds(c, d, settings=BoundSettings(max_strips=0, cells=12))
    by_strips = gromov_wasserstein_bounds(c, d, settings=BoundSettings(cells=1))
    assert on_grid.is_exact
    assert by_strips.is_exact
    assert abs(on_grid.tlb - by_strips.tlb) < TINY


def test_more_points_than_strips_allow_come_near_the_exact_bound():
    c, d, p, q, _ = clouds(2, 40, 30)
    exact = gromov_wasserstein_bounds(c, d, p, q).tlb
    coarse = gromov_wasserstein_bounds(c, d, p, q, BoundSettings(max_strips=0, cells=512)).tlb
    # 70 steps in 512 cells: most cells are exact, the others keep mean and spread
    assert exact * (1 - 1e-3) < coarse <= exact + TINY


def test_no_identity_for_other_weights():
    c, d, p, q, _ = clouds(3, 5, 5)
    assert gromov_wasserstein_bounds(c, d, p, q).identity is None


def test_bad_matrices_are_refused():
    c = np.zeros((3, 3))
    with pytest.raises(ShapeError, match=r"c2 has shape \(2, 3\)"):
        gromov_wasserstein_bounds(c, np.zeros((2, 3)))
    with pytest.raises(InputError, match=r"c1\[0, 0\] = nan"):
        gromov_wasserstein_bounds(c * np.nan, c)


@pytest.mark.parametrize("bad", [{"cells": 0}, {"max_strips": -1}])
def test_settings_out_of_range_are_refused(bad):
    with pytest.raises(SettingsError, match=r"out of range: max_strips ≥ 0 and cells ≥ 1"):
        BoundSettings(**bad)
