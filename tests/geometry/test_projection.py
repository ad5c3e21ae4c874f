import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowgauge.errors import InputError, SettingsError
from flowgauge.geometry import (
    gaussian_map,
    pca_map,
    prefix_map,
    projection_distortion,
    sparse_map,
)

MAPS = [gaussian_map, sparse_map, pca_map, prefix_map]
SEEDS = st.integers(0, 10**6)


def cloud(seed, n=40, dimension=12):
    rng = np.random.default_rng(seed)
    mix = rng.standard_normal((dimension, dimension))
    return rng.standard_normal((n, dimension)) @ mix, rng


@pytest.mark.parametrize("map", MAPS)
def test_ratios_are_those_of_all_pairs(map):
    x, _ = cloud(0)
    result = projection_distortion(x, [3, 7], map, rng=np.random.default_rng(1))
    rng = np.random.default_rng(1)
    for row, m in enumerate((3, 7)):
        y = map(x, m, rng)
        assert y.shape == (40, m)
        pairs = [(i, j) for i in range(40) for j in range(i)]
        ratio = np.array(
            [np.sum((y[i] - y[j]) ** 2) / np.sum((x[i] - x[j]) ** 2) for i, j in pairs]
        )
        found = [
            a[row] for a in (result.smallest, result.mean, result.largest, result.root_mean_square)
        ]
        wanted = [ratio.min(), ratio.mean(), ratio.max(), np.sqrt(np.mean((ratio - 1) ** 2))]
        np.testing.assert_allclose(found, wanted, rtol=1e-12)
        assert abs(result.epsilon[row] - np.abs(ratio - 1).max()) < 1e-12
    assert (result.pairs, result.is_exhaustive) == (780, True)


@given(SEEDS, st.integers(1, 12))
@settings(derandomize=True, deadline=None, max_examples=40)
def test_no_orthogonal_projection_loses_less_than_pca(seed, m):
    x, rng = cloud(seed)
    turn, _ = np.linalg.qr(rng.standard_normal((12, 12)))

    def some_projection(points, dimensions, rng):
        return points @ turn[:, :dimensions]

    lost = [
        projection_distortion(x, [m], map, rng=rng).lost[0]
        for map in (pca_map, prefix_map, some_projection)
    ]
    assert lost[0] <= min(lost[1:]) + 1e-12
    # Eckart–Young: what is lost is the sum of the trailing eigenvalues of the covariance
    spectrum = np.linalg.eigvalsh(np.cov(x.T))
    assert abs(lost[0] - spectrum[: 12 - m].sum() / spectrum.sum()) < 1e-12


@pytest.mark.parametrize("map", [gaussian_map, sparse_map])
def test_random_maps_keep_squared_distances_on_average(map):
    x, rng = cloud(3)
    means = [projection_distortion(x, [6], map, rng=rng).mean[0] for _ in range(300)]
    # unbiased: within 4 standard errors of 1
    assert abs(np.mean(means) - 1) < 4 * np.std(means, ddof=1) / np.sqrt(300)


@pytest.mark.parametrize("map", [pca_map, prefix_map])
def test_all_dimensions_change_nothing(map):
    x, rng = cloud(4)
    result = projection_distortion(x, [12], map, rng=rng)
    np.testing.assert_allclose([result.smallest, result.largest], 1.0, rtol=1e-12)


def test_error_falls_as_one_over_the_root_of_the_dimensions():
    rng = np.random.default_rng(5)
    x = rng.standard_normal((60, 500))
    result = projection_distortion(x, [16, 64, 256], gaussian_map, rng=rng)
    # a pair's ratio is chi²_m/m: standard deviation √(2/m); pairs share points, so 15 percent
    np.testing.assert_allclose(
        result.root_mean_square, np.sqrt(2 / np.array([16, 64, 256])), rtol=0.15
    )


def test_many_points_are_measured_on_part_of_the_pairs():
    rng = np.random.default_rng(6)
    x = rng.standard_normal((3_000, 5))
    result = projection_distortion(x, [2], prefix_map, rng=rng, max_pairs=5_000)
    assert (result.pairs, result.is_exhaustive) == (5_000, False)
    # every coordinate holds a fifth of the squared distance: 4 standard errors of the mean ratio
    assert abs(result.mean[0] - 0.4) < 0.02


def test_duplicates_are_left_out():
    x = np.array([[0.0, 1.0], [0.0, 1.0], [2.0, 0.0]])
    result = projection_distortion(x, [1], prefix_map, rng=np.random.default_rng(0))
    assert result.pairs == 2
    np.testing.assert_allclose(result.mean, 0.8)


@pytest.mark.parametrize("sizes", [[], [0], [13], [2.5]])
def test_sizes_out_of_range_are_refused(sizes):
    x, rng = cloud(0)
    with pytest.raises(SettingsError, match=r"dimensions = \[.*between 1 and 12 for 40 points"):
        projection_distortion(x, sizes, prefix_map, rng=rng)


def test_pca_cannot_have_more_components_than_points():
    x, rng = cloud(0, n=5)
    with pytest.raises(SettingsError, match=r"between 1 and 5 for 5 points in 12"):
        projection_distortion(x, [6], pca_map, rng=rng)


def test_a_cloud_of_one_place_is_refused():
    with pytest.raises(InputError, match=r"all 6 pairs measured are at distance 0"):
        projection_distortion(np.ones((4, 3)), [2], prefix_map, rng=np.random.default_rng(0))


def test_no_pairs_are_refused():
    x, rng = cloud(0)
    with pytest.raises(SettingsError, match=r"max_pairs = 0, at least 1"):
        projection_distortion(x, [2], prefix_map, rng=rng, max_pairs=0)


@pytest.mark.parametrize("map", MAPS)
def test_a_map_by_itself_checks_what_comes(map):
    rng = np.random.default_rng(0)
    with pytest.raises(InputError, match=r"x\[0, 0\] = nan"):
        map([[np.nan, 1.0], [0.0, 1.0]], 1, rng)
    with pytest.raises(SettingsError, match=r"dimensions = 3: .*between 1 and 2"):
        map(np.eye(2), 3, rng)


def test_a_map_to_nowhere_is_refused():
    x, rng = cloud(0)
    with pytest.raises(InputError, match="the map gave points"):
        projection_distortion(x, [2], lambda x, m, rng: x[:, :m] * np.nan, rng=rng)
