import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.rate import kl, slsqp
from strategies import log_laws

from flowgauge.errors import DistributionError, SettingsError, ShapeError
from flowgauge.rate import tilt


@settings(derandomize=True, deadline=None, max_examples=200)
@given(log_laws(5), st.lists(st.floats(-5, 5), min_size=5, max_size=5), st.floats(-20, 20))
def test_kl_identity_of_regularised_reward(log_m, reward, beta):
    law = tilt(log_m, np.array(reward), beta)
    np.testing.assert_allclose(np.exp(law.log_q).sum(), 1.0, atol=1e-12)
    # KL = β E_q r − log E_m e^{βr}; round-off grows with |β r| ≤ 100
    assert abs(law.kl - (beta * law.reward - law.log_partition)) < 1e-12
    assert law.kl >= 0


def test_maximises_regularised_reward():
    rng = np.random.default_rng(0)
    m, reward, beta = rng.dirichlet(np.ones(5)), rng.normal(size=5), 1.7

    def loss(q):
        value = float((q * np.log(q / m)).sum()) - beta * float((q[0] * reward).sum())
        return value, np.log(q / m) + 1 - beta * reward

    q, value = slsqp(loss, (1, 5), np.ones(1), m[None, :])
    law = tilt(np.log(m), reward, beta)
    assert abs(float(law.kl - beta * law.reward) - value) < 1e-9
    assert abs(value + float(law.log_partition)) < 1e-9
    np.testing.assert_allclose(np.exp(law.log_q), q[0], atol=1e-4)
    assert abs(float(law.kl) - kl(np.exp(law.log_q), m)) < 1e-13


def test_forbidden_responses_and_excluded_ones():
    with np.errstate(divide="ignore"):
        log_m = np.log([0.5, 0.25, 0.25, 0.0])
    law = tilt(log_m, np.array([0.0, -np.inf, 0.0, 9.0]), 1.0)
    np.testing.assert_allclose(np.exp(law.log_q), [2 / 3, 0, 1 / 3, 0], atol=1e-15)
    np.testing.assert_allclose(law.kl, np.log(4 / 3), atol=1e-14)
    assert law.reward == 0.0


def test_large_exponents_do_not_overflow():
    law = tilt(np.log([0.5, 0.5]), np.array([0.0, 1.0]), 1e6)
    assert law.reward == 1.0
    np.testing.assert_allclose(law.kl, np.log(2), atol=1e-9)


def test_zero_beta_is_the_reference():
    log_m = np.log([0.2, 0.8])
    law = tilt(log_m, np.array([3.0, 4.0]), 0.0)
    np.testing.assert_allclose(law.log_q, log_m, atol=1e-15)
    assert law.kl == 0.0


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_torch_agrees_with_numpy(dtype):
    rng = np.random.default_rng(1)
    log_m = np.log(rng.dirichlet(np.ones(50), 3)).astype(dtype)
    reward = rng.normal(size=50).astype(dtype)
    ours, theirs = tilt(log_m, reward, 2.0), tilt(torch.tensor(log_m), torch.tensor(reward), 2.0)
    tolerance = 5e-6 if dtype == np.float32 else 1e-13
    np.testing.assert_allclose(theirs.log_q.numpy(), ours.log_q, atol=tolerance)
    np.testing.assert_allclose(theirs.kl.numpy(), ours.kl, atol=tolerance)


@pytest.mark.parametrize(
    ("log_m", "reward", "beta", "error", "text"),
    [
        (np.log([0.5, 0.4]), np.zeros(2), 1.0, DistributionError, "sum to 0.9"),
        (np.log([0.5, 0.5]), np.array([0.0, np.nan]), 1.0, DistributionError, "NaN or"),
        (np.log([0.5, 0.5]), np.zeros(3), 1.0, ShapeError, r"reward \(3,\)"),
        (np.log([0.5, 0.5]), np.zeros(2), np.inf, SettingsError, "beta = inf"),
        (np.log([0.5, 0.5]), np.array([0.0, -np.inf]), -1.0, SettingsError, "forbidding needs"),
        (np.array([0.0, -np.inf]), np.array([-np.inf, 0.0]), 1.0, DistributionError, "no law"),
    ],
)
def test_bad_input_is_named(log_m, reward, beta, error, text):
    with pytest.raises(error, match=text):
        tilt(log_m, reward, beta)


@pytest.mark.parametrize("convert", [np.asarray, torch.tensor], ids=["numpy", "torch"])
def test_an_exponent_beyond_the_dtype_is_refused(convert):
    log_m = convert(np.log([0.5, 0.5]))
    with pytest.raises(DistributionError, match=r"beta = 100 times .*1e\+308 overflows"):
        tilt(log_m, convert(np.array([1e308, 0.0])), 100.0)
