import pytest
import torch
import transformers
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
)
from oracles.architectures_ssm import s6
from torch import nn
from transformers.models.mamba.modeling_mamba import MambaMixer

from flowgauge.architectures import unroll
from flowgauge.architectures.mamba import Mamba, MambaConfig, selective_scan
from flowgauge.errors import SettingsError, ShapeError

SMALL = MambaConfig(width=4, expand=2, state=3, taps=3, rank=2)


@st.composite
def configs(draw):
    return MambaConfig(
        width=draw(st.integers(1, 6)),
        expand=draw(st.integers(1, 3)),
        state=draw(st.integers(1, 5)),
        taps=draw(st.integers(1, 5)),
        rank=draw(st.none() | st.integers(1, 3)),
    )


@given(configs(), st.integers(1, 200), st.integers(1, 2), st.integers(0, 99), st.booleans())
@settings(derandomize=True, deadline=None, max_examples=30)
def test_parallel_recurrent_and_explicit_forms_agree(config, time, batch, seed, single):
    dtype = torch.float32 if single else torch.float64
    member = filled(Mamba(config), seed, dtype)
    u = drawn(batch, time, config.width, seed=seed + 1, dtype=dtype)
    assert_forms_agree(member, u, 1e-5 if single else 1e-10)


@given(configs(), st.integers(1, 24), st.integers(0, 99))
@settings(derandomize=True, deadline=None, max_examples=20)
def test_explicit_form_of_short_texts(config, time, seed):
    member = filled(Mamba(config), seed)
    assert_forms_agree(member, drawn(2, time, config.width, seed=seed), 1e-10)


def test_outputs_are_the_sums_over_all_earlier_positions():
    member, u = filled(Mamba(SMALL), 3), drawn(2, 17, 4, seed=4)
    for found, sequence in zip(member(u), u.numpy(), strict=True):
        # 1e-12: 17 · 3 rounded terms of size 1.
        assert error(found, torch.from_numpy(s6(member, sequence))) <= 1e-12


def test_coefficients_do_not_see_later_tokens_and_constant_is_the_bias():
    member, u = filled(Mamba(SMALL), 5), drawn(1, 9, 4, seed=6)
    other = u.clone()
    other[:, 5:] = 0.0
    torch.testing.assert_close(
        member.coefficients(u)[:, :5], member.coefficients(other)[:, :5], rtol=0, atol=0
    )
    assert member.constant(u).abs().max() > 1e-3
    with torch.no_grad():
        member.conv1d.bias.zero_()
    assert (member.constant(u) == 0).all()


@pytest.mark.parametrize("time", [1, 7])
def test_gradcheck(time):
    assert_gradcheck(filled(Mamba(SMALL), 7), drawn(2, time, 4, seed=8))


def test_gradients_through_pieces_are_those_through_steps():
    assert_gradients_agree(filled(Mamba(SMALL), 9), drawn(2, 150, 4, seed=10), 1e-10)


def test_a_state_can_be_continued_twice():
    member, u = filled(Mamba(SMALL), 11), drawn(2, 8, 4, seed=12)
    state = member.initial_state(2)
    for i in range(5):
        state, _ = member.step(state, u[:, i])
    kept = [t.clone() for t in state]
    once, again = member.step(state, u[:, 5])[1], member.step(state, u[:, 5])[1]
    assert torch.equal(once, again)
    assert all(torch.equal(a, b) for a, b in zip(kept, state, strict=True))


def test_fast_forgetting_stays_finite_in_float32():
    member, u = filled(Mamba(SMALL), 12), drawn(1, 300, 4, seed=13).float()
    with torch.no_grad():
        member.dt_proj.bias.fill_(300.0)
    expected = unroll(member.double(), u.double())
    x = member.float()(u.requires_grad_())
    # 1e-4: sums of C_n B_n that cancel lose a digit.
    assert error(x.double(), expected) <= 1e-4
    assert all(torch.isfinite(g).all() for g in gradients(x.sum(), member, u).values())


def mixer(seed):
    config = transformers.MambaConfig(
        hidden_size=32, state_size=8, num_hidden_layers=2, vocab_size=50, time_step_rank=3
    )
    return filled(MambaMixer(config, 0), seed, torch.float32), config


def copied(theirs, config):
    member = Mamba(MambaConfig(width=32, state=8, rank=config.time_step_rank))
    member.load_state_dict(theirs.state_dict())
    return member


def test_published_mixer_agrees_forward_and_backward():
    theirs, config = mixer(14)
    ours = copied(theirs, config)
    u = drawn(2, 80, 32, seed=15, dtype=torch.float32).requires_grad_()
    pull = drawn(2, 80, 32, seed=16, dtype=torch.float32)
    found, expected = ours(u), theirs(u)
    assert error(found, expected) <= 1e-4
    g, h = (gradients((x * pull).sum(), m, u) for x, m in ((found, ours), (expected, theirs)))
    assert set(g) == set(h)
    for name in h:
        assert error(g[name], h[name]) <= 1e-4, name


def test_published_mixer_agrees_token_by_token():
    theirs, config = mixer(17)
    ours, u = copied(theirs, config), drawn(2, 12, 32, seed=18, dtype=torch.float32)
    cache, state = transformers.DynamicCache(config=config), ours.initial_state(2)
    for i in range(12):
        state, found = ours.step(state, u[:, i])
        assert error(found, theirs(u[:, i : i + 1], cache=cache)[:, 0]) <= 1e-4


class Lent(nn.Module):
    """Our mixer where a model of transformers calls its own."""

    def __init__(self, ours):
        super().__init__()
        self.ours = ours

    def forward(self, hidden_states, **_):
        return self.ours(hidden_states)


def test_a_published_model_keeps_its_law_with_our_mixers():
    _, config = mixer(0)
    model = filled(transformers.MambaForCausalLM(config), 19, torch.float32).eval()
    ids = torch.arange(40)[None] % 50
    expected = model(ids).logits
    for layer in model.backbone.layers:
        layer.mixer = Lent(copied(layer.mixer, config))
    found = model(ids).logits
    assert error(found, expected) <= 1e-4
    with torch.no_grad():
        model.backbone.layers[0].mixer.ours.D.add_(1.0)
    assert error(model(ids).logits, expected) > 1e-3


def test_selective_scan_does_not_depend_on_its_pieces(monkeypatch):
    x, dt = drawn(2, 23, 5, seed=20), drawn(2, 23, 5, seed=21).exp()
    rates, b, c = -drawn(5, 3, seed=22).exp(), drawn(2, 23, 3, seed=23), drawn(2, 23, 3, seed=24)
    first = drawn(2, 5, 3, seed=25)
    whole, last = selective_scan(x, dt, rates, b, c, first)
    monkeypatch.setattr("flowgauge.architectures.mamba.PIECE", 4)
    found, end = selective_scan(x, dt, rates, b, c, first)
    assert error(found, whole) <= 1e-13
    assert error(end, last) <= 1e-13


def test_bad_sizes_and_shapes_are_refused():
    with pytest.raises(SettingsError, match="state is 0, at least 1 was needed"):
        MambaConfig(width=4, state=0)
    with pytest.raises(SettingsError, match="rank is -1, at least 1 was needed"):
        MambaConfig(width=4, rank=-1)
    member = Mamba(SMALL)
    with pytest.raises(ShapeError, match=r"u has shape \(1, 3, 5\); \(batch, time, 4\)"):
        member(torch.zeros(1, 3, 5))
    with pytest.raises(ShapeError, match=r"u has shape \(1, 1, 5\); \(batch, time, 4\)"):
        member.step(member.initial_state(1), torch.zeros(1, 5))
    with pytest.raises(ShapeError, match="take fewer positions"):
        member.coefficients(torch.zeros(1, 3000, 4))
