import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.rate import curve as curve_by_slsqp
from oracles.rate import kl

from flowgauge.errors import DistributionError, ShapeError, UnreachableError
from flowgauge.rate import AlternationSettings, rate_distortion_curve


def sources(seed, count=3, vocab=5):
    rng = np.random.default_rng(seed)
    return rng.dirichlet(np.ones(vocab), count), rng.dirichlet(np.ones(count))


def information(p, weights):
    return float(sum(w * kl(law, weights @ p) for w, law in zip(weights, p, strict=True)))


@pytest.mark.parametrize("share", [0.02, 0.2, 0.6, 0.95])
def test_joint_optimum_agrees_with_a_convex_solver(share):
    for seed in range(3):
        p, weights = sources(seed)
        target = share * information(p, weights)
        curve = rate_distortion_curve(p, weights, [target])
        _, value = curve_by_slsqp(p, weights, target)
        assert curve.converged.all()
        assert abs(curve.rate[0] - value) < 1e-6


@settings(derandomize=True, deadline=None, max_examples=40)
@given(st.integers(0, 10_000), st.floats(0.01, 0.97))
def test_certificate_and_constraint(seed, share):
    p, weights = sources(seed, 4, 6)
    target = share * information(p, weights)
    curve = rate_distortion_curve(p, weights, [target])
    q = np.exp(curve.log_q[0])
    np.testing.assert_allclose(q.sum(axis=1), 1.0, atol=1e-11)
    reached = sum(w * kl(a, b) for w, a, b in zip(weights, p, q, strict=True))
    assert abs(reached - target) < 1e-10
    assert abs(information(q, weights) - curve.rate[0]) < 1e-10
    assert 0 <= curve.gap[0] <= 1e-9
    # data-processing floor: R(D) is at least I − D·(the slope at 0 is steeper): convexity chord
    assert curve.rate[0] <= (1 - share) * information(p, weights) + 1e-9


def test_ends_of_the_curve():
    p, weights = sources(1)
    whole = information(p, weights)
    curve = rate_distortion_curve(p, weights, [0.0, whole, 5.0])
    np.testing.assert_allclose(curve.rate, [whole, 0.0, 0.0], atol=1e-15)
    np.testing.assert_allclose(curve.distortion, [0.0, whole, whole], atol=1e-15)
    np.testing.assert_allclose(np.exp(curve.log_q[0]), p, atol=1e-15)
    np.testing.assert_allclose(np.exp(curve.log_q[2]), np.tile(weights @ p, (3, 1)), atol=1e-15)


def test_curve_is_convex_with_slope_minus_lambda():
    p, weights = sources(2)
    targets = np.linspace(0.02, 0.98, 25) * information(p, weights)
    curve = rate_distortion_curve(p, weights, targets, AlternationSettings(tolerance=1e-12))
    assert (np.diff(curve.rate) < 0).all()
    assert (np.diff(curve.rate, 2) > 0).all()
    h = 1e-4
    around = rate_distortion_curve(
        p, weights, [targets[8] - h, targets[8] + h], AlternationSettings(tolerance=1e-12)
    )
    slope = (around.rate[1] - around.rate[0]) / (2 * h)
    # central difference: third derivative · h²
    np.testing.assert_allclose(slope, -curve.multiplier[8], rtol=1e-4)


def test_zeros_and_sources_of_weight_zero():
    p = np.array([[0.6, 0.4, 0.0, 0.0], [0.0, 0.3, 0.7, 0.0], [0.1, 0.1, 0.1, 0.7]])
    curve = rate_distortion_curve(p, [0.5, 0.5, 0.0], [0.1])
    smaller = rate_distortion_curve(p[:2, :3], [0.5, 0.5], [0.1])
    np.testing.assert_allclose(curve.rate, smaller.rate, atol=1e-9)
    assert (curve.log_q[0, :2, 3] == -np.inf).all()


def test_an_unfinished_point_says_so():
    p, weights = sources(3)
    curve = rate_distortion_curve(
        p, weights, [0.05], AlternationSettings(max_iterations=1, tolerance=1e-12)
    )
    assert not curve.converged[0]
    assert curve.gap[0] > 1e-12


@pytest.mark.parametrize(
    ("p", "weights", "distortions", "error", "text"),
    [
        ([[0.5, 0.4]], [1.0], [0.1], DistributionError, "p sums to 0.9"),
        ([[1.5, -0.5]], [1.0], [0.1], DistributionError, "-0.5 is negative"),
        ([[0.5, 0.5]], [0.999], [0.1], DistributionError, "weights sums to 0.999"),
        ([[0.5, 0.5]], [0.5, 0.5], [0.1], ShapeError, r"p has shape \(1, 2\), weights \(2,\)"),
        ([[0.5, 0.5]], [1.0], [-0.1], UnreachableError, r"distortions = \[-0.1\]"),
        ([[0.5, 0.5]], [1.0], [np.nan], UnreachableError, "nan"),
        ([[0.5, 0.5]], [1.0], [], ShapeError, "a list"),
    ],
)
def test_bad_input_is_named(p, weights, distortions, error, text):
    with pytest.raises(error, match=text):
        rate_distortion_curve(p, weights, distortions)
