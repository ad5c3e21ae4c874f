import numpy as np
import pytest

from flowgauge.errors import DistributionError, ShapeError
from flowgauge.flow import doob


def test_the_parts_add_up():
    rng = np.random.default_rng(0)
    density, drift, variance = rng.normal(size=9), rng.random(9), rng.random(9)
    found = doob(density, drift, variance)
    np.testing.assert_allclose(found.compensator + found.martingale, np.cumsum(density), atol=1e-14)
    assert found.residual == pytest.approx(
        (density - drift).sum() / np.sqrt(variance.sum()), abs=1e-13
    )


def test_no_variance_no_residual():
    assert np.isnan(doob([0.5], [0.1]).residual)
    assert np.isnan(doob([0.0], [0.0], [0.0]).residual)
    assert np.isnan(doob([], [], []).residual)


def test_residual_is_about_standard_normal():
    rng = np.random.default_rng(1)
    p, q = np.array([0.6, 0.3, 0.1]), np.array([0.3, 0.3, 0.4])
    ratio = np.log(p / q)
    drift = float(p @ ratio)
    variance = float(p @ (ratio - drift) ** 2)
    time = 200
    residuals = [
        doob(ratio[tokens], np.full(time, drift), np.full(time, variance)).residual
        for tokens in rng.choice(3, size=(2000, time), p=p)
    ]
    # Four standard errors of mean and variance of 2,000 normals.
    assert np.mean(residuals) == pytest.approx(0.0, abs=4 / np.sqrt(2000))
    assert np.var(residuals) == pytest.approx(1.0, abs=4 * np.sqrt(2 / 2000))


def test_round_off_below_zero_becomes_zero():
    assert doob([0.0], [-1e-9]).drift.tolist() == [0.0]
    with pytest.raises(DistributionError, match=r"drift\[0\] = -1e-05.*truncated or sampled KL"):
        doob([0.0], [-1e-5])


def test_bad_input_is_refused():
    with pytest.raises(ShapeError, match=r"drift has shape \(1,\); \(2,\)"):
        doob([0.0, 0.0], [0.0])
    with pytest.raises(DistributionError, match=r"density\[0\] is NaN; .*without NaN"):
        doob([np.nan], [0.0])
    with pytest.raises(ShapeError, match=r"density has shape \(1, 1\); \(time,\)"):
        doob([[0.0]], [0.0])
    with pytest.raises(DistributionError, match=r"density\[1\] is \+inf and density\[0\] −inf"):
        doob([-np.inf, np.inf], [0.0, 0.0])
