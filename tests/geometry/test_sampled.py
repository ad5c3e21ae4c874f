import numpy as np
import pytest

from flowgauge.errors import SettingsError, ShapeError
from flowgauge.geometry import (
    SampledSettings,
    euclidean_distances,
    gromov_wasserstein_bounds,
    sampled_gromov_wasserstein,
)


def turned_copy(n, dimension, rng):
    x = rng.standard_normal((n, dimension)) * np.linspace(1.0, 0.3, dimension)
    turn, _ = np.linalg.qr(rng.standard_normal((dimension + 3, dimension + 3)))
    return x, x @ turn[:dimension]


def test_paired_isometric_copy_is_zero_in_every_draw():
    rng = np.random.default_rng(0)
    x, y = turned_copy(500, 4, rng)
    chosen = SampledSettings(size=30, repeats=4, is_paired=True)
    result = sampled_gromov_wasserstein(x, y, chosen, rng=rng)
    assert result.identity is not None
    for estimate in (result.value, result.lower_bound, result.identity):
        assert np.all(np.abs(estimate.draws) < 1e-12)
    assert result.floor.value > 0.01


def test_unpaired_isometric_copy_is_at_the_floor():
    rng = np.random.default_rng(1)
    x, y = turned_copy(2_000, 3, rng)
    y = y[rng.permutation(len(y))]
    chosen = SampledSettings(size=40, repeats=12)
    result = sampled_gromov_wasserstein(x, y, chosen, rng=rng)
    # value and floor are the same quantity here: within 4 standard errors of their difference
    spread = np.hypot(result.value.standard_error, result.floor.standard_error)
    assert abs(result.value.value - result.floor.value) < 4 * spread
    assert result.identity is None


def test_a_stretched_copy_stands_above_the_floor():
    rng = np.random.default_rng(2)
    x, y = turned_copy(2_000, 3, rng)
    chosen = SampledSettings(size=40, repeats=6)
    result = sampled_gromov_wasserstein(x, 2 * y, chosen, rng=rng)
    assert result.lower_bound.value - 5 * result.lower_bound.standard_error > 0
    assert result.value.value > result.lower_bound.value


def test_error_bars_hold_the_identity_of_the_whole_cloud():
    rng = np.random.default_rng(3)
    n, size = 150, 20
    x, y = turned_copy(n, 3, rng)
    y = y + 0.3 * rng.standard_normal(y.shape)
    whole = gromov_wasserstein_bounds(euclidean_distances(x), euclidean_distances(y)).identity
    chosen = SampledSettings(size=size, repeats=20, is_paired=True)
    result = sampled_gromov_wasserstein(x, y, chosen, rng=rng)
    scale = (1 - 1 / n) / (1 - 1 / size)
    # an unbiased estimate of a known number: within 4 of its own standard errors
    error = scale * result.identity.value - whole
    assert abs(error) < 4 * scale * result.identity.standard_error


def test_estimate_is_mean_and_standard_error_of_its_draws():
    rng = np.random.default_rng(4)
    x = rng.standard_normal((100, 2))
    result = sampled_gromov_wasserstein(
        x, rng.standard_normal((90, 3)), SampledSettings(size=10, repeats=5), rng=rng
    )
    draws = result.value.draws
    assert draws.shape == (5,)
    assert result.value.value == draws.mean()
    assert result.value.standard_error == draws.std(ddof=1) / np.sqrt(5)
    assert result.size == 10
    assert np.all(result.lower_bound.draws <= draws + 1e-12)


def test_fifty_thousand_points_need_no_matrix_of_all():
    rng = np.random.default_rng(5)
    x = rng.standard_normal((50_000, 4))
    chosen = SampledSettings(size=25, repeats=2, is_paired=True)
    result = sampled_gromov_wasserstein(x, x[:, ::-1], chosen, rng=rng)
    assert result.value.value < 1e-12


def test_too_few_points_for_two_subsamples_are_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(ShapeError, match=r"y has 30 points, 2 · size = 40 are needed"):
        sampled_gromov_wasserstein(
            np.zeros((50, 2)), np.zeros((30, 2)), SampledSettings(size=20), rng=rng
        )
    with pytest.raises(ShapeError, match=r"x has 50 points and y has 30"):
        sampled_gromov_wasserstein(
            np.zeros((50, 2)), np.zeros((30, 2)), SampledSettings(is_paired=True), rng=rng
        )


@pytest.mark.parametrize("bad", [{"size": 1}, {"repeats": 1}])
def test_settings_out_of_range_are_refused(bad):
    with pytest.raises(SettingsError, match=r"at least 2 of both"):
        SampledSettings(**bad)
