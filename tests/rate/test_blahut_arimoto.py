import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.rate import binary_entropy, classical

from flowgauge.errors import DistributionError, SettingsError, ShapeError, UnreachableError
from flowgauge.rate import AlternationSettings, blahut_arimoto, blahut_arimoto_at


def problem(seed, sources=4, symbols=5):
    rng = np.random.default_rng(seed)
    return rng.dirichlet(np.ones(sources)), rng.random((sources, symbols))


@pytest.mark.parametrize("p", [0.5, 0.3, 0.05])
def test_bernoulli_source_with_hamming_distortion(p):
    for distortion in p * np.array([0.01, 0.3, 0.8, 0.999]):
        point = blahut_arimoto_at([p, 1 - p], 1 - np.eye(2), distortion)
        assert abs(point.rate - (binary_entropy(p) - binary_entropy(distortion))) < 1e-12
        assert abs(point.multiplier - np.log((1 - distortion) / distortion)) < 1e-8
    assert blahut_arimoto_at([p, 1 - p], 1 - np.eye(2), p).rate == 0.0


def test_gaussian_source_with_squared_error():
    """½ log(σ²/D) on a grid; cutting the tails at 5σ loses 6e-6 nats, the step of 0.1 far less."""
    x = np.linspace(-5, 5, 101)
    p = np.exp(-0.5 * x**2)
    p /= p.sum()
    for multiplier in (1.0, 2.0):
        point = blahut_arimoto(p, (x[:, None] - x) ** 2, multiplier)
        assert abs(point.distortion - 1 / (2 * multiplier)) < 1e-6
        assert abs(point.rate - 0.5 * np.log(1 / point.distortion)) < 1e-5
        assert point.converged


@pytest.mark.parametrize("share", [0.05, 0.4, 0.9])
def test_agrees_with_a_convex_solver(share):
    for seed in range(4):
        p, cost = problem(seed)
        low, high = float(p @ cost.min(axis=1)), float((p @ cost).min())
        target = low + share * (high - low)
        point = blahut_arimoto_at(p, cost, target)
        _, value = classical(p, cost, target)
        assert abs(point.rate - value) < 1e-6
        assert abs(point.distortion - target) < 1e-9


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.integers(0, 10_000), st.floats(0.01, 60.0))
def test_certificate_and_channel(seed, multiplier):
    p, cost = problem(seed, 5, 6)
    point = blahut_arimoto(p, cost, multiplier)
    channel = np.exp(point.log_channel)
    np.testing.assert_allclose(channel.sum(axis=1), 1.0, atol=1e-12)
    assert abs(float(p @ (channel * cost).sum(axis=1)) - point.distortion) < 1e-12
    assert point.converged
    assert 0 <= point.gap <= 1e-9
    # weak duality: any other channel's objective is above this one's minus the gap
    other = np.random.default_rng(seed).dirichlet(np.ones(6), 5)
    mean = p @ other
    objective = float((p[:, None] * other * np.log(other / mean)).sum())
    objective += multiplier * float((p[:, None] * other * cost).sum())
    assert point.rate + multiplier * point.distortion - point.gap <= objective + 1e-12


def test_straight_piece_of_a_curve_is_met_by_a_mixture():
    """Two erasure-like columns make R(D) linear: any D there, still certified."""
    cost = np.array([[0.0, 1.0, 0.4], [1.0, 0.0, 0.4]])
    p = np.full(2, 0.5)
    targets = np.linspace(0.02, 0.39, 12)
    points = [blahut_arimoto_at(p, cost, target) for target in targets]
    np.testing.assert_allclose([point.distortion for point in points], targets, atol=1e-9)
    for target, point in zip(targets, points, strict=True):
        assert abs(point.rate - classical(p, cost, target)[1]) < 1e-6
        # the line is read off at two multipliers 1e-9 apart
        assert point.gap < 1e-6


def test_largest_and_smallest_distortions():
    p, cost = problem(9)
    least = float(p @ cost.min(axis=1))
    end = blahut_arimoto_at(p, cost, least)
    assert abs(end.distortion - least) < 1e-12
    assert end.multiplier == np.inf
    free = blahut_arimoto(p, cost, 0.0)
    assert (free.rate, free.distortion) == (0.0, pytest.approx(float((p @ cost).min())))


def test_an_unfinished_point_says_so():
    p, cost = problem(10)
    point = blahut_arimoto(p, cost, 9.0, AlternationSettings(max_iterations=1, tolerance=1e-13))
    assert not point.converged
    assert point.gap > 1e-13


@pytest.mark.parametrize(
    ("p", "cost", "multiplier", "error", "text"),
    [
        ([0.5, 0.4], np.eye(2), 1.0, DistributionError, "sums to 0.9"),
        ([0.5, 0.5], [[0.0, np.nan], [1.0, 0.0]], 1.0, DistributionError, r"distortion\[0, 1\]"),
        ([0.5, 0.5], np.eye(3), 1.0, ShapeError, r"p has shape \(2,\), distortion \(3, 3\)"),
        ([0.5, 0.5], np.eye(2), -1.0, SettingsError, "multiplier = -1.0"),
    ],
)
def test_bad_input_is_named(p, cost, multiplier, error, text):
    with pytest.raises(error, match=text):
        blahut_arimoto(p, cost, multiplier)


def test_unreachable_distortion_shows_the_least():
    with pytest.raises(UnreachableError, match=r"least distortion of any channel is 0\.25"):
        blahut_arimoto_at([0.5, 0.5], [[0.0, 1.0], [1.0, 0.5]], 0.2)


def test_sources_of_weight_zero_take_no_part():
    """Their only symbols die out; at λ = 1000 every other entry of the kernel underflows."""
    cost = 1 - np.eye(3)
    with_it = blahut_arimoto([0.5, 0.5, 0.0], cost, 1000.0)
    without = blahut_arimoto([0.5, 0.5], cost[:2], 1000.0)
    assert abs(with_it.rate - without.rate) < 1e-15
    assert with_it.converged
    np.testing.assert_allclose(np.exp(with_it.log_channel), np.eye(3), atol=1e-15)
    assert blahut_arimoto_at([1.0, 0.0], 1 - np.eye(2), 0.0).rate == 0.0


def test_any_large_number_is_a_distortion_and_a_multiplier():
    assert blahut_arimoto_at([0.5, 0.5], 1 - np.eye(2), np.inf).rate == 0.0
    huge = blahut_arimoto([0.5, 0.5], 1e10 * (1 - np.eye(2)), 1e300)
    assert abs(huge.rate - np.log(2)) < 1e-15
