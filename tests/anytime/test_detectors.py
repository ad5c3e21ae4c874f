import numpy as np
import pytest
from hypothesis import given, settings
from oracles import anytime as oracle
from oracles.anytime import every_path
from strategies import log_ratios

from flowgauge.anytime import Cusum, ShiryaevRoberts, cusum, shiryaev_roberts
from flowgauge.errors import DistributionError


@pytest.fixture(scope="module")
def world():
    found = every_path(seed=6, time=10)
    return found["probability_q"], found["log_p"] - found["log_q"]


def test_mean_of_r_is_the_number_of_tokens(world):
    weights, ratios = world
    time = ratios.shape[1]
    means = weights @ np.exp(shiryaev_roberts(ratios))
    # 1e-12 relative: 1,024 paths.
    np.testing.assert_allclose(means, np.arange(1, time + 1), rtol=1e-12)


@pytest.mark.parametrize("detector", [shiryaev_roberts, cusum])
@pytest.mark.parametrize("c", [2.0, 5.0, 20.0])
def test_false_alarms_by_t_are_at_most_t_over_c(world, detector, c):
    weights, ratios = world
    alarmed = np.maximum.accumulate(detector(ratios) >= np.log(c), axis=1)
    probability = weights @ alarmed
    assert (probability <= np.arange(1, ratios.shape[1] + 1) / c).all()
    assert probability[-1] > 0


@pytest.mark.parametrize("detector", [shiryaev_roberts, cusum])
def test_mean_run_to_a_false_alarm_is_at_least_c(world, detector):
    weights, ratios = world
    c, time = 4.0, ratios.shape[1]
    alarmed = detector(ratios) >= np.log(c)
    # Runs without an alarm are cut at the end, so this mean is below the true one.
    run = np.where(alarmed.any(axis=1), np.argmax(alarmed, axis=1) + 1, time)
    assert weights @ run >= c


def test_r_minus_j_is_a_martingale_up_to_the_alarm(world):
    weights, ratios = world
    paths = np.exp(shiryaev_roberts(ratios))
    time = ratios.shape[1]
    alarmed = paths >= 4.0
    stop = np.where(alarmed.any(axis=1), np.argmax(alarmed, axis=1), time - 1)
    stopped = paths[np.arange(len(paths)), stop]
    assert weights @ (stopped - (stop + 1)) == pytest.approx(0.0, abs=1e-11)


@given(log_ratios(infinite=True))
@settings(derandomize=True, deadline=None)
def test_one_at_a_time_is_the_whole_array(ratios):
    for make, whole in ((ShiryaevRoberts, shiryaev_roberts), (Cusum, cusum)):
        detector = make()
        fed = [detector.update(x) for x in ratios]
        np.testing.assert_array_equal(fed, whole(ratios))
        np.testing.assert_array_equal(whole(np.array([ratios] * 2))[1], fed)
        assert not np.isnan(fed).any()


@given(log_ratios())
@settings(derandomize=True, deadline=None)
def test_agree_with_their_definitions(ratios):
    # 1e-12 relative: products of up to 12 ratios against sums of logarithms up to 240.
    np.testing.assert_allclose(
        np.exp(shiryaev_roberts(ratios)), oracle.shiryaev_roberts(np.exp(ratios)), rtol=1e-12
    )
    np.testing.assert_allclose(np.exp(cusum(ratios)), oracle.cusum(np.exp(ratios)), rtol=1e-12)
    assert (cusum(ratios) <= shiryaev_roberts(ratios) + 1e-13).all()


def test_a_change_is_found():
    ratios = np.concatenate([np.full(50, -0.3), np.full(20, 0.5)])
    for detector in (shiryaev_roberts, cusum):
        path = detector(ratios)
        assert path[49] < 1.5
        assert path[69] > 9.0


def test_bad_input_is_refused():
    for whole in (shiryaev_roberts, cusum):
        with pytest.raises(DistributionError, match=r"log_ratios\[0\] is NaN"):
            whole([np.nan])
    for make in (ShiryaevRoberts, Cusum):
        with pytest.raises(DistributionError, match="log_ratio is NaN"):
            make().update(float("nan"))
