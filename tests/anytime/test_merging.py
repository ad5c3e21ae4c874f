from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import anytime as oracle
from strategies import log_ratios

from flowgauge.anytime import EBH, EValueMean, e_bh, merge_e_values, multiply_e_values
from flowgauge.errors import DistributionError, SettingsError, ShapeError


@given(log_ratios(infinite=True))
@settings(derandomize=True, deadline=None)
def test_mean_one_at_a_time_is_the_whole_array(log_e_values):
    mean = EValueMean()
    for log_e in log_e_values:
        fed = mean.update(log_e)
    # 1e-13: two orders of adding logarithms.
    assert fed == pytest.approx(merge_e_values(log_e_values), rel=1e-13, abs=1e-13)
    assert mean.count == len(log_e_values)


def test_mean_and_product_by_hand():
    assert merge_e_values(np.log([1.0, 2.0, 6.0])) == pytest.approx(np.log(3.0), abs=1e-15)
    assert multiply_e_values(np.log([2.0, 3.0])) == pytest.approx(np.log(6.0), abs=1e-15)
    assert multiply_e_values([-np.inf, np.inf]) == -np.inf
    assert merge_e_values([-np.inf, -np.inf]) == -np.inf
    assert merge_e_values([-np.inf, np.inf]) == np.inf


def test_mean_is_an_e_value_under_dependence_the_product_is_not():
    # Two copies of one e-value: 0 or 2, a coin each.
    copies = np.log([[1e-300, 1e-300], [2.0, 2.0]])
    merged = [np.exp(merge_e_values(row)) for row in copies]
    assert np.mean(merged) == pytest.approx(1.0, abs=1e-12)
    assert np.mean([np.exp(multiply_e_values(row)) for row in copies]) > 1.5


@given(log_ratios(), st.floats(0.01, 0.5))
@settings(derandomize=True, deadline=None)
def test_e_bh_is_its_definition_and_can_be_fed(log_e_values, alpha):
    found = e_bh(log_e_values, alpha)
    assert found.rejected.tolist() == oracle.e_bh(np.exp(log_e_values), alpha)
    procedure = EBH(alpha)
    for log_e in log_e_values:
        fed = procedure.update(log_e)
    np.testing.assert_array_equal(fed.rejected, found.rejected)
    assert fed.log_threshold == found.log_threshold
    assert found.rejections == sum(found.rejected)


@pytest.mark.parametrize("alpha", [0.2, 0.4])
def test_false_discovery_rate_by_enumeration(alpha):
    # Three nulls are true and one is not. Each e-value is 0 or 1/h with chance h.
    chances = [0.04, 0.1, 0.1]
    independent = {
        hits: np.prod([h if hit else 1 - h for h, hit in zip(chances, hits, strict=True)])
        for hits in product([0, 1], repeat=3)
    }
    together = {(0, 0, 0): 0.9, (0, 1, 1): 0.1}
    for world in (independent, together):
        rate = power = 0.0
        for hits, weight in world.items():
            nulls = [np.log(1 / h) if hit else -50.0 for h, hit in zip(chances, hits, strict=True)]
            rejected = e_bh([*nulls, np.log(1000.0)], alpha).rejected
            rate += weight * rejected[:3].sum() / max(rejected.sum(), 1)
            power += weight * rejected[3]
        assert 0 < rate <= alpha * 3 / 4
        assert power == pytest.approx(1.0, abs=1e-12)


def test_nothing_rejected():
    found = e_bh([0.0, 0.0], 0.05)
    assert found.rejections == 0
    assert found.log_threshold == np.inf


def test_bad_input_is_refused():
    for function in (merge_e_values, multiply_e_values, lambda x: e_bh(x, 0.1)):
        with pytest.raises(ShapeError, match=r"log_e_values has shape \(0,\)"):
            function([])
        with pytest.raises(DistributionError, match=r"log_e_values\[0\] is NaN"):
            function([np.nan])
    with pytest.raises(SettingsError, match="alpha = 0"):
        e_bh([0.0], 0)
    with pytest.raises(DistributionError, match="log_e is NaN"):
        EValueMean().update(float("nan"))


def test_a_refused_value_is_not_kept():
    procedure = EBH(alpha=0.1)
    with pytest.raises(DistributionError, match="is NaN"):
        procedure.update(float("nan"))
    assert procedure.update(5.0).rejections == 1
