import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.geometry import hsic_cka

from flowgauge.errors import InputError, ShapeError
from flowgauge.geometry import linear_cka

SEEDS = st.integers(0, 10**6)


@given(SEEDS, st.integers(3, 12), st.integers(1, 15), st.integers(1, 15))
@settings(derandomize=True, deadline=None, max_examples=60)
def test_is_the_ratio_of_hilbert_schmidt_criteria(seed, n, a, b):
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((n, a)) + 3.0, rng.standard_normal((n, b))
    # both routes (features, Gram matrices) occur; a ratio of sums of some hundred terms
    assert abs(linear_cka(x, y) - hsic_cka(x, y)) < 1e-12


@given(SEEDS, st.floats(1e-150, 1e150))
@settings(derandomize=True, deadline=None, max_examples=40)
def test_rotation_shift_and_scale_change_nothing(seed, scale):
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((20, 6)), rng.standard_normal((20, 4))
    turn, _ = np.linalg.qr(rng.standard_normal((6, 6)))
    assert abs(linear_cka(scale * (x @ turn + 1), y) - linear_cka(x, y)) < 1e-12
    assert abs(linear_cka(x, scale * x @ turn) - 1) < 1e-12


@given(SEEDS)
@settings(derandomize=True, deadline=None, max_examples=20)
def test_is_symmetric_and_between_0_and_1(seed):
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((15, 5)), rng.standard_normal((15, 8))
    value = linear_cka(x, y)
    assert 0 <= value <= 1
    assert abs(value - linear_cka(y, x)) < 1e-14


def test_another_invertible_map_changes_it():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((50, 4))
    assert linear_cka(x, x * [10.0, 1.0, 1.0, 0.1]) < 0.9


def test_orthogonal_directions_share_nothing():
    x = np.array([[1.0], [-1.0], [1.0], [-1.0]])
    y = np.array([[1.0], [1.0], [-1.0], [-1.0]])
    assert linear_cka(x, y) == 0.0


def test_clouds_of_one_place_are_refused():
    with pytest.raises(InputError, match=r"all 5 points of y coincide.*undefined"):
        linear_cka(np.eye(5), np.full((5, 3), 0.1))


def test_clouds_must_be_paired():
    with pytest.raises(ShapeError, match=r"x has 5 points and y has 4"):
        linear_cka(np.eye(5), np.eye(4))


def test_coordinates_near_the_largest_number_do_not_overflow():
    x = np.random.default_rng(0).standard_normal((50, 3))
    assert abs(linear_cka(1e307 * x, x) - 1) < 1e-12
