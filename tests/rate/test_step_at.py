import numpy as np
import pytest
import torch
from oracles.rate import step as step_by_slsqp
from rate.test_step import divergence, log_softmax, vocabulary

from flowgauge.errors import ShapeError, UnreachableError
from flowgauge.rate import rate_distortion_at


@pytest.mark.parametrize("share", [0.02, 0.3, 0.8])
def test_agrees_with_a_convex_solver(share):
    rng = np.random.default_rng(0)
    for size in (2, 4, 8):
        p, m = rng.dirichlet(np.ones(size)), rng.dirichlet(np.ones(size))
        target = share * float(divergence(np.log(p), np.log(m)))
        step = rate_distortion_at(np.log(p), np.log(m), target)
        _, value = step_by_slsqp(p, m, target)
        assert abs(float(step.rate) - value) < 1e-6
        assert abs(float(step.distortion) - target) < 1e-12


@pytest.mark.parametrize("vocab", [12, 20_000])
def test_meets_the_target_and_certifies_it(vocab):
    log_p, log_m = vocabulary(np.random.default_rng(1), rows=3, vocab=vocab)
    whole = divergence(log_p, log_m)
    target = whole * np.array([1e-4, 0.4, 0.99])
    step = rate_distortion_at(log_p, log_m, target)
    assert step.converged.all()
    np.testing.assert_allclose(step.distortion, target, atol=1e-9)
    np.testing.assert_allclose(divergence(log_p, step.log_q), target, atol=1e-9)
    np.testing.assert_allclose(divergence(step.log_q, log_m), step.rate, atol=1e-11)
    assert np.abs(step.gap).max() < 1e-10


def test_zero_distortion_is_p_and_a_large_one_is_m():
    log_p, log_m = vocabulary(np.random.default_rng(2), rows=3, vocab=50)
    log_p[:, 0] = -np.inf
    log_p = log_softmax(log_p)
    whole = divergence(log_p, log_m)
    step = rate_distortion_at(log_p, log_m, np.array([0.0, 99.0, 0.1]))
    np.testing.assert_allclose(step.log_q[0], log_p[0], atol=1e-14)
    np.testing.assert_allclose(step.log_q[1], log_m[1], atol=1e-14)
    assert (step.multiplier[0], step.multiplier[1]) == (np.inf, 0.0)
    assert (step.rate[1], step.distortion[0]) == (0.0, 0.0)
    np.testing.assert_allclose([step.rate[0], step.distortion[1]], whole[:2], atol=1e-13)
    np.testing.assert_allclose(step.distortion[2], 0.1, atol=1e-9)
    assert step.converged.all()


def test_equal_laws_need_no_rate():
    law = np.log([0.3, 0.7])
    step = rate_distortion_at(law, law, 0.1)
    assert step.rate == 0.0
    np.testing.assert_allclose(step.log_q, law, atol=1e-15)


def test_float32_torch_meets_the_target():
    log_p, log_m = vocabulary(np.random.default_rng(3), vocab=20_000)
    exact = rate_distortion_at(log_p, log_m, 0.2)
    step = rate_distortion_at(torch.tensor(log_p).float(), torch.tensor(log_m).float(), 0.2)
    assert step.converged.all()
    # float32 sums over 20,000 tokens
    np.testing.assert_allclose(step.distortion.numpy(), 0.2, atol=1e-6)
    np.testing.assert_allclose(step.rate.numpy(), exact.rate, atol=2e-6)


@pytest.mark.parametrize("distortion", [-0.1, np.nan, np.inf])
def test_unreachable_distortions_are_named(distortion):
    law = np.log([0.5, 0.5])
    with pytest.raises(UnreachableError, match=f"distortion = {distortion}"):
        rate_distortion_at(law, law, distortion)


def test_one_target_per_row():
    law = np.log(np.full((2, 2), 0.5))
    with pytest.raises(ShapeError, match="one per row"):
        rate_distortion_at(law, law, [0.1, 0.2, 0.3])
