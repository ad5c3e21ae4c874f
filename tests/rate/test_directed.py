import numpy as np
import pytest
from oracles.rate import curve as curve_by_slsqp
from oracles.rate import kl

from flowgauge.errors import DistributionError, ShapeError
from flowgauge.rate import directed_rate_distortion, rate_distortion_curve
from flowgauge.rate.alternate import AlternationSettings
from flowgauge.rate.directed import per_token_laws


def world(seed, sources=3, vocab=2, steps=3):
    rng = np.random.default_rng(seed)
    table = np.ones((sources, 1))
    for _ in range(steps):
        laws = rng.dirichlet(np.full(vocab, 0.6), size=table.shape)
        table = (table[:, :, None] * laws).reshape(sources, -1)
    return table.reshape((sources,) + (vocab,) * steps), rng.dirichlet(np.ones(sources))


def test_exact_curve_is_that_of_sequences_as_symbols():
    p, weights = world(0)
    targets = [0.01, 0.1]
    result = directed_rate_distortion(p, weights, targets)
    flat = rate_distortion_curve(p.reshape(3, -1), weights, targets)
    np.testing.assert_allclose(result.rate, flat.rate, atol=1e-14)


def test_exact_curve_agrees_with_a_convex_solver():
    p, weights = world(1, sources=2, steps=2)
    result = directed_rate_distortion(p, weights, [0.05])
    _, value = curve_by_slsqp(p.reshape(2, -1), weights, 0.05)
    assert abs(result.rate[0] - value) < 1e-6


def test_per_token_solution_is_an_upper_bound_at_the_same_distortion():
    for seed in range(4):
        p, weights = world(seed)
        flat = p.reshape(3, -1)
        whole = sum(w * kl(law, weights @ flat) for w, law in zip(weights, flat, strict=True))
        result = directed_rate_distortion(p, weights, whole * np.array([0.05, 0.4, 0.8]))
        np.testing.assert_allclose(result.per_token_distortion, result.distortion, atol=2e-9)
        # the certificate and the tolerance on D allow this much
        slack = result.gap + 2e-9 * result.multiplier
        assert (result.per_token_excess >= -slack).all()
        # deciding one token at a time costs something where the future tells sources apart
        assert result.per_token_excess.max() > 1e-5
        assert result.per_token_excess.max() < 0.1 * whole


def test_one_token_leaves_no_gap():
    p, weights = world(5, vocab=4, steps=1)
    result = directed_rate_distortion(p, weights, [0.05, 0.2])
    # both are the same problem; each stops within its certificate
    np.testing.assert_allclose(result.per_token_excess, 0.0, atol=1e-7)


def test_per_token_laws_are_laws():
    p, weights = world(6)
    log_q = per_token_laws(p, weights, 2.0, AlternationSettings())
    np.testing.assert_allclose(np.exp(log_q).reshape(3, -1).sum(axis=1), 1.0, atol=1e-12)


def test_a_source_that_excludes_a_prefix_follows_the_mixture():
    p = np.array([[[0.5, 0.5], [0.0, 0.0]], [[0.25, 0.25], [0.1, 0.4]]])
    result = directed_rate_distortion(p, [0.5, 0.5], [0.05])
    assert result.converged.all()
    assert np.isfinite(result.per_token_rate).all()


def test_ends_need_no_search():
    p, weights = world(7)
    result = directed_rate_distortion(p, weights, [0.0, 50.0])
    np.testing.assert_allclose(result.per_token_rate, result.rate, atol=1e-14)
    assert result.per_token_rate[1] == 0.0


def test_bad_input_is_named():
    p, weights = world(8)
    with pytest.raises(DistributionError, match=r"p sums to 0\.5 at row 0"):
        directed_rate_distortion(0.5 * p, weights, [0.1])
    with pytest.raises(ShapeError, match=r"\(source, u_1, …, u_N\)"):
        directed_rate_distortion([0.5, 0.5], [1.0], [0.1])
