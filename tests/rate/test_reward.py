import numpy as np
import pytest
from oracles.rate import classical

from flowgauge.errors import DistributionError, ShapeError, UnreachableError
from flowgauge.rate import rate_reward_curve, tilt


def problem(seed):
    rng = np.random.default_rng(seed)
    return rng.dirichlet(np.ones(4)), rng.normal(size=(4, 6))


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_agrees_with_a_convex_solver(share):
    for seed in range(3):
        weights, reward = problem(seed)
        free, most = float((weights @ reward).max()), float(weights @ reward.max(axis=1))
        target = free + share * (most - free)
        curve = rate_reward_curve(weights, reward, [target])
        _, value = classical(weights, -reward, -target)
        assert abs(curve.rate[0] - value) < 1e-6
        assert abs(curve.reward[0] - target) < 1e-8


def test_policy_is_its_own_mean_tilted():
    """q(u|s) ∝ m(u) e^{β r(s,u)} with m = E_s q, and the KL identity of RLHF per source."""
    weights, reward = problem(3)
    curve = rate_reward_curve(weights, reward)
    for k in range(1, 8):
        policy = np.exp(curve.log_policy[k])
        with np.errstate(divide="ignore"):
            log_m = np.log(weights @ policy)
        law = tilt(np.tile(log_m, (4, 1)), reward, float(curve.beta[k]))
        np.testing.assert_allclose(np.exp(law.log_q), policy, atol=1e-8)
        # the rate is the mean of βE_q r − log E_m e^{βr}
        identity = weights @ (curve.beta[k] * law.reward - law.log_partition)
        assert abs(curve.rate[k] - identity) < 1e-8


def test_curve_is_convex_and_rises_with_slope_beta():
    weights, reward = problem(4)
    curve = rate_reward_curve(weights, reward)
    assert len(curve.rate) == 9
    assert (np.diff(curve.rate) > 0).all()
    assert (np.diff(curve.rate, 2) > -1e-9).all()
    assert (curve.gap <= 1e-9).all()
    middle, h = curve.reward[4], 1e-5
    around = rate_reward_curve(weights, reward, [middle - h, middle + h])
    slope = (around.rate[1] - around.rate[0]) / (2 * h)
    # rewards are met to 1e-9 of their spread, so the quotient to about 1e-4
    np.testing.assert_allclose(slope, curve.beta[4], rtol=1e-3)


def test_largest_reward_with_ties_costs_the_least_rate_among_the_best():
    """Response 2 is best for both sources: no information is needed."""
    reward = np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]])
    curve = rate_reward_curve([0.5, 0.5], reward, [1.0])
    assert curve.rate[0] == 0.0
    apart = rate_reward_curve([0.5, 0.5], reward[:, :2], [1.0])
    np.testing.assert_allclose(apart.rate[0], np.log(2), atol=1e-12)
    assert apart.beta[0] == np.inf


def test_equal_rewards_need_nothing():
    curve = rate_reward_curve([0.3, 0.7], np.ones((2, 3)))
    np.testing.assert_allclose(curve.rate, 0.0, atol=1e-15)


@pytest.mark.parametrize(
    ("weights", "reward", "targets", "error", "text"),
    [
        ([0.5, 0.5], np.eye(2), [1.1], UnreachableError, "largest mean reward of any policy is 1;"),
        ([0.5, 0.5], np.eye(2), [np.nan], UnreachableError, "nan"),
        ([0.5, 0.499], np.eye(2), None, DistributionError, "0.999"),
        ([0.5, 0.5], [[np.inf, 0.0], [0.0, 1.0]], None, DistributionError, r"reward\[0, 0\]"),
        ([1.0], np.eye(2), None, ShapeError, r"reward \(2, 2\)"),
    ],
)
def test_bad_input_is_named(weights, reward, targets, error, text):
    with pytest.raises(error, match=text):
        rate_reward_curve(weights, reward, targets)
