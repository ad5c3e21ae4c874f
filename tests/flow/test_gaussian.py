"""Gaussian directed information: by terms, closed forms, conservation; rate and long horizons."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.gaussian import covariance_by_recursion, directed_by_terms

from flowgauge.errors import DistributionError, SettingsError, ShapeError
from flowgauge.flow.gaussian import (
    gaussian_directed_information,
    gaussian_directed_information_rate,
)


def random_model(rng, dim, lags, radius=0.8):
    """A stationary process with the given spectral radius and correlated noise."""
    a = rng.normal(size=(lags, dim, dim))
    top = np.concatenate(list(a), axis=1)
    companion = np.concatenate([top, np.eye(dim * (lags - 1), dim * lags)])
    scale = radius / np.abs(np.linalg.eigvals(companion)).max()
    a = np.array([a[k] * scale ** (k + 1) for k in range(lags)])
    root = rng.normal(size=(dim, dim)) + 2 * np.eye(dim)
    return a, root @ root.T


@pytest.mark.parametrize(
    ("dim", "lags", "x_axes", "y_axes"),
    [(2, 1, [0], [1]), (3, 2, [2], [0]), (4, 1, [0, 3], [1, 2]), (4, 2, [1], [3, 0])],
)
def test_equals_the_terms_by_determinants(dim, lags, x_axes, y_axes):
    a, noise = random_model(np.random.default_rng(dim + lags), dim, lags)
    # 0.8^200 < 1e-19: the run is long enough to be stationary
    covariance = covariance_by_recursion(a, noise, 4, 200)
    terms = directed_by_terms(covariance, 4, x_axes, y_axes)
    result = gaussian_directed_information(a, noise, x_axes, y_axes, horizon=4)
    # determinants of up to 16 rows, condition below 1e5
    assert result.forward_nats == pytest.approx(terms["forward"], abs=1e-9)
    assert result.backward_nats == pytest.approx(terms["backward"], abs=1e-9)
    assert result.instantaneous_nats == pytest.approx(terms["instantaneous"], abs=1e-9)
    assert result.mutual_nats == pytest.approx(terms["mutual"], abs=1e-9)


@given(st.integers(0, 10**6), st.integers(2, 4), st.integers(1, 3), st.integers(1, 8))
@settings(derandomize=True, deadline=None, max_examples=50)
def test_conservation_and_signs(seed, dim, lags, horizon):
    a, noise = random_model(np.random.default_rng(seed), dim, lags)
    for result in (
        gaussian_directed_information(a, noise, [0], range(1, dim), horizon=horizon),
        gaussian_directed_information_rate(a, noise, [0], range(1, dim)),
    ):
        # Massey & Massey (2005): forward + backward = mutual; the slack is rounding of
        # log-determinants
        assert result.conservation_gap_nats == pytest.approx(0.0, abs=1e-9)
        assert result.forward_nats >= result.instantaneous_nats - 1e-9
        assert min(result.backward_nats, result.instantaneous_nats) >= -1e-9


@pytest.mark.parametrize(
    ("a", "b", "var_x", "var_e"), [(0.5, 0.8, 1.0, 0.25), (-0.9, 2.0, 0.3, 1.7)]
)
def test_driven_autoregression_in_closed_form(a, b, var_x, var_e):
    """y_t = a y_{t−1} + b x_{t−1} + e_t with x white: ½ log((b²σx² + σe²)/σe²) per step."""
    exact = 0.5 * np.log((b**2 * var_x + var_e) / var_e)
    model = ([[0.0, 0.0], [b, a]], np.diag([var_x, var_e]))
    rate = gaussian_directed_information_rate(*model, [0], [1])
    # y alone is an AR(1) with white innovations b x + e, so each step after the first gives the
    # same
    finite = gaussian_directed_information(*model, [0], [1], horizon=6)
    assert rate.transfer_entropy_nats == pytest.approx(exact, abs=1e-12)
    assert finite.forward_nats == pytest.approx(5 * exact, abs=1e-12)
    for result in (rate, finite):
        assert result.backward_nats == pytest.approx(0.0, abs=1e-12)
        assert result.instantaneous_nats == pytest.approx(0.0, abs=1e-12)


def test_white_noise_has_instantaneous_information_alone():
    noise = [[1.0, 0.6], [0.6, 1.0]]
    exact = -0.5 * np.log(1 - 0.36)
    result = gaussian_directed_information(np.zeros((2, 2)), noise, [0], [1], horizon=3)
    assert result.forward_nats == pytest.approx(3 * exact, abs=1e-12)
    assert result.transfer_entropy_nats == pytest.approx(0.0, abs=1e-12)
    assert result.backward_nats == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("axes", [([0], [1]), ([2], [0]), ([0, 1], [2])])
def test_the_rate_is_the_increment_at_a_long_horizon(axes):
    a, noise = random_model(np.random.default_rng(5), 3, 2, radius=0.7)
    long, longer = (gaussian_directed_information(a, noise, *axes, horizon=h) for h in (60, 61))
    rate = gaussian_directed_information_rate(a, noise, *axes)
    # the filter forgets geometrically: far below 1e-8 after 60 steps; rounding of 183 rows
    for field in ("forward_nats", "backward_nats", "instantaneous_nats", "mutual_nats"):
        increment = getattr(longer, field) - getattr(long, field)
        assert increment == pytest.approx(getattr(rate, field), abs=1e-8)


def test_an_invertible_map_within_x_changes_nothing():
    a, noise = random_model(np.random.default_rng(2), 3, 1)
    change = np.eye(3)
    change[:2, :2] = [[2.0, 0.3], [-0.5, 1.0]]
    inverse = np.linalg.inv(change)
    plain = gaussian_directed_information(a, noise, [0, 1], [2], horizon=5)
    mapped = gaussian_directed_information(
        change @ a[0] @ inverse, change @ noise @ change.T, [0, 1], [2], horizon=5
    )
    assert mapped.forward_nats == pytest.approx(plain.forward_nats, abs=1e-10)
    assert mapped.backward_nats == pytest.approx(plain.backward_nats, abs=1e-10)


@pytest.mark.parametrize(
    ("coefficients", "noise", "error", "text"),
    [
        (np.eye(2), np.eye(2), DistributionError, "spectral radius 1: below 1"),
        (np.zeros((2, 2)), np.diag([1.0, 0.0]), DistributionError, "the eigenvalue 0: a positive"),
        (np.zeros((2, 2)), [[1, 0.5], [0.4, 1]], DistributionError, "transpose by up to 0.1"),
        (np.zeros((2, 2)), np.diag([1, np.nan]), DistributionError, "not finite"),
        (np.zeros((3, 2, 2)), np.eye(3), ShapeError, r"shape \(3, 2, 2\) and innovations \(3, 3\)"),
        (np.zeros((0, 2, 2)), np.eye(2), ShapeError, "at least one lag"),
    ],
)
def test_models_out_of_range_are_refused_in_words(coefficients, noise, error, text):
    with pytest.raises(error, match=text):
        gaussian_directed_information(coefficients, noise, [0], [1], horizon=2)
    with pytest.raises(error, match=text):
        gaussian_directed_information_rate(coefficients, noise, [0], [1])


@pytest.mark.parametrize("axes", [([0], [0]), ([], [1]), ([0], [2]), ([0, 0], [1])])
def test_axes_out_of_range_are_refused_in_words(axes):
    with pytest.raises(
        SettingsError, match="both non-empty, without repetition or overlap, from 0"
    ):
        gaussian_directed_information(np.zeros((2, 2)), np.eye(2), *axes, horizon=2)


def test_no_step_is_refused_in_words():
    with pytest.raises(SettingsError, match="horizon=0: at least 1 step"):
        gaussian_directed_information(np.zeros((2, 2)), np.eye(2), [0], [1], horizon=0)


def test_half_a_step_and_no_coordinate_are_refused_in_words():
    with pytest.raises(SettingsError, match=r"horizon=2\.5: at least 1 step"):
        gaussian_directed_information(np.zeros((2, 2)), np.eye(2), [0], [1], horizon=2.5)
    with pytest.raises(ShapeError, match=r"\(1, 0, 0\) and innovations \(0, 0\)"):
        gaussian_directed_information_rate(np.zeros((1, 0, 0)), np.zeros((0, 0)), [0], [1])


def test_noise_too_small_for_double_precision_is_told():
    noise = np.diag([1.0, 1e-30])
    with pytest.raises(DistributionError, match="joint covariance over the horizon has"):
        gaussian_directed_information([[0, 0], [0.8, 0.5]], noise, [0], [1], horizon=5)
