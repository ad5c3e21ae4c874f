import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from oracles import anytime as oracle
from oracles.anytime import every_path

from flowgauge.anytime import MeanConfidence, confidence_sequence
from flowgauge.anytime.confidence import _GRID, _boundary
from flowgauge.errors import DistributionError, SettingsError, ShapeError


def test_mixture_behind_the_boundary_is_a_supermartingale_over_all_paths():
    world = every_path(seed=8, time=9)
    density = world["log_p"] - world["log_q"]
    lower, width = density.min(), np.ptp(density)
    x, means = (density - lower) / width, (world["drift"] - lower) / width
    count = np.arange(1, 10)
    predictions = (0.5 + np.cumsum(x, axis=1) - x) / count
    squares = np.cumsum((x - predictions) ** 2, axis=1)[..., None]
    psi = -np.log(1 - _GRID) - _GRID
    for sign in (1, -1):
        sums = sign * np.cumsum(x - means, axis=1)[..., None]
        process = np.mean(np.exp(_GRID * sums - psi * squares), axis=-1)
        expected = world["probability_p"] @ process
        assert (np.diff(np.concatenate([[1.0], expected])) <= 1e-12).all()
        assert expected[-1] > 0.9  # little is given away


@pytest.mark.parametrize("alpha", [0.3, 0.8])
def test_covers_the_running_mean_of_conditional_means_over_all_paths(alpha):
    # Under P the conditional mean of the density is the drift, which depends on the path.
    world = every_path(seed=8, time=9)
    density = world["log_p"] - world["log_q"]
    lower, upper = density.min(), density.max()
    target = np.cumsum(world["drift"], axis=1) / np.arange(1, 10)
    missed = []
    for values, means in zip(density, target, strict=True):
        s = confidence_sequence(values, lower=lower, upper=upper, alpha=alpha)
        missed.append(((means < s.lower) | (means > s.upper)).any())
    assert world["probability_p"] @ missed <= alpha


def test_covers_and_narrows_in_a_long_run():
    rng = np.random.default_rng(0)
    missed, runs, time = 0, 200, 2000
    for _ in range(runs):
        s = confidence_sequence(rng.random(time) < 0.1, lower=0.0, upper=1.0, alpha=0.5)
        missed += ((s.lower > 0.1) | (s.upper < 0.1)).any()
    # Far below the level, as such bounds are, but not never: the test can fail.
    assert 0 < missed / runs <= 0.5
    # A fixed-time normal interval is 0.011; anytime costs a factor below 3.
    assert s.upper[-1] - s.mean[-1] < 0.033


@given(arrays(np.float64, st.integers(1, 30), elements=st.floats(-2, 3)), st.floats(0.01, 0.5))
@settings(derandomize=True, deadline=None, max_examples=40)
def test_one_at_a_time_is_the_whole_array(values, alpha):
    whole = confidence_sequence(values, lower=-2.0, upper=3.0, alpha=alpha)
    sequence = MeanConfidence(lower=-2.0, upper=3.0, alpha=alpha)
    for j, value in enumerate(values):
        fed = sequence.update(value)
        # 1e-13: vectorised sums may add in another order.
        assert fed.mean == pytest.approx(whole.mean[j], abs=1e-13)
        assert fed.lower == pytest.approx(whole.lower[j], abs=1e-13)
        assert fed.upper == pytest.approx(whole.upper[j], abs=1e-13)
        assert -2.0 - 1e-12 <= fed.lower <= fed.mean <= fed.upper <= 3.0 + 1e-12


@given(st.floats(0, 50), st.floats(0.001, 0.9))
@settings(derandomize=True, deadline=None)
def test_boundary_is_the_root(squares, alpha):
    found = _boundary(np.array([squares]), np.log(2 / alpha))[0]
    assert found == pytest.approx(oracle.boundary(squares, alpha, _GRID), rel=1e-10)


def test_scale_and_shift_go_through():
    x = np.random.default_rng(1).random(50)
    one = confidence_sequence(x, lower=0.0, upper=1.0)
    other = confidence_sequence(4 * x - 1, lower=-1.0, upper=3.0)
    np.testing.assert_allclose(other.lower, 4 * one.lower - 1, atol=1e-12)
    np.testing.assert_allclose(other.upper, 4 * one.upper - 1, atol=1e-12)


def test_bad_input_is_refused():
    with pytest.raises(DistributionError, match=r"values\[1\] = 2 is outside \[0, 1\]; clip"):
        confidence_sequence([0.5, 2.0], lower=0.0, upper=1.0)
    with pytest.raises(DistributionError, match=r"values\[0\] is NaN"):
        MeanConfidence(lower=0.0, upper=1.0).update(float("nan"))
    with pytest.raises(SettingsError, match=r"lower = 1\.0, upper = 1\.0; a finite range"):
        confidence_sequence([1.0], lower=1.0, upper=1.0)
    with pytest.raises(SettingsError, match="upper = inf"):
        MeanConfidence(lower=0.0, upper=np.inf)
    with pytest.raises(ShapeError, match=r"values has shape \(1, 2\); \(time,\)"):
        confidence_sequence([[0.5, 0.5]], lower=0.0, upper=1.0)
    with pytest.raises(SettingsError, match="alpha = 0"):
        confidence_sequence([0.5], lower=0.0, upper=1.0, alpha=0)
    assert confidence_sequence([], lower=0.0, upper=1.0).mean.shape == (0,)
