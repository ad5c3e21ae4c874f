import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.architectures import (
    assert_forms_agree,
    assert_gradcheck,
    assert_gradients_agree,
    drawn,
    error,
    filled,
    gradients,
    largest_tensor,
    linear_attention_loops,
)
from torch.nn.functional import elu

from flowgauge.architectures import LinearAttention, LinearAttentionConfig
from flowgauge.architectures.linear_attention import feature_map
from flowgauge.errors import SettingsError, ShapeError


@st.composite
def configs(draw):
    heads = draw(st.integers(1, 3))
    width = heads * draw(st.integers(1, 3))
    return LinearAttentionConfig(width=width, heads=heads, chunk=draw(st.integers(1, 70)))


@given(configs(), st.integers(1, 200), st.integers(1, 3), st.booleans())
@settings(derandomize=True, deadline=None, max_examples=40)
def test_parallel_is_recurrent_is_explicit(config, time, batch, single):
    dtype, tolerance = (torch.float32, 1e-5) if single else (torch.float64, 1e-10)
    member = filled(LinearAttention(config), seed=time, dtype=dtype, scale=2.0)
    with torch.no_grad():
        assert_forms_agree(member, drawn(batch, time, config.width, dtype=dtype), tolerance)


@given(configs(), st.integers(1, 24))
@settings(derandomize=True, deadline=None, max_examples=25)
def test_agrees_with_loops_and_coefficients(config, time):
    member, u = filled(LinearAttention(config), seed=1, scale=2.0), drawn(2, time, config.width)
    with torch.no_grad():
        assert_forms_agree(member, u, 1e-10)
        if time <= 12:
            pi, x = linear_attention_loops(member, u)
            np.testing.assert_allclose(member.weights(u), pi, atol=1e-12)
            # 1e-12 of the largest: short sums of positive weights in float64.
            assert error(member(u), torch.from_numpy(x)) <= 1e-12


def test_weights_are_positive_and_sum_to_one():
    member, u = filled(LinearAttention(LinearAttentionConfig(width=6, heads=2))), drawn(2, 9, 6)
    weights = member.weights(u)
    assert (weights[:, :, torch.ones(9, 9).tril().bool()] > 0).all()
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 2, 9).double(), rtol=0, atol=1e-14)


def test_gradients_are_those_of_finite_differences_and_of_the_steps():
    member = filled(LinearAttention(LinearAttentionConfig(width=6, heads=2, chunk=4)))
    assert_gradcheck(member, drawn(2, 10, 6))
    # 1e-12: the same sums in another order, float64.
    assert_gradients_agree(member, drawn(2, 17, 6), 1e-12)


def test_the_chunk_changes_nothing_and_the_state_does_not_grow():
    u = drawn(2, 100, 6)
    one, other = (
        filled(LinearAttention(LinearAttentionConfig(width=6, heads=2, chunk=chunk)))
        for chunk in (7, 100)
    )
    assert error(one(u), other(u)) <= 1e-13
    state = one.initial_state(2)
    for i in range(100):
        state, _ = one.step(state, u[:, i])
        assert [part.shape for part in state] == [(2, 2, 3, 4)]
    kept = state[0].clone()
    one.step(state, u[:, 0])
    assert torch.equal(state[0], kept)


def test_no_intermediate_grows_with_the_square_of_time():
    member = LinearAttention(LinearAttentionConfig(width=4, heads=1, chunk=8)).double()
    u = drawn(1, 1024, 4)
    # scores of blocks: 1024 · 8; the whole square would be 1024²
    assert largest_tensor(lambda: member(u)) == 1024 * 8


def test_feature_map_is_elu_plus_one_and_keeps_small_digits():
    x = torch.linspace(-8, 8, 101, dtype=torch.float64)
    torch.testing.assert_close(feature_map(x), elu(x) + 1, rtol=1e-12, atol=0)
    low = torch.tensor([-30.0])
    assert (elu(low) + 1).item() == 0.0  # what the map is written to avoid
    assert feature_map(low).item() == pytest.approx(np.exp(-30.0), rel=1e-6)
    at_zero = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.grad(feature_map(at_zero), at_zero)[0].item() == 1.0


def test_products_that_underflow_are_nothing_not_nan():
    member = LinearAttention(LinearAttentionConfig(width=1, heads=1))
    with torch.no_grad():
        for parameter in member.parameters():
            parameter.fill_(1.0)
    u = torch.full((1, 3, 1), -100.0)
    u.requires_grad_()
    x = member(u)
    assert x.flatten().tolist() == [0.0] * 3
    assert all(g.isfinite().all() for g in gradients(x.sum(), member, u).values())
    assert member.weights(u).isfinite().all()


def test_bad_settings_are_refused_in_words():
    with pytest.raises(SettingsError, match="width = 10 is no multiple of heads = 4; choose"):
        LinearAttentionConfig(width=10, heads=4)
    with pytest.raises(SettingsError, match=r"chunk=0\): every size must be at least 1"):
        LinearAttentionConfig(width=8, heads=4, chunk=0)
    member = LinearAttention(LinearAttentionConfig(width=8, heads=4))
    for form in (member.parallel, member.weights, member.coefficients):
        with pytest.raises(ShapeError, match=r"u has shape \(1, 3, 7\); \(batch, time, 8\)"):
            form(torch.zeros(1, 3, 7))
