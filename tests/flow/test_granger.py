"""Granger causality by least squares: closed form, level, agreement with the exact rate."""

import numpy as np
import pytest
from oracles.gaussian import simulate
from scipy import stats

from flowgauge.errors import DistributionError, SettingsError, ShapeError
from flowgauge.flow.gaussian import gaussian_directed_information_rate
from flowgauge.flow.granger import granger


def driven(time, rng, a=0.5, b=0.8, noise=0.5):
    """y_t = a y_{t−1} + b x_{t−1} + e_t, x white."""
    x, e = rng.normal(size=time), noise * rng.normal(size=time)
    y = np.zeros(time)
    for t in range(1, time):
        y[t] = a * y[t - 1] + b * x[t - 1] + e[t]
    return x, y


def test_closed_form_within_its_error():
    exact = 0.5 * np.log((0.8**2 + 0.25) / 0.25)
    forward = granger(*driven(100_000, np.random.default_rng(0)))
    # three standard errors of 100,000 steps
    assert forward.transfer_entropy_nats == pytest.approx(exact, abs=3 * forward.standard_error)
    # by linearisation sd of (log-ratio terms)/√n is below 1/√n for this ratio
    assert 0.001 < forward.standard_error < 0.004


def test_the_stated_error_is_the_spread_over_runs():
    results = [granger(*driven(300, np.random.default_rng(seed))) for seed in range(300)]
    spread = np.std([r.transfer_entropy_nats for r in results])
    stated = np.mean([r.standard_error for r in results])
    # the spread of 300 runs is known to 4 %; three of that
    assert stated == pytest.approx(spread, rel=0.12)


def test_equals_the_exact_rate_of_a_process_with_two_lags_and_two_effects():
    a = np.array(
        [[[0.3, 0, 0], [0.4, 0.2, 0.1], [0, 0.1, 0.3]], [[-0.2, 0, 0], [0, 0.1, 0], [0.3, 0, 0]]]
    )
    noise = np.array([[1, 0, 0], [0, 1, 0.4], [0, 0.4, 1.0]])
    path = simulate(a, noise, 60_000, np.random.default_rng(0))
    fitted = granger(path[:, 0], path[:, 1:], lags=12)
    exact = gaussian_directed_information_rate(a, noise, [0], [1, 2]).transfer_entropy_nats
    # three standard errors; 24 restrictions lift the value by about 24/(2n)
    assert fitted.transfer_entropy_nats == pytest.approx(
        exact + fitted.null_mean_nats, abs=3 * fitted.standard_error
    )
    assert fitted.restrictions == 24
    assert fitted.p_value == fitted.chi2_p_value < 1e-12


@pytest.mark.parametrize("dim_y", [1, 2])
def test_level_under_the_null(dim_y):
    rejected = 0
    for seed in range(400):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=120)
        y = rng.normal(size=(120, dim_y))
        y[1:] += 0.5 * y[:-1]
        rejected += granger(x, y, lags=2).p_value <= 0.05
    low, high = stats.binom.ppf([0.001, 0.999], 400, 0.05)
    # F for one effect is near exact; χ² for two is a little liberal at 118 steps (up to 0.06)
    assert low <= rejected <= high + (4 if dim_y == 2 else 0)


def test_mean_under_the_null():
    values = []
    for seed in range(300):
        x, y = np.random.default_rng(seed).normal(size=(2, 500))
        values.append(granger(x, y, lags=2))
    # 2n · value is about χ² with 2 degrees: mean 2, sd 2, over 300 runs: three errors are 0.35 of 2
    mean = np.mean([v.transfer_entropy_nats for v in values])
    assert mean == pytest.approx(values[0].null_mean_nats, rel=0.18)


def test_statistic_by_the_textbook():
    x, y = driven(60, np.random.default_rng(1))
    result = granger(x, y, lags=2)
    target = y[2:]
    own = np.column_stack([np.ones(58), y[1:-1], y[:-2]])
    full = np.column_stack([own, x[1:-1], x[:-2]])
    rss = [
        float(np.sum((target - d @ np.linalg.solve(d.T @ d, d.T @ target)) ** 2))
        for d in (own, full)
    ]
    f = (rss[0] - rss[1]) / 2 / (rss[1] / (58 - 5))
    assert result.statistic == pytest.approx(f, rel=1e-9)
    assert result.p_value == pytest.approx(stats.f.sf(f, 2, 53), rel=1e-9)
    assert result.transfer_entropy_nats == pytest.approx(0.5 * np.log(rss[0] / rss[1]), abs=1e-12)
    assert result.n == 58


def test_a_common_cause_is_removed_by_conditioning():
    rng = np.random.default_rng(0)
    z = rng.normal(size=5000)
    x, y = rng.normal(size=(2, 5000))
    x[1:] += z[:-1]
    y[2:] += z[:-2]  # z reaches x first: x seems to cause y
    assert granger(x, y, lags=2).p_value < 1e-9
    assert granger(x, y, lags=2, given=z).p_value > 0.01


def test_scale_and_offset_change_nothing():
    x, y = driven(300, np.random.default_rng(2))
    plain, scaled = granger(x, y, lags=2), granger(1e3 * x - 5, 1e-3 * y + 7, lags=2)
    assert scaled.transfer_entropy_nats == pytest.approx(plain.transfer_entropy_nats, abs=1e-9)


def test_bad_input_is_refused_in_words():
    x = np.random.default_rng(0).normal(size=50)
    with pytest.raises(SettingsError, match="lags=0: at least 1"):
        granger(x, x, lags=0)
    with pytest.raises(ShapeError, match=r"series of lengths \[50, 49\]"):
        granger(x, x[1:])
    with pytest.raises(ShapeError, match="6 time steps leave 4 rows for 5 coefficients"):
        granger(x[:6], x[1:7], lags=2)
    with pytest.raises(ShapeError, match=r"x has shape \(2, 2, 2\)"):
        granger(np.zeros((2, 2, 2)), x)
    broken = x.copy()
    broken[9] = np.nan
    with pytest.raises(DistributionError, match="y is not finite at 1 times, first at 9"):
        granger(x, broken)
    with pytest.raises(DistributionError, match="y is predicted without error"):
        granger(x, np.zeros(50))


def test_rounding_is_not_taken_for_information():
    """A perfect fit leaves residuals of 1e-16, not 0: their ratio would be some 30 nats."""
    x = np.random.default_rng(0).normal(size=50)
    copy = np.concatenate([[0.0], x[:-1]])
    for y in (copy, 1e6 + copy, np.full(50, 0.1), np.column_stack([x, 2 * x])):
        with pytest.raises(DistributionError, match="y is predicted without error"):
            granger(x, y)
    # a large mean is no perfect fit
    noisy = copy + 1e-3 * np.random.default_rng(1).normal(size=50)
    for offset in (0.0, 1e6):
        assert 5 < granger(x, noisy + offset).transfer_entropy_nats < 9
    with pytest.raises(SettingsError, match=r"lags=1\.5: at least 1"):
        granger(x, x, lags=1.5)
