import numpy as np
import pytest

from flowgauge.bounds import smoothed_token_bound
from flowgauge.errors import DistributionError, SettingsError


def test_formula_of_one_alpha():
    log_p = np.log([0.5, 0.01, 0.2])
    bound = smoothed_token_bound(log_p, 100, 3.0, 0.1, (0.25,))
    smoothed = 0.75 * np.exp(log_p) + 0.25 / 100
    width = np.log(1 + 0.75 * 100 / 0.25)
    expected = -np.log(smoothed).mean() + width * np.sqrt((3.0 + np.log(10)) / 6)
    assert abs(bound.value - expected) < 1e-13
    assert abs(bound.loss_range - width) < 1e-13


def test_range_is_that_of_the_smoothed_loss():
    bound = smoothed_token_bound([-1.0], 50, 0.0, 0.1, (0.1,))
    worst, best = -np.log(0.1 / 50), -np.log(0.9 + 0.1 / 50)
    assert abs(bound.loss_range - (worst - best)) < 1e-13


def test_tokens_of_probability_zero_have_a_finite_loss():
    bound = smoothed_token_bound([-np.inf, -1.0], 10, 0.0)
    assert np.isfinite(bound.value)


def test_coverage_on_a_known_law():
    """1,000 texts from a known law: the true risk of the smoothed model is below the bound."""
    rng, law, model = np.random.default_rng(0), np.array([0.6, 0.3, 0.1]), np.array([0.2, 0.3, 0.5])
    broken = 0
    for _ in range(1000):
        text = rng.choice(3, 200, p=law)
        bound = smoothed_token_bound(np.log(model[text]), 3, 0.0, 0.2)
        smoothed = (1 - bound.alpha) * model + bound.alpha / 3
        broken += bound.value < -(law @ np.log(smoothed))
    assert broken <= 200


def test_more_tokens_make_it_tighter_and_vacuous_is_said():
    few = smoothed_token_bound(np.full(100, -2.0), 1000, 400.0)
    many = smoothed_token_bound(np.full(100_000, -2.0), 1000, 400.0)
    assert few.is_vacuous
    assert not many.is_vacuous
    assert many.value < few.value


@pytest.mark.parametrize(
    ("log_p", "vocabulary", "delta", "alphas", "error", "text"),
    [
        ([0.5], 10, 0.1, (0.1,), DistributionError, "above 0"),
        ([-1.0], 1, 0.1, (0.1,), SettingsError, "vocabulary = 1"),
        ([-1.0], 10, 0.0, (0.1,), SettingsError, "delta = 0.0"),
        ([-1.0], 10, 0.1, (1.0,), SettingsError, "strictly between"),
        ([], 10, 0.1, (0.1,), SettingsError, "0 tokens"),
    ],
)
def test_bad_input_is_named(log_p, vocabulary, delta, alphas, error, text):
    with pytest.raises(error, match=text):
        smoothed_token_bound(log_p, vocabulary, 1.0, delta, alphas)
