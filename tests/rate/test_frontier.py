import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowgauge.errors import DistributionError, SettingsError, ShapeError
from flowgauge.rate import reward_frontier_from_samples, tilt


def test_gaussian_rewards_give_the_closed_form():
    """r ~ N(0,1): tilting by β shifts the mean to β at KL β²/2."""
    rewards = np.random.default_rng(0).standard_normal(200_000)
    frontier = reward_frontier_from_samples(rewards, [0.25, 0.5, 1.0])
    # five standard errors, which the estimate itself reports
    off = np.abs(frontier.reward - frontier.beta)
    assert (off < 5 * frontier.reward_standard_error).all()
    np.testing.assert_allclose(frontier.kl, frontier.beta**2 / 2, atol=0.02)
    # ESS/n → e^{−β²}
    share = frontier.effective_sample_size / 200_000
    np.testing.assert_allclose(share, np.exp(-(frontier.beta**2)), rtol=0.05)


def test_a_whole_law_as_sample_is_exact():
    reward = np.array([0.0, 1.0, 1.0, 4.0])
    frontier = reward_frontier_from_samples(reward, [0.0, 0.3, 1.0])
    for k, beta in enumerate(frontier.beta):
        law = tilt(np.log(np.full(4, 0.25)), reward, float(beta))
        np.testing.assert_allclose(frontier.reward[k], law.reward, atol=1e-13)
        np.testing.assert_allclose(frontier.kl[k], law.kl, atol=1e-13)


def test_cut_where_few_samples_carry_the_weight():
    rewards = np.random.default_rng(1).standard_normal(1000)
    frontier = reward_frontier_from_samples(rewards, [0.0, 1.0, 5.0, 10.0])
    np.testing.assert_array_equal(frontier.beta, [0.0, 1.0])
    assert frontier.cut == 5.0
    assert (frontier.effective_sample_size >= 100).all()
    assert "Cut at β = 5" in frontier.words
    assert "10%" in frontier.words


def test_default_grid_ends_at_the_cut():
    rewards = np.random.default_rng(2).standard_normal(1000)
    frontier = reward_frontier_from_samples(rewards)
    assert len(frontier.beta) == 17
    np.testing.assert_allclose(frontier.effective_sample_size[-1], 100.0, rtol=1e-9)
    assert frontier.cut == frontier.beta[-1]
    assert (np.diff(frontier.reward) > 0).all()
    assert (np.diff(frontier.kl) > 0).all()


def test_many_equal_best_rewards_are_never_cut():
    frontier = reward_frontier_from_samples([0.0] * 80 + [1.0] * 20)
    assert frontier.cut is None
    np.testing.assert_allclose(frontier.reward[-1], 1.0, atol=1e-7)
    np.testing.assert_allclose(frontier.kl[-1], np.log(5), atol=1e-6)
    assert "No point was cut" in frontier.words


@settings(derandomize=True, deadline=None, max_examples=100)
@given(st.lists(st.floats(-50, 50), min_size=2, max_size=30), st.floats(0, 20))
def test_kl_is_between_zero_and_log_n(rewards, beta):
    frontier = reward_frontier_from_samples(rewards, [0.0, beta])
    assert (frontier.kl >= 0).all()
    assert (frontier.kl <= np.log(len(rewards)) + 1e-9).all()


@pytest.mark.parametrize(
    ("rewards", "betas", "error", "text"),
    [
        ([1.0], None, ShapeError, "at least 2"),
        ([1.0, np.nan], None, DistributionError, r"rewards\[1\] is nan"),
        ([1.0, 2.0], [-1.0], SettingsError, "finite numbers of 0 or more"),
        ([1.0, 2.0], [np.inf], SettingsError, "inf"),
    ],
)
def test_bad_input_is_named(rewards, betas, error, text):
    with pytest.raises(error, match=text):
        reward_frontier_from_samples(rewards, betas)


def test_a_spread_beyond_double_precision_is_refused():
    with pytest.raises(DistributionError, match=r"from -1e\+308 to 1e\+308.*rescale"):
        reward_frontier_from_samples([-1e308, 1e308, *[0.0] * 20])
