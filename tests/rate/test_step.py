import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.rate import penalised_step
from strategies import log_laws

from flowgauge.errors import DistributionError, SettingsError, ShapeError
from flowgauge.rate import rate_distortion_step, rate_distortion_sweep


def log_softmax(logits):
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def vocabulary(rng, rows=2, vocab=30_000, dtype=np.float64):
    """Two laws like a language model's: heavy-tailed, close, over more tokens than symbols."""
    logits = 3.0 * rng.standard_normal((rows, vocab))
    log_p = log_softmax(1.2 * logits + rng.standard_normal((rows, vocab)))
    return log_p.astype(dtype), log_softmax(logits).astype(dtype)


def divergence(log_p, log_q):
    p = np.exp(log_p)
    return (p * np.where(p > 0, log_p - log_q, 0.0)).sum(axis=-1)


@pytest.mark.parametrize("multiplier", [0.05, 0.7, 4.0, 50.0])
def test_agrees_with_a_convex_solver(multiplier):
    rng = np.random.default_rng(0)
    for size in (2, 5, 9):
        p, m = rng.dirichlet(np.ones(size)), rng.dirichlet(np.ones(size))
        step = rate_distortion_step(np.log(p), np.log(m), multiplier)
        q, value = penalised_step(p, m, multiplier)
        ours = float(step.rate + multiplier * step.distortion)
        assert abs(ours - value) < 1e-8
        assert ours <= value + 1e-12
        # the objective is flat at its minimum: an error ε in it allows √ε in q
        np.testing.assert_allclose(np.exp(step.log_q), q, atol=1e-4)


def test_rate_distortion_and_law_belong_together():
    log_p, log_m = vocabulary(np.random.default_rng(1))
    step = rate_distortion_step(log_p, log_m, 0.8)
    np.testing.assert_allclose(np.exp(step.log_q).sum(axis=-1), 1.0, atol=1e-13)
    np.testing.assert_allclose(step.rate, divergence(step.log_q, log_m), atol=1e-12)
    np.testing.assert_allclose(step.distortion, divergence(log_p, step.log_q), atol=1e-12)
    assert np.abs(step.gap).max() < 1e-12
    assert step.converged.all()


@settings(derandomize=True, deadline=None, max_examples=200)
@given(log_laws(6), log_laws(6, zeros=False), st.floats(1e-3, 1e3))
def test_certificate_holds_for_any_laws(log_p, log_m, multiplier):
    step = rate_distortion_step(log_p, log_m, multiplier)
    assert step.converged
    np.testing.assert_allclose(np.exp(step.log_q).sum(), 1.0, atol=1e-12)
    # round-off of the certificate grows with the multiplier
    assert 0 <= step.gap <= 1e-11 * (1 + multiplier)
    # no other law may beat it: the two references are candidates
    best = step.rate + multiplier * step.distortion
    assert best <= multiplier * divergence(log_p, log_m) + 1e-10 * (1 + multiplier)
    assert best <= divergence(log_p, log_m) + 1e-10 * (1 + multiplier)


def test_slope_of_the_curve_is_minus_lambda():
    log_p, log_m = vocabulary(np.random.default_rng(2))
    lam, h = 1.3, 1e-4
    sweep = rate_distortion_sweep(log_p, log_m, [lam * (1 - h), lam * (1 + h)])
    slope = (sweep.rate[1] - sweep.rate[0]) / (sweep.distortion[1] - sweep.distortion[0])
    # central difference in λ: relative error of order h²
    np.testing.assert_allclose(slope, -lam, rtol=1e-6)


def test_curve_is_convex_and_falls():
    log_p, log_m = vocabulary(np.random.default_rng(3), rows=1, vocab=400)
    sweep = rate_distortion_sweep(log_p, log_m, np.geomspace(1e-3, 1e3, 60))
    rate, distortion = sweep.rate[:, 0], sweep.distortion[:, 0]
    assert (np.diff(rate) > 0).all()
    assert (np.diff(distortion) < 0).all()
    slopes = np.diff(rate) / np.diff(distortion)
    assert (np.diff(slopes) < 0).all()


def test_ends_are_the_two_laws():
    log_p, log_m = vocabulary(np.random.default_rng(4), rows=1)
    near_m, near_p = (rate_distortion_step(log_p, log_m, lam) for lam in (1e-9, 1e9))
    np.testing.assert_allclose(near_m.log_q, log_m, atol=1e-6)
    np.testing.assert_allclose(near_p.log_q, log_p, atol=1e-6)
    np.testing.assert_allclose(near_p.rate, divergence(log_p, log_m), atol=1e-6)


def test_zero_probabilities_of_p_keep_a_share_of_m():
    """Where p = 0 the law is m e^−ν, the same factor for all such tokens."""
    for vocab in (6, 5000):
        rng = np.random.default_rng(5)
        log_p, log_m = vocabulary(rng, rows=1, vocab=vocab)
        log_p[:, :3] = -np.inf
        log_p = log_softmax(log_p)
        for lam in (0.01, 1.0, 200.0):
            step = rate_distortion_step(log_p, log_m, lam)
            share = (step.log_q - log_m)[0, :3]
            np.testing.assert_allclose(share, float((step.rate - lam)[0]), atol=1e-10 * (1 + lam))
            np.testing.assert_allclose(step.distortion, divergence(log_p, step.log_q), atol=1e-11)


def test_tokens_outside_both_laws_stay_outside():
    log_p = log_softmax(np.array([0.0, 1.0, -np.inf]))
    log_m = log_softmax(np.array([1.0, 0.0, -np.inf]))
    step = rate_distortion_step(log_p, log_m, 1.0)
    assert step.log_q[2] == -np.inf
    two = rate_distortion_step(log_p[:2], log_m[:2], 1.0)
    np.testing.assert_allclose(step.log_q[:2], two.log_q, atol=1e-14)


def test_merged_alphabet_gives_the_answer_of_the_full_one(monkeypatch):
    """A vocabulary above the symbol limit, solved merged and solved token by token."""
    log_p, log_m = vocabulary(np.random.default_rng(6), vocab=5000)
    merged = rate_distortion_step(log_p, log_m, np.array([0.2, 20.0]))
    monkeypatch.setattr("flowgauge.rate.blocks.SYMBOLS", 10_000)
    full = rate_distortion_step(log_p, log_m, np.array([0.2, 20.0]))
    np.testing.assert_allclose(merged.log_q, full.log_q, atol=1e-12)
    np.testing.assert_allclose(merged.rate, full.rate, atol=1e-13)


def test_extreme_spread_of_log_ratios():
    """Symbols 0.5 nats wide and more need the correction steps."""
    rng = np.random.default_rng(7)
    log_p = log_softmax(rng.uniform(-600, 0, (1, 4000)))
    log_m = log_softmax(rng.uniform(-600, 0, (1, 4000)))
    step = rate_distortion_step(log_p, log_m, 2.0)
    assert step.converged.all()
    # ω reaches hundreds here and carries round-off of |r| ≤ 600: 600 · 2e-16 · 300
    assert np.abs(step.gap).max() < 1e-10


def test_near_one_hot_laws_do_not_overflow():
    """Logits of a very low temperature: log-probabilities down to −40,000."""
    rng = np.random.default_rng(12)
    for dtype in (np.float32, np.float64):
        log_p, log_m = (
            log_softmax(rng.uniform(-scale, 0, (1, 5000))).astype(dtype) for scale in (4e4, 40)
        )
        step = rate_distortion_step(log_p, log_m, 3.0)
        assert step.converged.all()
        assert np.isfinite(step.log_q).all()
        parts = (log_softmax(law[:, :1500]) for law in (log_p, log_m))
        short = rate_distortion_step(*parts, 3.0)
        assert short.converged.all()


@pytest.mark.parametrize("multiplier", [1e-3, 0.5, 20.0, 1e4])
def test_float32_agrees_with_float64(multiplier):
    log_p, log_m = vocabulary(np.random.default_rng(8))
    double = rate_distortion_step(log_p, log_m, multiplier)
    single = rate_distortion_step(log_p.astype(np.float32), log_m.astype(np.float32), multiplier)
    assert single.log_q.dtype == np.float32
    # log-probabilities near −20 carry 1e-6 of float32 round-off into r
    np.testing.assert_allclose(single.log_q, double.log_q, atol=1e-5)
    np.testing.assert_allclose(single.rate, double.rate, atol=1e-6)
    np.testing.assert_allclose(single.distortion, double.distortion, atol=1e-6)
    assert (single.gap <= 2e-6 * (1 + multiplier)).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_torch_agrees_with_numpy(dtype):
    log_p, log_m = vocabulary(np.random.default_rng(9), dtype=dtype)
    ours = rate_distortion_step(log_p, log_m, 0.6)
    theirs = rate_distortion_step(torch.tensor(log_p), torch.tensor(log_m), 0.6)
    assert isinstance(theirs.log_q, torch.Tensor)
    # the same formulas; torch's exp and log differ by an ulp of the dtype
    tolerance = 1e-5 if dtype == np.float32 else 1e-12
    np.testing.assert_allclose(theirs.log_q.numpy(), ours.log_q, atol=tolerance)
    np.testing.assert_allclose(theirs.rate.numpy(), ours.rate, atol=tolerance)


def test_vocabulary_of_262144_in_float32_torch():
    generator = torch.Generator().manual_seed(0)
    logits = 4.0 * torch.randn(1, 262_144, generator=generator)
    log_m = torch.log_softmax(logits, -1)
    log_p = torch.log_softmax(1.5 * logits + torch.randn(1, 262_144, generator=generator), -1)
    step = rate_distortion_step(log_p, log_m, torch.tensor([[0.1], [10.0]]))
    assert step.log_q.shape == (2, 1, 262_144)
    mass = step.log_q.double().exp().sum(-1)
    # Σ over 262,144 float32 exponentials
    assert (mass - 1.0).abs().max() < 1e-5
    assert step.converged.all()
    double = rate_distortion_step(
        torch.log_softmax(log_p.double(), -1),
        torch.log_softmax(log_m.double(), -1),
        torch.tensor([[0.1], [10.0]]),
    )
    assert (step.rate - double.rate).abs().max() < 2e-6
    assert (step.distortion - double.distortion).abs().max() < 2e-6


def test_batch_shapes_and_sweeps():
    log_p, log_m = vocabulary(np.random.default_rng(10), rows=6, vocab=40)
    log_p = log_p.reshape(2, 3, 40)
    many = rate_distortion_step(log_p, log_m[0], np.array([0.5, 2.0])[:, None, None])
    assert many.log_q.shape == (2, 2, 3, 40)
    assert many.rate.shape == (2, 2, 3)
    alone = rate_distortion_step(log_p[1, 2], log_m[0], 2.0)
    np.testing.assert_allclose(many.log_q[1, 1, 2], alone.log_q, atol=1e-13)
    assert alone.rate.shape == ()
    sweep = rate_distortion_sweep(log_p, log_m[0], [0.5, 2.0])
    np.testing.assert_allclose(sweep.rate, many.rate, atol=1e-14)


@pytest.mark.parametrize(
    ("log_p", "log_m", "multiplier", "error", "text"),
    [
        (np.log([0.5, 0.4]), np.log([0.5, 0.5]), 1.0, DistributionError, "sum to 0.9"),
        (np.log([0.5, 0.5]), np.log([0.5, 0.501]), 1.0, DistributionError, "log_m.*1.001"),
        (np.array([4000.0, 0.0]), np.log([0.5, 0.5]), 1.0, DistributionError, "log_p: the prob"),
        (np.array([np.nan, -1.0]), np.log([0.5, 0.5]), 1.0, DistributionError, "NaN"),
        (np.log([0.5, 0.5]), np.array([0.0, -np.inf]), 1.0, DistributionError, "token 1 of row 0"),
        (np.log([0.5, 0.5]), np.log([0.2, 0.3, 0.5]), 1.0, ShapeError, r"\(2,\), log_m \(3,\)"),
        (np.log([0.5, 0.5]), np.log([0.5, 0.5]), 0.0, SettingsError, "positive and finite"),
        (np.log([0.5, 0.5]), np.log([0.5, 0.5]), np.nan, SettingsError, "multiplier = nan"),
        (np.log([0.5, 0.5]), np.log([0.5, 0.5]).astype(np.float32), 1.0, ShapeError, "dtype"),
        ([0.5, 0.5], [0.5, 0.5], 1.0, ShapeError, "log_p is list"),
        (np.log(np.full((2, 2), 0.5)), np.log([0.5, 0.5]), np.ones(3), ShapeError, "broadcast"),
    ],
)
def test_bad_input_is_named(log_p, log_m, multiplier, error, text):
    with pytest.raises(error, match=text):
        rate_distortion_step(log_p, log_m, multiplier)


def test_half_precision_is_refused():
    law = torch.log(torch.tensor([0.5, 0.5])).bfloat16()
    with pytest.raises(ShapeError, match=r"bfloat16: both must be float32 or both float64"):
        rate_distortion_step(law, law, 1.0)


def test_long_sweeps_are_solved_in_pieces(monkeypatch):
    log_p, log_m = vocabulary(np.random.default_rng(11), rows=2, vocab=300)
    multipliers = np.geomspace(0.1, 10, 7)
    once = rate_distortion_sweep(log_p, log_m, multipliers)
    monkeypatch.setattr("flowgauge.rate.step.SYMBOL_ELEMENTS", 2 * 600)
    again = rate_distortion_sweep(log_p, log_m, multipliers)
    np.testing.assert_allclose(again.rate, once.rate, atol=1e-13)


def test_sweep_wants_a_list():
    law = np.log([0.5, 0.5])
    with pytest.raises(ShapeError, match="a list"):
        rate_distortion_sweep(law, law, 1.0)
