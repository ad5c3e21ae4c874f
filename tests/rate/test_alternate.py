import numpy as np
import pytest

from flowgauge.errors import ConvergenceError, SettingsError
from flowgauge.rate import AlternationSettings, rate_distortion_curve
from flowgauge.rate.alternate import alternate, certified_gap


def blahut(law, kernel):
    def mean_of_answers(log_m):
        joint = np.exp(log_m) * kernel
        return np.log(law @ (joint / joint.sum(axis=1, keepdims=True)))

    return mean_of_answers


def problem(seed=0):
    rng = np.random.default_rng(seed)
    # a symmetric cost keeps every symbol alive, so that both ways converge
    kernel = np.exp(-1.5 * (1 - np.eye(6)) * (1 + 0.2 * rng.random((6, 6))))
    return rng.dirichlet(5 * np.ones(6)), kernel


def test_mixing_reaches_the_fixed_point_of_plain_alternation_in_fewer_steps():
    rng = np.random.default_rng(3)
    p, weights = rng.dirichlet(np.ones(6), 4), rng.dirichlet(np.ones(4))
    plain, mixed = (
        rate_distortion_curve(p, weights, [0.1], AlternationSettings(memory=memory))
        for memory in (0, 6)
    )
    # each is within its gap of 1e-9 of the optimum
    np.testing.assert_allclose(mixed.rate, plain.rate, atol=1e-9)
    assert mixed.iterations[0] < 0.5 * plain.iterations[0]


def test_gap_bounds_the_distance_to_the_optimum():
    law, kernel = problem(1)
    step = blahut(law, kernel)
    best = alternate(step, np.full(6, -np.log(6)), AlternationSettings(tolerance=1e-13)).log_m

    def objective(log_m):
        return -float(law @ np.log(kernel @ np.exp(log_m)))

    log_m = np.log(np.random.default_rng(2).dirichlet(np.ones(6)))
    for _ in range(5):
        log_mean = step(log_m)
        # Blahut's classical bound holds at every iterate
        assert objective(log_mean) - objective(best) <= certified_gap(log_m, log_mean) + 1e-12
        log_m = log_mean


def test_stopping_early_says_so():
    law, kernel = problem()
    end = alternate(
        blahut(law, kernel), np.full(6, -np.log(6)), AlternationSettings(max_iterations=2)
    )
    assert not end.converged
    assert end.iterations == 2
    assert end.gap > 1e-9


@pytest.mark.parametrize("change", [{"tolerance": 0.0}, {"max_iterations": 0}, {"memory": -1}])
def test_settings_outside_their_range(change):
    with pytest.raises(SettingsError, match="tolerance > 0, max_iterations ≥ 1 and memory ≥ 0"):
        AlternationSettings(**change)


def test_nan_does_not_pass_for_converged():
    with pytest.raises(ConvergenceError, match="gap = nan at alternation 1"):
        alternate(lambda log_m: log_m * np.nan, np.log([0.5, 0.5]), AlternationSettings())
