import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from oracles.anytime import every_path

from flowgauge.anytime import StoppingForecast, expected_stopping_time, first_crossing
from flowgauge.errors import DistributionError, SettingsError, UnreachableError


def test_wald_identity_over_all_paths():
    world = every_path(seed=9, time=10)
    flow = np.cumsum(world["log_p"] - world["log_q"], axis=1)
    compensator = np.cumsum(world["drift"], axis=1)
    for c in (0.5, 1.5):
        crossings = [first_crossing(path, c) for path in flow]
        stop = np.array([flow.shape[1] - 1 if j is None else j for j in crossings])
        rows = np.arange(len(flow))
        mean_flow = world["probability_p"] @ flow[rows, stop]
        mean_compensator = world["probability_p"] @ compensator[rows, stop]
        # 1e-12: 1,024 paths of size about 3.
        assert mean_flow == pytest.approx(mean_compensator, abs=1e-12)
        assert len(set(stop)) > 2


def test_bounds_hold_with_a_constant_drift():
    p, q = np.array([0.6, 0.4]), np.array([0.3, 0.7])
    ratio = np.log(p / q)
    drift = float(p @ ratio)
    found = expected_stopping_time(3.0, drift, largest_density=float(ratio.max()))
    # The law of τ by its recursion on the lattice of (ups, downs), cut where 1e-12 is left.
    alive, mean = {(0, 0): 1.0}, 0.0
    for _ in range(600):
        mean += sum(alive.values())
        following = {}
        for (ups, downs), weight in alive.items():
            for step, chance in (((ups + 1, downs), p[0]), ((ups, downs + 1), p[1])):
                if step[0] * ratio[0] + step[1] * ratio[1] < 3.0:
                    following[step] = following.get(step, 0.0) + weight * chance
        alive = following
    assert sum(alive.values()) < 1e-12
    assert found.tokens < mean < found.upper
    assert found.mean_drift == pytest.approx(drift, abs=1e-16)


@given(arrays(np.float64, st.integers(1, 20), elements=st.floats(1e-3, 5)), st.floats(0.1, 9))
@settings(derandomize=True, deadline=None)
def test_one_at_a_time_is_the_whole_array(drift, threshold):
    forecast = StoppingForecast(threshold, largest_density=2.0)
    for k in drift:
        fed = forecast.update(k)
    assert fed == expected_stopping_time(threshold, drift, largest_density=2.0)


def test_bad_input_is_refused():
    with pytest.raises(UnreachableError, match="mean drift is 0 nats per token"):
        expected_stopping_time(1.0, [0.0, 0.0])
    with pytest.raises(UnreachableError, match=r"mean drift is 1e-31\d nats per token"):
        expected_stopping_time(1.0, [1e-310])
    with pytest.raises(SettingsError, match=r"threshold = 0.* above 0"):
        expected_stopping_time(0.0, [1.0])
    with pytest.raises(DistributionError, match=r"drift = \[-1\.\]"):
        expected_stopping_time(1.0, [-1.0])
    with pytest.raises(DistributionError, match=r"drift = \[\]"):
        expected_stopping_time(1.0, [])
    for largest in (np.nan, 0.0, -1.0):
        with pytest.raises(SettingsError, match=f"largest_density = {largest}"):
            expected_stopping_time(1.0, [1.0], largest_density=largest)
        with pytest.raises(SettingsError, match=f"largest_density = {largest}"):
            StoppingForecast(1.0, largest_density=largest)
    assert expected_stopping_time(1.0, 0.5).upper == np.inf
