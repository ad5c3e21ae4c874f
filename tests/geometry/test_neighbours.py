import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.geometry import naive_neighbours

from flowgauge.errors import SettingsError, ShapeError
from flowgauge.geometry import neighbour_overlap


@given(st.integers(0, 10**6), st.integers(2, 20), st.data())
@settings(derandomize=True, deadline=None, max_examples=40)
def test_overlap_is_that_of_sorted_distances(seed, n, data):
    k = data.draw(st.integers(1, n - 1))
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((n, 3)), rng.standard_normal((n, 2))
    pairs = zip(naive_neighbours(x, k), naive_neighbours(y, k), strict=True)
    wanted = [len(a & b) / k for a, b in pairs]
    result = neighbour_overlap(x, y, k)
    np.testing.assert_allclose(result.per_point, wanted, rtol=1e-15)
    assert abs(result.value - np.mean(wanted)) < 1e-15
    assert neighbour_overlap(y, x, k).value == result.value


def test_isometric_copy_keeps_all_neighbours():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((200, 5))
    turn, _ = np.linalg.qr(rng.standard_normal((9, 9)))
    assert neighbour_overlap(x, 2 * x @ turn[:5] + 1).value == 1.0


def test_unrelated_clouds_share_what_chance_gives():
    rng = np.random.default_rng(1)
    result = neighbour_overlap(
        rng.standard_normal((1_000, 4)), rng.standard_normal((1_000, 4)), k=20
    )
    assert result.chance == 20 / 999
    # points are nearly independent here: 4 standard errors
    assert abs(result.value - result.chance) < 4 * result.standard_error


def test_more_noise_keeps_fewer_neighbours():
    rng = np.random.default_rng(2)
    x, noise = rng.standard_normal((300, 6)), rng.standard_normal((300, 6))
    values = [neighbour_overlap(x, x + s * noise).value for s in (0.0, 0.1, 0.5, 2.0)]
    assert values == sorted(values, reverse=True)
    assert values[0] == 1.0 > values[1]


@pytest.mark.parametrize("k", [0, 5, 1.5])
def test_neighbours_out_of_range_are_refused(k):
    with pytest.raises(SettingsError, match=rf"k = {k} neighbours of 5 points: 1 ≤ k < 5"):
        neighbour_overlap(np.eye(5), np.eye(5), k)


def test_clouds_must_be_paired():
    with pytest.raises(ShapeError, match=r"x has 5 points and y has 4"):
        neighbour_overlap(np.eye(5), np.eye(4))
