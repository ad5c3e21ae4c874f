import numpy as np
import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.architectures import drawn, error, turned
from transformers.models.llama import modeling_llama

from flowgauge.architectures import Rotary
from flowgauge.errors import SettingsError, ShapeError


@given(st.integers(1, 6), st.integers(-300, 300), st.sampled_from([50.0, 1e4, 5e5]))
@settings(derandomize=True, deadline=None)
def test_is_multiplication_by_complex_numbers(half, position, base):
    x = drawn(1, 2 * half, seed=half)
    found = Rotary(base=base).turn(x, torch.tensor([position]))[0]
    # 1e-12: angles up to 300 radians in float64.
    np.testing.assert_allclose(found, turned(x[0].numpy(), position, base), atol=1e-12)


@given(st.integers(0, 500), st.integers(0, 500))
@settings(derandomize=True, deadline=None)
def test_products_know_the_distance_alone(query_at, key_at):
    rotary, q, k = Rotary(), drawn(1, 8, seed=1), drawn(1, 8, seed=2)
    turned_q = rotary.turn(q, torch.tensor([query_at]))
    turned_k = rotary.turn(k, torch.tensor([key_at]))
    between = rotary.matrix(query_at - key_at, q)
    assert float(turned_q @ turned_k.T) == pytest.approx(float(q @ between @ k.T), abs=1e-12)
    # a rotation: lengths stay, R Rᵀ = 1
    assert float(turned_q.norm()) == pytest.approx(float(q.norm()), rel=1e-13)
    torch.testing.assert_close(between @ between.T, torch.eye(8).double(), rtol=0, atol=1e-13)


def test_distance_zero_turns_nothing():
    assert (Rotary().matrix(0, drawn(1, 6)) == torch.eye(6)).all()


@pytest.mark.parametrize("base", [10_000.0, 500.0])
def test_agrees_with_transformers(base):
    config = transformers.LlamaConfig(
        hidden_size=32,
        num_attention_heads=2,
        rope_parameters={"rope_type": "default", "rope_theta": base},
    )
    q, k = (drawn(2, 2, 50, 16, seed=seed, dtype=torch.float32) for seed in (1, 2))
    positions = torch.arange(50)
    cos, sin = modeling_llama.LlamaRotaryEmbedding(config)(q, positions[None])
    theirs = modeling_llama.apply_rotary_pos_emb(q, k, cos, sin)
    rotary = Rotary(base=base)
    # 1e-5: their angles are float32, 50 radians to 4e-6.
    assert error(rotary.turn(q, positions), theirs[0]) <= 1e-5
    assert error(rotary.turn(k, positions), theirs[1]) <= 1e-5


def test_float32_stays_exact_far_away():
    x, far = drawn(1, 8, seed=3), torch.tensor([100_003])
    found = Rotary().turn(x.float(), far).double()
    # 1e-6: rounding of float32 numbers of size 1, none of it from the angle.
    torch.testing.assert_close(found, Rotary().turn(x, far), rtol=0, atol=1e-6)


def test_bad_input_is_refused():
    with pytest.raises(SettingsError, match=r"base = 0\.0; a finite number above 0"):
        Rotary(base=0.0)
    with pytest.raises(SettingsError, match="base = inf"):
        Rotary(base=float("inf"))
    with pytest.raises(ShapeError, match=r"x has shape \(1, 3\) .* an even d"):
        Rotary().turn(torch.zeros(1, 3), torch.tensor([0]))
    with pytest.raises(ShapeError, match=r"positions \(1,\)"):
        Rotary().turn(torch.zeros(2, 4), torch.tensor([0]))
