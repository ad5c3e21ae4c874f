from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from flowgauge.anytime import ExchangeableTest, exchangeable_evidence
from flowgauge.errors import DistributionError, ShapeError


@given(arrays(np.float64, 4, elements=st.floats(-300, 0) | st.just(-np.inf)))
@settings(derandomize=True, deadline=None)
def test_mean_exactly_one_over_who_is_the_own_source_whatever_the_observer(log_likelihoods):
    if np.isneginf(log_likelihoods).all():
        return
    found = [exchangeable_evidence(np.roll(log_likelihoods, -own)) for own in range(4)]
    assert np.mean([e.e_value for e in found]) == pytest.approx(1.0, abs=1e-12)
    for level in (0.25, 0.5, 0.75):
        assert np.mean([e.p_value <= level for e in found]) <= level
    assert all(e.e_value <= 4 * (1 + 1e-12) and e.p_value >= 0.25 for e in found)


def test_the_order_of_the_counter_sources_does_not_matter():
    others = [-3.0, -5.0, -np.inf]
    found = {
        (round(e.log_e_value, 12), e.p_value)
        for e in (exchangeable_evidence([-4.0, *p]) for p in permutations(others))
    }
    assert len(found) == 1


def test_values_by_hand():
    found = exchangeable_evidence(np.log([0.5, 0.25, 0.25, 0.5]))
    assert found.e_value == pytest.approx(0.5 / 0.375, abs=1e-14)
    assert found.p_value == pytest.approx(2 / 4, abs=1e-15)  # a tie counts against
    assert found.counter_sources == 3
    assert found.null == (
        "the response was written without regard to which of these 4 sources is its own "
        "(its own and 3 counter-sources)"
    )
    long = exchangeable_evidence([-5000.0, -5010.0])
    assert long.log_e_value == pytest.approx(np.log(2) - np.log1p(np.exp(-10)), abs=1e-12)


def test_an_impossible_own_source_is_no_evidence():
    found = exchangeable_evidence([-np.inf, -1.0, -np.inf])
    assert (found.e_value, found.log_e_value, found.p_value) == (0.0, -np.inf, 1.0)
    alone = exchangeable_evidence([-1.0, -np.inf])
    assert alone.e_value == pytest.approx(2.0, abs=1e-15)
    assert "1 counter-source)" in alone.null


@given(arrays(np.float64, (5, 3), elements=st.floats(-30, 0)))
@settings(derandomize=True, deadline=None)
def test_one_token_at_a_time_is_the_whole_text(log_p):
    test = ExchangeableTest(counter_sources=2)
    for row in log_p:
        fed = test.update(row)
    assert fed == exchangeable_evidence(np.cumsum(log_p, axis=0)[-1])


def test_bad_input_is_refused():
    with pytest.raises(DistributionError, match="all 2 log-likelihoods are −inf"):
        exchangeable_evidence([-np.inf, -np.inf])
    with pytest.raises(ShapeError, match=r"1 log-likelihood\(s\) came; the own source"):
        exchangeable_evidence([-1.0])
    with pytest.raises(DistributionError, match=r"log_likelihoods\[0\] = 3 is above 0.*negated"):
        exchangeable_evidence([3.0, 2.0])
    with pytest.raises(DistributionError, match=r"log_likelihoods\[1\] is NaN"):
        exchangeable_evidence([-1.0, np.nan])
    with pytest.raises(ShapeError, match="0 counter-sources came"):
        ExchangeableTest(0)
    with pytest.raises(ShapeError, match=r"log_p has shape \(3,\), \(2,\)"):
        ExchangeableTest(1).update([-1.0] * 3)


def test_a_refused_token_is_not_counted():
    test = ExchangeableTest(counter_sources=1)
    with pytest.raises(DistributionError, match="all 2 log-likelihoods are −inf"):
        test.update([-np.inf, -np.inf])
    assert test.update(np.log([0.9, 0.3])).e_value == pytest.approx(1.5, abs=1e-15)
    with pytest.raises(ShapeError, match=r"1\.5 counter-sources came"):
        ExchangeableTest(counter_sources=1.5)
