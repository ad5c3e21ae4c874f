import numpy as np
from scipy.special import wrightomega

from flowgauge.rate.kernel import (
    FLOOR,
    distortion_and_slope,
    log_ratio,
    multiplier_for,
    normalised_law,
)


def problem(rng, rows=3, size=7):
    p, m = rng.dirichlet(np.ones(size), rows), rng.dirichlet(np.ones(size), rows)
    return p, m, np.log(p / m), (p * np.log(p / m)).sum(axis=1)


def test_law_has_the_form_of_theory_section_5():
    p, m, r, divergence = problem(np.random.default_rng(0))
    lam = np.array([0.1, 1.0, 30.0])
    law = normalised_law(r, m, divergence, lam)
    nu = law.a - np.log(lam)
    q = lam[:, None] * p / wrightomega(np.log(lam[:, None] * p / m) + nu[:, None]).real
    # two routes through logs of numbers near 1
    np.testing.assert_allclose(m * np.exp(law.s), q, rtol=1e-12)
    np.testing.assert_allclose(q.sum(axis=1), 1.0, rtol=1e-12)


def test_newton_finds_the_root_for_twenty_orders_of_magnitude():
    _, m, r, divergence = problem(np.random.default_rng(1))
    for lam in 10.0 ** np.arange(-10, 11.0):
        law = normalised_law(r, m, divergence, np.full(3, lam))
        mass = (m * np.exp(law.s)).sum(axis=1)
        np.testing.assert_allclose(mass, 1.0, atol=1e-12)


def test_mass_slope_is_the_derivative():
    _, m, r, divergence = problem(np.random.default_rng(2))
    from flowgauge.rate.kernel import symbol_law

    lam = np.full(3, 2.0)
    law = normalised_law(r, m, divergence, lam)
    h = 1e-5
    _, above = symbol_law(r, m, law.a + h, lam)
    _, below = symbol_law(r, m, law.a - h, lam)
    # central difference: error of order h² and round-off / h
    np.testing.assert_allclose(-(above - below) / (2 * h), law.mass_slope, rtol=1e-8)


def test_rate_slope_is_the_derivative_and_minus_lambda_times_that_of_distortion():
    _, m, r, divergence = problem(np.random.default_rng(3))
    lam, h = np.array([0.3, 1.0, 8.0]), 1e-5
    values = []
    for shifted in (lam - h, lam, lam + h):
        law = normalised_law(r, m, divergence, shifted)
        distortion, slope = distortion_and_slope(r, m, law, shifted)
        values.append((distortion, slope, shifted - (law.a - np.log(shifted))))
    d_distortion = (values[2][0] - values[0][0]) / (2 * h)
    d_rate = (values[2][2] - values[0][2]) / (2 * h)
    np.testing.assert_allclose(d_rate, values[1][1], rtol=1e-6)
    np.testing.assert_allclose(d_rate, -lam * d_distortion, rtol=1e-6)


def test_shared_multiplier_meets_the_weighted_distortion():
    _, m, r, divergence = problem(np.random.default_rng(4))
    weights = np.array([0.2, 0.5, 0.3])
    target = 0.3 * float(weights @ divergence)
    lam = multiplier_for(r, m, divergence, np.float64(target), weights)
    assert lam[0] == lam[1] == lam[2]
    law = normalised_law(r, m, divergence, lam)
    distortion, _ = distortion_and_slope(r, m, law, lam)
    assert abs(float(weights @ distortion) - target) < 1e-12


def test_rows_that_are_done_stay_while_others_search():
    """A row far from its root must not push a converged one out of its bracket."""
    _, m, r, divergence = problem(np.random.default_rng(5), rows=40)
    target = divergence * np.linspace(1e-6, 0.999, 40)
    lam = multiplier_for(r, m, divergence, target, None)
    distortion, _ = distortion_and_slope(r, m, normalised_law(r, m, divergence, lam), lam)
    np.testing.assert_allclose(distortion, target, atol=1e-12)


def test_log_ratio_is_finite_at_zeros():
    with np.errstate(divide="ignore"):
        values = log_ratio(np.log([0.0, 0.0, 0.5]), np.log([0.0, 0.5, 0.0]))
    assert values[0] == values[1] == FLOOR
    assert values[2] > 1e29
