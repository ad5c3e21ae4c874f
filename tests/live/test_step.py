"""Meter against plain sums over lists; the steps of a text against `flow`."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import live as oracle
from strategies import log_laws

from flowgauge.errors import DistributionError, ShapeError
from flowgauge.flow import flow
from flowgauge.live.step import Meter, flow_of

NAMES = ("log_p", "log_q", "density", "drift", "variance", "entropy_p", "entropy_q", "log_moments")


def rows(seed, time=5, vocab=7):
    rng = np.random.default_rng(seed)
    logits = rng.normal(scale=3, size=(2, time, vocab))
    return logits[0], logits[1], rng.integers(vocab, size=time)


def probabilities(row):
    weights = np.exp(np.asarray(row) - np.max(row))
    return (weights / weights.sum()).tolist()


@given(log_laws(5), log_laws(5), st.integers(0, 4))
@settings(derandomize=True, deadline=None)
def test_every_number_is_its_plain_sum(log_p, log_q, token):
    if log_p[token] == log_q[token] == -np.inf:
        return
    step = Meter().read(log_p, log_q, token)
    # Probabilities of e^−60 and more: logarithms of the exponentials keep 1e-14 of 60.
    wanted = oracle.columns(np.exp(log_p), np.exp(log_q), token)
    for name in NAMES:
        # 1e-9: the oracle's sums of terms up to 60² lose digits where they cancel.
        np.testing.assert_allclose(
            getattr(step, name), wanted[name], rtol=1e-9, atol=1e-9, err_msg=name
        )
    assert not any(np.isnan(getattr(step, name)).any() for name in NAMES)
    assert step.drift >= 0


@pytest.mark.parametrize(
    "convert",
    [
        lambda x: x,
        lambda x: x.tolist(),
        torch.from_numpy,
        lambda x: torch.from_numpy(x).requires_grad_(),
    ],
)
def test_any_array_and_any_logits_give_the_same_steps(convert):
    p, q, tokens = rows(0)
    meter, shifted = Meter(), Meter()
    for j, token in enumerate(tokens):
        wanted = oracle.columns(probabilities(p[j]), probabilities(q[j]), token)
        step = meter.read(convert(p[j]), convert(q[j]), token)
        other = shifted.read(p[j] + 1000.0, q[j] - 1000.0, int(token))
        for name in NAMES:
            # 1e-12: sums of seven terms of size 10; a shift of the logits costs 1e-13.
            np.testing.assert_allclose(getattr(step, name), wanted[name], rtol=1e-12, atol=1e-12)
            np.testing.assert_allclose(
                getattr(step, name), getattr(other, name), rtol=1e-11, atol=1e-11
            )


def test_half_precision_is_read_in_double():
    p, q, _ = rows(1)
    half_p, half_q = (torch.from_numpy(x[0]).to(torch.bfloat16) for x in (p, q))
    step = Meter().read(half_p, half_q, 2)
    wanted = oracle.columns(
        probabilities(half_p.double().numpy()), probabilities(half_q.double().numpy()), 2
    )
    assert step.density == pytest.approx(wanted["density"], abs=1e-13)


def test_sums_run_over_the_text():
    p, q, tokens = rows(2)
    meter = Meter()
    steps = [meter.read(p[j], q[j], t, text=f"<{t}>") for j, t in enumerate(tokens)]
    assert [s.position for s in steps] == [0, 1, 2, 3, 4]
    assert [s.token for s in steps] == tokens.tolist()
    assert all(type(s.token) is int for s in steps)
    assert [s.text for s in steps] == [f"<{t}>" for t in tokens]
    np.testing.assert_array_equal([s.flow for s in steps], np.cumsum([s.density for s in steps]))
    np.testing.assert_array_equal(
        [s.compensator for s in steps], np.cumsum([s.drift for s in steps])
    )


def test_flow_of_steps_is_the_flow_of_their_columns():
    p, q, tokens = rows(3)
    meter = Meter(orders=(-1.0, 0.5))
    steps = [meter.read(*x) for x in zip(p, q, tokens, strict=True)]
    wanted = flow(
        [s.log_p for s in steps],
        [s.log_q for s in steps],
        [s.drift for s in steps],
        [s.variance for s in steps],
        log_moments=[s.log_moments for s in steps],
        orders=[-1.0, 0.5],
    )
    found = flow_of(iter(steps))
    for name in ("density", "flow", "compensator", "martingale", "variance", "log_moments"):
        np.testing.assert_array_equal(getattr(found, name), getattr(wanted, name))
    assert found.residual == wanted.residual
    np.testing.assert_array_equal(found.flow, [s.flow for s in steps])
    assert found.log_moments.shape == (5, 2)
    empty = flow_of([])
    assert (empty.flow.shape, empty.log_moments.shape) == ((0,), (0, 8))


def test_tokens_that_cannot_come():
    first, second, both = [0.0, -np.inf], [-np.inf, 0.0], [0.0, 0.0]
    # Q excludes what P is certain of: drift and variance are infinite, never NaN.
    apart = Meter().read(first, second, 0)
    assert (apart.density, apart.drift, apart.variance) == (np.inf, np.inf, np.inf)
    assert apart.entropy_p == apart.entropy_q == 0.0
    np.testing.assert_array_equal(apart.log_moments, [-np.inf] * 4 + [np.inf] * 4)
    # A token that P excludes.
    gone = Meter().read(first, both, 1)
    assert gone.density == -np.inf
    assert gone.drift == pytest.approx(np.log(2), abs=1e-15)
    assert gone.variance == 0.0


def test_a_flow_of_minus_infinity_stays_there():
    meter = Meter()
    top, both, other = [0.0, -np.inf], [0.0, 0.0], [-np.inf, 0.0]
    steps = [meter.read(*x) for x in ((both, top, 1), (top, both, 1), (both, top, 1))]
    assert [s.density for s in steps] == [np.inf, -np.inf, np.inf]
    assert [s.flow for s in steps] == [np.inf, -np.inf, -np.inf]
    assert meter.read(other, other, 1).flow == -np.inf
    with pytest.raises(DistributionError, match="∞ − ∞"):
        flow_of(steps)


def test_bad_rows_are_refused():
    meter, row = Meter(), [0.0, 0.0]
    with pytest.raises(ShapeError, match=r"log_p_row has the shape \(1, 2\); one row \(vocab,\)"):
        meter.read([row], row, 0)
    with pytest.raises(ShapeError, match=r"log_q_row has the shape \(0,\)"):
        meter.read(row, [], 0)
    with pytest.raises(ShapeError, match=r"log_p_row \(2,\), log_q_row \(3,\) and token 0 came"):
        meter.read(row, [0.0, 0.0, 0.0], 0)
    for token in (2, -1):
        with pytest.raises(ShapeError, match=f"token {token} came; two rows"):
            meter.read(row, row, token)
    for bad, shown in (([np.nan, 0.0], "nan"), ([np.inf, 0.0], "inf"), ([-np.inf] * 2, "-inf")):
        with pytest.raises(DistributionError, match=f"largest entry of log_q_row is {shown}; a fi"):
            meter.read(row, bad, 0)
        with pytest.raises(DistributionError, match=f"largest entry of log_p_row is {shown}; a fi"):
            meter.read(torch.tensor(bad), row, 0)
    with pytest.raises(DistributionError, match="token 1 at position 0 has probability 0 under bo"):
        meter.read([0.0, -np.inf], [0.0, -np.inf], 1)
    # Nothing that was refused has moved the sums.
    step = meter.read(np.log([0.9, 0.1]), row, 0)
    assert (step.position, step.flow, step.compensator) == (0, step.density, step.drift)
