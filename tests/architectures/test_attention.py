import copy

import numpy as np
import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.architectures import (
    assert_forms_agree,
    assert_gradcheck,
    assert_gradients_agree,
    attention_loops,
    drawn,
    error,
    filled,
    gradients,
    largest_tensor,
)
from torch import nn
from transformers.models.llama import modeling_llama
from transformers.models.mistral import modeling_mistral

from flowgauge.architectures import Attention, AttentionConfig, Rotary
from flowgauge.errors import SettingsError, ShapeError


@st.composite
def configs(draw):
    kv_heads, group = draw(st.integers(1, 2)), draw(st.integers(1, 3))
    head_width = 2 * draw(st.integers(1, 3))
    return AttentionConfig(
        width=draw(st.integers(1, 9)),
        heads=kv_heads * group,
        kv_heads=kv_heads,
        head_width=head_width,
        window=draw(st.none() | st.integers(1, 30)),
        rotary=draw(st.none() | st.builds(Rotary, base=st.sampled_from([30.0, 1e4]))),
    )


@given(configs(), st.integers(1, 200), st.integers(1, 3), st.booleans())
@settings(derandomize=True, deadline=None, max_examples=40)
def test_parallel_is_recurrent_is_explicit(config, time, batch, single):
    dtype, tolerance = (torch.float32, 1e-5) if single else (torch.float64, 1e-10)
    member = filled(Attention(config), seed=time, dtype=dtype, scale=2.0)
    with torch.no_grad():
        assert_forms_agree(member, drawn(batch, time, config.width, dtype=dtype), tolerance)


@given(configs(), st.integers(1, 24))
@settings(derandomize=True, deadline=None, max_examples=25)
def test_short_inputs_agree_with_their_coefficients(config, time):
    member = filled(Attention(config), seed=time, scale=2.0)
    with torch.no_grad():
        assert_forms_agree(member, drawn(2, time, config.width), 1e-10)


@given(configs(), st.integers(1, 12))
@settings(derandomize=True, deadline=None, max_examples=25)
def test_agrees_with_loops(config, time):
    member, u = filled(Attention(config), seed=1, scale=2.0), drawn(2, time, config.width)
    pi, x = attention_loops(member, u)
    with torch.no_grad():
        np.testing.assert_allclose(member.weights(u), pi, atol=1e-12)
        # 1e-12 of the largest: sums of at most 12 · 6 products in float64.
        assert error(member(u), torch.from_numpy(x)) <= 1e-12


CONFIG = AttentionConfig(width=8, heads=4, kv_heads=2, window=5, rotary=Rotary(base=100.0))


@pytest.mark.parametrize("kv_heads", [1, 2, 4])
@pytest.mark.parametrize("rotary", [None, Rotary(base=20.0)])
def test_weights_are_the_softmax_of_the_bilinear_form(kv_heads, rotary):
    config = AttentionConfig(width=8, heads=4, kv_heads=kv_heads, rotary=rotary)
    member, u = filled(Attention(config), scale=2.0), drawn(1, 7, 8)
    for head in range(4):
        scores = torch.full((7, 7), -torch.inf, dtype=torch.float64)
        for i in range(7):
            for j in range(i + 1):
                b = member.bilinear(head, i - j)
                scores[i, j] = u[0, i] @ b @ u[0, j] / 2**0.5  # d = 2
                assert torch.linalg.matrix_rank(b) == 2
        found = member.weights(u)[0, head]
        torch.testing.assert_close(found, scores.softmax(-1), rtol=0, atol=1e-12)
    same = torch.equal(member.bilinear(0, 0), member.bilinear(0, 3))
    assert same is (rotary is None)


def test_gradients_are_those_of_finite_differences_and_of_the_steps():
    member = filled(Attention(CONFIG))
    assert_gradcheck(member, drawn(1, 8, 8))  # longer than the window: blocks
    assert_gradcheck(member, drawn(2, 3, 8))  # shorter: one causal square
    # 1e-12: the same sums in another order, float64.
    assert_gradients_agree(member, drawn(2, 17, 8), 1e-12)
    assert_gradients_agree(member, drawn(2, 4, 8), 1e-12)


def test_a_window_sees_its_last_positions_and_no_more():
    member, u = filled(Attention(CONFIG)), drawn(1, 23, 8)
    x = member(u)
    for changed in range(23):
        other = u.clone()
        other[0, changed] += 1.0
        differs = (member(other) - x).abs().amax(-1)[0] > 0
        assert differs.nonzero().flatten().tolist() == list(range(changed, min(changed + 5, 23)))


def test_a_window_bounds_the_state_and_a_prefix_can_be_continued_twice():
    member, u = filled(Attention(CONFIG)), drawn(2, 40, 8)
    state = member.initial_state(2)
    for i in range(40):
        state, _ = member.step(state, u[:, i])
        # What comes next sees itself and 4 keys before it.
        assert state[0].shape == state[1].shape == (2, 2, min(i + 1, 4), 2)
        assert state[0].untyped_storage().nbytes() <= 2 * 2 * 6 * 2 * 8
    first = member.step(state, u[:, 0])[1]
    member.step(state, u[:, 1])
    assert torch.equal(member.step(state, u[:, 0])[1], first)


def test_no_intermediate_of_a_windowed_attention_grows_with_the_square_of_time():
    member, u = filled(Attention(CONFIG)), drawn(1, 1000, 8)
    # scores: 4 heads, each position against its own and the previous block of 5
    assert largest_tensor(lambda: member(u)) == 4 * 1000 * 10


def test_state_has_the_dtype_of_the_weights():
    keys, values, places, following = Attention(CONFIG).to(torch.bfloat16).initial_state(3)
    assert keys.dtype == values.dtype == torch.bfloat16
    assert places.dtype == following.dtype == torch.int64
    assert keys.shape == values.shape == (3, 2, 0, 2)


@pytest.mark.parametrize(
    ("config_class", "module", "window"),
    [
        (transformers.LlamaConfig, modeling_llama.LlamaAttention, None),
        (transformers.MistralConfig, modeling_mistral.MistralAttention, 6),
    ],
)
def test_published_modules_agree_forward_and_backward(config_class, module, window):
    config = tiny(config_class, window)
    theirs = filled(module(config, layer_idx=0), dtype=torch.float32, scale=2.0)
    ours = Attention(matching(config, window)).float()
    ours.load_state_dict(theirs.state_dict())
    u = drawn(2, 20, 32, dtype=torch.float32).requires_grad_()
    embedding = modeling_llama.LlamaRotaryEmbedding(config)(u, torch.arange(20)[None])
    age = torch.arange(20)[:, None] - torch.arange(20)
    seen = (age >= 0) & (age < (window or 20))
    mask = torch.zeros(20, 20).masked_fill(~seen, -torch.inf)[None, None]
    found = theirs(u, position_embeddings=embedding, attention_mask=mask)[0]
    pull = drawn(2, 20, 32, seed=5, dtype=torch.float32)
    # 1e-4: float32 in another order, and their angles are float32.
    assert error(ours(u), found) <= 1e-4
    expected = gradients((found * pull).sum(), theirs, u)
    for name, gradient in gradients((ours(u) * pull).sum(), ours, u).items():
        assert error(gradient, expected[name]) <= 1e-4, name


class InPlace(nn.Module):
    """Our attention where a model of transformers calls its own."""

    def __init__(self, attention):
        super().__init__()
        self.ours = attention

    def forward(self, hidden_states, **_):
        return self.ours(hidden_states), None


@pytest.mark.parametrize(
    ("config_class", "model_class", "window"),
    [
        (transformers.LlamaConfig, transformers.LlamaForCausalLM, None),
        (transformers.MistralConfig, transformers.MistralForCausalLM, 6),
    ],
)
def test_whole_models_keep_their_logits_and_gradients(config_class, model_class, window):
    config = tiny(config_class, window)
    theirs = filled(model_class(config), dtype=torch.float32).eval()
    ours = copy.deepcopy(theirs)
    for layer in ours.model.layers:
        attention = Attention(matching(config, window)).float()
        attention.load_state_dict(layer.self_attn.state_dict())
        layer.self_attn = InPlace(attention)
    ids = torch.from_numpy(np.random.default_rng(0).integers(0, 64, (2, 30)))
    found, expected = ours(ids, labels=ids), theirs(ids, labels=ids)
    assert error(found.logits, expected.logits) <= 1e-4
    moved = gradients(found.loss, ours)
    for name, gradient in gradients(expected.loss, theirs).items():
        name = name.replace("self_attn", "self_attn.ours")
        assert error(moved[name], gradient) <= 1e-4, name


def tiny(config_class, window):
    sliding = {} if window is None else {"sliding_window": window}
    return config_class(
        vocab_size=64,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        rope_parameters={"rope_type": "default", "rope_theta": 700.0},
        attn_implementation="eager",
        **sliding,
    )


def matching(config, window):
    return AttentionConfig(
        width=config.hidden_size,
        heads=config.num_attention_heads,
        kv_heads=config.num_key_value_heads,
        head_width=config.head_dim,
        window=window,
        rotary=Rotary(base=config.rope_parameters["rope_theta"]),
    )


def test_bad_settings_are_refused_in_words():
    with pytest.raises(SettingsError, match="width = 10 is no multiple of heads = 4; choose"):
        AttentionConfig(width=10, heads=4)
    with pytest.raises(SettingsError, match="heads = 4 is no multiple of kv_heads = 3; each key"):
        AttentionConfig(width=8, heads=4, kv_heads=3)
    with pytest.raises(SettingsError, match="even head_width is needed; 3 came"):
        AttentionConfig(width=9, heads=3, rotary=Rotary())
    with pytest.raises(SettingsError, match=r"window=0.*every size must be at least 1"):
        AttentionConfig(width=8, heads=4, window=0)
    member = Attention(CONFIG)
    with pytest.raises(SettingsError, match="head = 4, distance = 0; a head below 4"):
        member.bilinear(4)
    with pytest.raises(SettingsError, match="distance of at least 0"):
        member.bilinear(0, -1)
    for form in (member.parallel, member.weights, member.coefficients):
        with pytest.raises(ShapeError, match=r"u has shape \(1, 3, 7\); \(batch, time, 8\)"):
            form(torch.zeros(1, 3, 7))
