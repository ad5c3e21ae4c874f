import numpy as np
import pytest
from hypothesis import given, settings
from oracles.anytime import every_path
from strategies import log_ratios

from flowgauge.anytime import EProcess, e_process
from flowgauge.errors import DistributionError


def test_mean_exactly_one_under_the_null_at_every_token():
    world = every_path()
    density = world["log_p"] - world["log_q"]
    for ratios, weights in ((density, "probability_q"), (-density, "probability_p")):
        means = world[weights] @ np.exp(e_process(ratios))
        # 1e-12: 512 paths, each rounded to 1e-16 relative.
        np.testing.assert_allclose(means, 1.0, atol=1e-12)


def test_mean_one_at_a_stopping_time():
    world = every_path(seed=1)
    paths = np.exp(e_process(world["log_p"] - world["log_q"]))
    reached = np.maximum.accumulate(paths >= 2.0, axis=1)
    stop = np.where(reached.any(axis=1), np.argmax(reached, axis=1), paths.shape[1] - 1)
    stopped = paths[np.arange(len(paths)), stop]
    assert world["probability_q"] @ stopped == pytest.approx(1.0, abs=1e-12)


@given(log_ratios(infinite=True))
@settings(derandomize=True, deadline=None)
def test_one_at_a_time_is_the_whole_array(ratios):
    process = EProcess()
    fed = [process.update(x) for x in ratios]
    np.testing.assert_array_equal(fed, e_process(ratios))
    np.testing.assert_array_equal(e_process(np.array([ratios, ratios]))[1], fed)
    assert not np.isnan(fed).any()


def test_a_dead_process_stays_dead():
    assert e_process([1.0, -np.inf, np.inf, 3.0]).tolist() == [1.0, *[-np.inf] * 3]
    assert e_process([np.inf, 1.0, -np.inf]).tolist() == [np.inf, np.inf, -np.inf]
    assert e_process([]).shape == (0,)


def test_bad_input_is_refused():
    with pytest.raises(DistributionError, match=r"log_ratios\[1\] is NaN"):
        e_process([0.0, np.nan])
    with pytest.raises(DistributionError, match=r"single number 1.0; an array"):
        e_process(1.0)
    with pytest.raises(DistributionError, match="log_ratio is NaN"):
        EProcess().update(float("nan"))
