from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.rate import best_of_n_law, kl
from scipy.integrate import quad

from flowgauge.errors import DistributionError, SettingsError
from flowgauge.rate import best_of_n_kl, best_of_n_reward


@pytest.mark.parametrize("n", [1, 2, 4, 16])
def test_kl_is_an_equality_without_ties(n):
    """The quantile of the best of n has density n x^{n−1}; its KL from uniform is the formula."""
    value, _ = quad(lambda x: n * x ** (n - 1) * np.log(n * x ** (n - 1)) if x > 0 else 0.0, 0, 1)
    assert abs(value - best_of_n_kl(n)) < 1e-9


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.integers(0, 10_000), st.integers(1, 4))
def test_kl_is_an_upper_bound_with_ties(seed, n):
    rng = np.random.default_rng(seed)
    m = rng.dirichlet(np.ones(4))
    law = best_of_n_law(m, rng.integers(0, 3, 4), n)
    assert kl(law, m) <= best_of_n_kl(n) + 1e-12


def test_ties_become_rare_as_responses_become_many():
    gaps = []
    for size in (4, 16, 64):
        law = best_of_n_law(np.full(size, 1 / size), np.arange(size), 2)
        gaps.append(best_of_n_kl(2) - kl(law, np.full(size, 1 / size)))
    assert gaps[0] > gaps[1] > gaps[2] > 0
    assert gaps[2] < 0.01


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.lists(st.integers(-3, 3), min_size=2, max_size=7), st.integers(1, 7))
def test_reward_is_the_mean_over_all_subsets(rewards, n):
    n = min(n, len(rewards))
    brute = np.mean([max(chosen) for chosen in combinations(rewards, n)])
    assert abs(best_of_n_reward(rewards, n) - brute) < 1e-12


def test_reward_is_unbiased_for_independent_draws():
    """Mean over all samples of size 4 from a law = expectation of the best of 2 draws."""
    m, reward = np.array([0.2, 0.5, 0.3]), np.array([1.0, 2.0, 4.0])
    expected = float(best_of_n_law(m, reward, 2) @ reward)
    total = 0.0
    for index in np.ndindex(3, 3, 3, 3):
        total += np.prod(m[list(index)]) * best_of_n_reward(reward[list(index)], 2)
    assert abs(total - expected) < 1e-12


def test_large_samples_do_not_overflow():
    rewards = np.random.default_rng(0).random(100_000)
    # the maximum of 1,000 uniforms has mean 1000/1001 and standard error far below 1e-4 here
    assert abs(best_of_n_reward(rewards, 1000) - 1000 / 1001) < 1e-4


def test_bad_input_is_named():
    with pytest.raises(SettingsError, match="n = 0"):
        best_of_n_kl(0)
    with pytest.raises(SettingsError, match="n = 3 with 2 samples"):
        best_of_n_reward([1.0, 2.0], 3)
    with pytest.raises(DistributionError, match="is inf"):
        best_of_n_reward([1.0, np.inf], 1)


@pytest.mark.parametrize("n", [np.nan, np.inf, 1.5])
def test_draws_are_whole_numbers(n):
    with pytest.raises(SettingsError, match=f"n = {n}"):
        best_of_n_kl(n)
    with pytest.raises(SettingsError, match=f"n = {n} with 2 samples"):
        best_of_n_reward([1.0, 2.0], n)
