"""Learnt critics on tasks of known information: bounds, warnings, independence, determinism."""

import math

import numpy as np
import pytest
import torch
from oracles.gaussian_tasks import dense, pairwise, sparse, student

from flowgauge.errors import SettingsError
from flowgauge.estimators import (
    NWJ,
    SMILE,
    DonskerVaradhan,
    InfoNCE,
    Training,
    estimate_mutual_information,
)

# small and quick to stop: what is tested is the path, not the best fit
SMALL = Training(hidden=(32,), batch_size=64, learning_rate=5e-3, patience=5, max_steps=1000)
CRITICS = [
    DonskerVaradhan(training=SMALL),
    NWJ(training=SMALL),
    InfoNCE(training=SMALL),
    SMILE(training=SMALL),
]


def name(estimator):
    return type(estimator).__name__


def estimate(task, estimator, n, seed=0):
    rng = np.random.default_rng(seed)
    x, y = task.sample(n, rng)
    return estimate_mutual_information(x, y, estimator=estimator, rng=rng)


@pytest.mark.parametrize("estimator", CRITICS, ids=name)
@pytest.mark.parametrize(
    "task", [pairwise(1, 0.5), pairwise(2, 0.5), dense(2)], ids=lambda t: t.name
)
def test_gaussians_within_error(task, estimator):
    result = estimate(task, estimator, 1500)
    # four standard errors over 450 pairs, and up to 0.1 nats that a critic of 750 pairs may miss
    # (measured: 0.05)
    assert result.value_nats == pytest.approx(task.true_nats, abs=4 * result.standard_error + 0.1)
    assert 0.01 < result.standard_error < 0.1
    assert result.n == 450
    assert result.converged


@pytest.mark.parametrize(
    "task", [sparse(3), pairwise(5, 0.5), student(2, 2), student(3, 3)], ids=lambda t: t.name
)
def test_lower_bounds_stay_below_and_find_most(task):
    result = estimate(task, DonskerVaradhan(training=SMALL), 2000)
    low = result.confidence_interval[0]
    # the lower end is below the truth (97.5 %); half of the truth is found (measured: 0.65 to 1.0
    # of it)
    assert low <= task.true_nats
    assert result.value_nats > 0.5 * task.true_nats


@pytest.mark.parametrize("estimator", CRITICS, ids=name)
def test_independence_gives_about_nought(estimator):
    result = estimate(pairwise(2, 0.0), estimator, 1500)
    low, high = result.confidence_interval
    assert low <= 0.0 <= high
    # a fit that held-out rows do not support is not kept: what is left is noise of order 1/√450
    assert abs(result.value_nats) < 0.05


def test_independence_is_hardly_ever_taken_for_dependence():
    estimator = InfoNCE(training=Training(hidden=(8,), max_steps=200, patience=3))
    lows = [
        estimate(pairwise(1, 0.0), estimator, 300, seed).confidence_interval[0]
        for seed in range(40)
    ]
    # one-sided 2.5 %: more than 4 of 40 has probability 0.003; most fits take no step and give 0 ±
    # 0
    assert sum(low > 0 for low in lows) <= 4


def test_info_nce_stays_below_log_k_and_says_so():
    result = estimate(pairwise(1, 3.0), InfoNCE(training=SMALL, block_size=8), 800)
    assert result.value_nats <= math.log(8)
    assert "is close to its cap log K = 2.079 for K = 8" in result.warning
    assert result.is_lower_bound


def test_donsker_varadhan_above_log_n_carries_the_warning():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1000, 5))  # y = x: infinite information
    training = Training(hidden=(32,), batch_size=64, evaluation_fraction=0.012, max_steps=500)
    estimator = DonskerVaradhan(training=training)
    result = estimate_mutual_information(x, x, estimator=estimator, rng=rng)
    assert result.n == 12
    assert result.log_n_limit == math.log(12)
    assert result.value_nats > result.log_n_limit
    assert "is above log n = 2.485 for the n = 12 pairs evaluated" in result.warning
    assert "McAllester & Stratos 2020" in result.warning


def test_a_thin_exponential_average_is_named():
    from flowgauge.estimators.critics import thin_average_warning

    scores = np.zeros((50, 50))
    assert thin_average_warning(1.0, [scores]) == ()
    scores[:, 3] = 20.0
    (text,) = thin_average_warning(1.0, [scores])
    assert "rests on about 1.0 of 50 evaluated pairs" in text


@pytest.mark.parametrize("estimator", CRITICS, ids=name)
def test_influences_are_derivatives(estimator):
    """The influence of pair i is n times the fall of the value without it, to first order."""
    from flowgauge.estimators.critics import evaluate_critic

    recipes = []

    def keep(recipe, *rest):
        recipes.append(recipe)
        return evaluate_critic(recipe, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("flowgauge.estimators.variational.evaluate_critic", keep)
        estimate(pairwise(1, 0.5), estimator, 100)
    recipe = recipes[0]
    n = 300
    rng = np.random.default_rng(1)
    x = rng.normal(size=n)
    y = 0.6 * x + 0.8 * rng.normal(size=n)
    scores = 0.5 * x[:, None] * y[None, :]
    value = float(recipe.value(scores))
    fall = np.array(
        [value - float(recipe.value(np.delete(np.delete(scores, i, 0), i, 1))) for i in range(n)]
    )
    influence = recipe.influence(scores)
    influence = influence - influence.mean()
    # second-order terms are of relative size 1/n; half a percent of the spread is several times
    # that
    assert np.corrcoef(influence, fall)[0, 1] > 0.999
    assert np.std((n - 1) * fall) == pytest.approx(np.std(influence), rel=0.03)


def test_the_same_state_gives_the_same_result_and_global_torch_state_stays():
    estimator = NWJ(training=Training(hidden=(8,), max_steps=40, patience=1))
    state = torch.get_rng_state()
    first, second = (estimate(pairwise(1, 0.5), estimator, 100, seed=5) for _ in range(2))
    assert first == second
    assert torch.equal(state, torch.get_rng_state())
    assert estimate(pairwise(1, 0.5), estimator, 100, seed=6) != first


def test_too_few_steps_are_reported():
    estimator = NWJ(training=Training(max_steps=20, check_every=20))
    result = estimate(pairwise(1, 0.5), estimator, 100)
    assert (result.steps, result.converged) == (20, False)


def test_settings_out_of_range_are_refused_in_words():
    with pytest.raises(SettingsError, match="block_size=1: the partner"):
        InfoNCE(block_size=1)
    with pytest.raises(SettingsError, match="clip=0: a positive"):
        SMILE(clip=0)
