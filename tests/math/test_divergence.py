import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import math as oracle
from strategies import log_laws

from flowgauge.errors import DistributionError, SettingsError, ShapeError
from flowgauge.math import kl_divergence, log_moment, relative_varentropy, renyi_divergence

hypothesis_settings = settings(derandomize=True, deadline=None, max_examples=60)
HALF = np.log([0.5, 0.5])
CERTAIN = np.array([0.0, -np.inf])


@given(log_laws(5), log_laws(5, zeros=False))
@hypothesis_settings
def test_divergence_and_variance_are_their_definitions(log_p, log_q):
    p, q = np.exp(log_p), np.exp(log_q)
    # Log ratios reach 60, their squares 3600: 1e-12 relative to those.
    assert kl_divergence(log_p, log_q) == pytest.approx(oracle.kl(p, q), rel=1e-12, abs=1e-12)
    assert relative_varentropy(log_p, log_q) == pytest.approx(
        oracle.log_ratio_variance(p, q), rel=1e-12, abs=1e-10
    )


@given(log_laws(5), log_laws(5), st.floats(0, 5))
@hypothesis_settings
def test_never_negative_never_nan_and_rising_in_the_order(log_p, log_q, order):
    kl = kl_divergence(log_p, log_q)
    low, high = renyi_divergence(log_p, log_q, order), renyi_divergence(log_p, log_q, order + 0.5)
    # −1e-12: laws normalised to 1e-15 leave that much, log terms reach 60.
    assert kl >= 0
    assert low >= -1e-12
    assert high >= low - 1e-12
    assert relative_varentropy(log_p, log_q) >= 0


def test_nearly_equal_laws_keep_their_digits():
    rng = np.random.default_rng(3)
    logits = rng.normal(size=50)
    for size in (1e-3, 1e-6, 1e-9):
        other = logits + size * rng.normal(size=50)
        log_p = logits - np.logaddexp.reduce(logits)
        log_q = other - np.logaddexp.reduce(other)
        expected = oracle.kl_in_many_digits(log_p, log_q)
        # The plain sum p log p/q is wrong in the first digit at 1e-9. What is left here is the
        # rounding of the logarithms themselves, 4e-16 against differences of `size`.
        assert kl_divergence(log_p, log_q) == pytest.approx(expected, rel=4e-15 / size + 1e-12)


def test_an_excluded_token_makes_the_divergence_infinite_not_nan():
    for order in (1.0, 1.5, np.inf):
        assert renyi_divergence(HALF, CERTAIN, order) == np.inf
    assert kl_divergence(HALF, CERTAIN) == np.inf
    assert relative_varentropy(HALF, CERTAIN) == np.inf
    assert kl_divergence(CERTAIN, HALF) == pytest.approx(np.log(2), abs=1e-15)
    assert kl_divergence(CERTAIN, CERTAIN) == 0.0
    assert renyi_divergence(HALF, CERTAIN, 0.5) == pytest.approx(np.log(2), abs=1e-15)
    assert kl_divergence(np.array([0.0, -800.0]), CERTAIN) == np.inf
    apart = np.array([-np.inf, 0.0])
    assert log_moment(CERTAIN, apart, [-1.0, 0.0, 1.0]).tolist() == [-np.inf, 0.0, np.inf]


@given(log_laws(4), log_laws(4, zeros=False), st.floats(-2, 2))
@hypothesis_settings
def test_log_moment_is_its_definition(log_p, log_q, order):
    expected = oracle.log_moment(np.exp(log_p), np.exp(log_q), order)
    assert log_moment(log_p, log_q, [order])[0] == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_log_moment_derivatives_are_drift_and_variance():
    log_p, log_q = np.log([0.2, 0.5, 0.3]), np.log([0.6, 0.3, 0.1])
    step = 1e-4
    low, zero, high = log_moment(log_p, log_q, [-step, 0.0, step])
    # Central differences: error of order step² times third and fourth cumulants, about 1.
    assert (high - low) / (2 * step) == pytest.approx(kl_divergence(log_p, log_q), abs=1e-7)
    assert (high - 2 * zero + low) / step**2 == pytest.approx(
        relative_varentropy(log_p, log_q), abs=1e-6
    )


def test_minus_one_is_the_plain_ratio():
    log_p, log_q = np.log([0.2, 0.5, 0.3]), np.log([0.6, 0.3, 0.1])
    assert log_moment(log_p, log_q, -1.0).shape == (1,)
    assert log_moment(log_p, log_q, -1.0)[0] == pytest.approx(0.0, abs=1e-15)
    # Q puts 0.1 where P has nothing: ψ(−1) = log 0.9.
    p = np.array([np.log(0.4), np.log(0.6), -np.inf])
    assert log_moment(p, log_q, -1.0)[0] == pytest.approx(np.log(0.9), abs=1e-15)


def test_renyi_special_orders():
    log_p, log_q = np.log([0.2, 0.5, 0.3]), np.log([0.6, 0.3, 0.1])
    assert renyi_divergence(log_p, log_q, np.inf) == pytest.approx(np.log(3), abs=1e-15)
    assert renyi_divergence(log_p, log_q, 0.0) == pytest.approx(0.0, abs=1e-15)
    kl = kl_divergence(log_p, log_q)
    for near in (1 - 1e-9, 1 + 1e-9):
        # Slope at 1 is half the variance, about 0.4; the rest is relative round-off.
        assert renyi_divergence(log_p, log_q, near) == pytest.approx(kl, abs=1e-9)


@given(log_laws(6, zeros=False), log_laws(6, zeros=False))
@hypothesis_settings
def test_data_processing(log_p, log_q):
    def merged(log_law):
        return np.logaddexp.reduce(log_law.reshape(3, 2), axis=1)

    assert kl_divergence(merged(log_p), merged(log_q)) <= kl_divergence(log_p, log_q) + 1e-12
    assert (
        renyi_divergence(merged(log_p), merged(log_q), 2.0)
        <= renyi_divergence(log_p, log_q, 2.0) + 1e-12
    )


@pytest.mark.parametrize(
    "function",
    [
        kl_divergence,
        relative_varentropy,
        lambda p, q: renyi_divergence(p, q, 0.7),
        lambda p, q: log_moment(p, q, [-1.0, -0.25, 0.5, 1.0]),
    ],
    ids=["kl", "variance", "renyi", "log_moment"],
)
def test_numpy_and_torch_agree_on_the_largest_vocabulary(function):
    rng = np.random.default_rng(5)
    laws = []
    for _ in range(2):
        logits = rng.normal(size=(2, 262_144)) * 3
        laws.append(logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True))
    laws[0][:, 7], laws[1][:, 7] = -np.inf, -np.inf
    found = function(*map(torch.tensor, laws)).numpy()
    # 1e-12: two summation orders over 262,144 terms.
    np.testing.assert_allclose(found, function(*laws), rtol=1e-12, atol=1e-12)
    assert np.isfinite(found).all()


def test_bad_input_is_refused_with_its_numbers():
    with pytest.raises(SettingsError, match=r"order = -1.*0 or more"):
        renyi_divergence(HALF, HALF, -1.0)
    with pytest.raises(SettingsError, match="order = nan"):
        renyi_divergence(HALF, HALF, float("nan"))
    with pytest.raises(SettingsError, match=r"orders = \[inf\]"):
        log_moment(HALF, HALF, [np.inf])
    with pytest.raises(SettingsError, match=r"orders = \[\]"):
        log_moment(HALF, HALF, [])
    with pytest.raises(DistributionError, match=r"log_q: the probabilities at row 0 sum to 0\.9"):
        kl_divergence(HALF, np.log([0.5, 0.4]))
    with pytest.raises(ShapeError, match=r"log_p \(2,\), log_q \(1,\)"):
        kl_divergence(HALF, np.array([0.0]))


def test_orders_may_be_a_tensor():
    found = log_moment(torch.tensor(HALF), torch.tensor(HALF), torch.tensor([0.5, 1.0]))
    assert found.shape == (2,)
