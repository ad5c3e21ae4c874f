"""Local averages against their definition; what a fraction is at its ends."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from oracles import support_parts as oracle

from flowgauge.errors import SettingsError, ShapeError
from flowgauge.support import local_average, local_flow_fraction

FINITE = st.floats(-10, 10)
HOLES = st.one_of(FINITE, st.just(float("nan")))


@settings(derandomize=True, deadline=None, max_examples=60)
@given(arrays(float, st.integers(1, 40), elements=HOLES), st.floats(0.5, 30))
def test_average_is_its_definition(values, span):
    # Two recursive filters against a double sum: rounding of 40 terms of size 10.
    np.testing.assert_allclose(
        local_average(values, span), oracle.local_average(values, span), atol=1e-9
    )


@settings(derandomize=True, deadline=None, max_examples=40)
@given(arrays(float, st.integers(1, 60), elements=FINITE))
def test_average_lies_between_least_and_most(values):
    found = local_average(values)
    assert (found >= values.min() - 1e-9).all()
    assert (found <= values.max() + 1e-9).all()
    np.testing.assert_allclose(local_average(values[::-1])[::-1], found, atol=1e-9)


def test_nothing_known_is_zero_and_nothing_is_nothing():
    assert local_average(np.full(3, np.nan)).tolist() == [0.0, 0.0, 0.0]
    assert local_average(np.zeros(0)).shape == (0,)


def test_fraction_is_one_where_the_source_makes_the_text_certain():
    surprise = np.array([2.0, 3.0, 1.0])
    np.testing.assert_allclose(local_flow_fraction(surprise, surprise), 1.0)
    np.testing.assert_allclose(local_flow_fraction(-9 * surprise, surprise), -1.0)
    np.testing.assert_allclose(local_flow_fraction(0 * surprise, surprise), 0.0)


def test_text_that_surprises_nobody_has_a_small_fraction():
    found = local_flow_fraction(np.full(5, 0.01), np.full(5, 0.01))
    np.testing.assert_allclose(found, 0.01 / 0.3)


def test_impossible_tokens_count_as_very_surprising_ones():
    density, surprise = np.array([np.inf, 1.0]), np.array([np.inf, 2.0])
    wanted = local_flow_fraction(np.array([100.0, 1.0]), np.array([100.0, 2.0]))
    np.testing.assert_array_equal(local_flow_fraction(density, surprise), wanted)
    assert local_flow_fraction(np.array([-np.inf]), np.array([1.0])).tolist() == [-1.0]


def test_bad_input_is_refused():
    with pytest.raises(SettingsError, match=r"span_tokens is 0\.0, a positive number"):
        local_average(np.ones(2), 0.0)
    with pytest.raises(ShapeError, match="density has 2 tokens and surprisal_q 3"):
        local_flow_fraction(np.ones(2), np.ones(3))
