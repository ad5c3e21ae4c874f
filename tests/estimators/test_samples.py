"""Checking and encoding of rows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowgauge.errors import DistributionError, InputError, ShapeError
from flowgauge.estimators.samples import as_variable, features, soft_standardise, symbols


@given(st.lists(st.integers(-(10**6), 10**6), min_size=4, max_size=40, unique=True))
@settings(derandomize=True, deadline=None)
def test_the_continuous_map_is_strictly_increasing(values):
    x = np.sort(np.array(values, dtype=float))
    mapped = soft_standardise(as_variable(x, "x"), len(x))[:, 0]
    assert (np.diff(mapped) > 0).all()


def test_the_map_is_near_linear_at_the_centre_and_logarithmic_in_the_tails():
    x = np.random.default_rng(0).normal(size=10_000)
    x[0] = 1e6
    mapped = soft_standardise(as_variable(x, "x"), len(x))[:, 0]
    near = np.abs(x) < 1
    # 3 asinh(1/3) = 0.982; median and quartiles of 10,000 draws are off by about 0.02
    assert np.abs(mapped[near] - x[near]).max() < 0.08
    # 3 asinh(1e6/3) = 40
    assert mapped[0] == pytest.approx(3 * np.arcsinh(1e6 / 3), rel=0.01)


def test_features_are_held_within_the_range_fitted_to():
    x = np.array([0.0, 1.0, 2.0, 3.0, 99.0])
    encoded = features((as_variable(x, "x"),), 4)[:, 0]
    assert encoded[4] == encoded[3]


def test_symbols_number_distinct_rows_and_one_hot_has_one_one_a_column():
    a, b = as_variable([[0, 5], [1, 5], [0, 5]], "a"), as_variable([True, True, False], "b")
    assert symbols((a, b)).tolist() == [1, 2, 0]
    assert features((a, b), 2).sum(axis=1).tolist() == [3.0, 3.0, 3.0]
    assert symbols((a, as_variable([0.5, 0.1, 0.2], "c"))) is None


def test_a_value_that_is_not_finite_is_shown():
    with pytest.raises(
        DistributionError, match="x has 2 values that are not finite, the first nan"
    ):
        as_variable([[1.0, np.nan], [np.inf, 0.0]], "x")


def test_shapes_and_kinds_are_refused_in_words():
    with pytest.raises(ShapeError, match=r"x has shape \(2, 2, 2\)"):
        as_variable(np.zeros((2, 2, 2)), "x")
    with pytest.raises(InputError, match="x has dtype <U1: floats"):
        as_variable(["a", "b"], "x")


def test_rows_of_unequal_length_are_refused_in_words():
    with pytest.raises(ShapeError, match=r"x is no array: .*one length"):
        as_variable([[1.0, 2.0], [3.0]], "x")
