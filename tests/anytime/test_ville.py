import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.anytime import every_path
from strategies import log_ratios

from flowgauge.anytime import FirstCrossing, Ville, e_process, first_crossing, ville
from flowgauge.errors import DistributionError, SettingsError, ShapeError


@pytest.mark.parametrize("alpha", [0.05, 0.1, 0.3, 0.5])
def test_level_holds_over_all_paths(alpha):
    world = every_path(seed=2)
    density = world["log_p"] - world["log_q"]
    for ratios, weights in ((density, "probability_q"), (-density, "probability_p")):
        paths = e_process(ratios)
        rejects = np.array([ville(path, alpha).rejects for path in paths])
        probability = world[weights] @ rejects
        assert 0 < probability <= alpha
        p_values = np.exp([ville(path, alpha).log_p_value for path in paths])
        assert world[weights] @ (p_values <= alpha) <= alpha


@given(log_ratios(), st.floats(0.01, 0.9))
@settings(derandomize=True, deadline=None)
def test_one_at_a_time_is_the_whole_array(path, alpha):
    test = Ville(alpha)
    crossing = FirstCrossing(-np.log(alpha))
    for log_e in path:
        fed, index = test.update(log_e), crossing.update(log_e)
    assert fed == ville(path, alpha)
    assert index == fed.first_crossing == first_crossing(path, -np.log(alpha))


def test_crossing_counts_from_zero_and_at_the_threshold():
    assert first_crossing([0.0, 2.0, 3.0], 2.0) == 1
    assert first_crossing([0.0], 2.0) is None
    assert first_crossing([], 2.0) is None
    nothing = ville([], 0.1)
    assert (nothing.log_e_value, nothing.first_crossing, nothing.log_p_value) == (0.0, None, 0.0)


def test_bad_input_is_refused():
    for alpha in (0.0, 1.0, float("nan")):
        with pytest.raises(SettingsError, match=f"alpha = {alpha}; a level between 0 and 1"):
            ville([0.0], alpha)
        with pytest.raises(SettingsError, match="a level between 0 and 1"):
            Ville(alpha)
    with pytest.raises(DistributionError, match=r"log_e\[0\] is NaN"):
        ville([np.nan], 0.1)
    crossing = FirstCrossing(1.0)
    crossing.update(0.0)
    with pytest.raises(DistributionError, match=r"path\[1\] is NaN"):
        crossing.update(float("nan"))
    with pytest.raises(SettingsError, match="threshold is NaN"):
        first_crossing([0.0], float("nan"))
    with pytest.raises(SettingsError, match="threshold is NaN"):
        FirstCrossing(float("nan"))
    with pytest.raises(ShapeError, match=r"path has shape \(1, 1\)"):
        first_crossing([[0.0]], 1.0)
