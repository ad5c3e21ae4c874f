"""Continuing from a state over several tokens, and positions that do not exist."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.architectures import drawn, error, filled, gradients
from oracles.family import in_pieces, step_by_step, stepped

from flowgauge.architectures import (
    Attention,
    AttentionConfig,
    LinearAttention,
    LinearAttentionConfig,
    Mamba,
    Mamba2,
    Mamba2Config,
    MambaConfig,
    Rotary,
    unroll,
)
from flowgauge.architectures.tvvar import check_mask
from flowgauge.errors import ShapeError

WIDTH = 8


def attention(window):
    config = AttentionConfig(width=WIDTH, heads=4, kv_heads=2, window=window, rotary=Rotary())
    return Attention(config)


MEMBERS = {
    "attention": lambda: attention(None),
    "window 1": lambda: attention(1),
    "window 4": lambda: attention(4),
    "linear attention": lambda: LinearAttention(
        LinearAttentionConfig(width=WIDTH, heads=2, chunk=5)
    ),
    "mamba": lambda: Mamba(MambaConfig(width=WIDTH, state=3, taps=3, rank=2)),
    "mamba, no memory of tokens": lambda: Mamba(MambaConfig(width=WIDTH, state=2, taps=1)),
    "mamba2": lambda: Mamba2(Mamba2Config(width=WIDTH, heads=4, state=3, groups=2, chunk=5)),
}


def member(name):
    return filled(MEMBERS[name](), 1)


@st.composite
def readings(draw):
    """A length, a seed, places to cut, and which positions of two rows exist."""
    time = draw(st.integers(1, 60))
    cuts = sorted(draw(st.sets(st.integers(1, time - 1), max_size=4))) if time > 1 else []
    exists = st.lists(st.booleans(), min_size=time, max_size=time)
    mask = torch.tensor([draw(exists), draw(exists)])
    return time, draw(st.integers(0, 99)), cuts, mask


@pytest.mark.parametrize("name", MEMBERS)
@given(reading=readings())
@settings(derandomize=True, deadline=None, max_examples=25)
def test_pieces_are_the_whole_and_the_steps(name, reading):
    time, seed, cuts, _ = reading
    one, u = member(name), drawn(2, time, WIDTH, seed=seed)
    found = in_pieces(one, u, None, cuts)
    # 1e-11: float64, the same sums in other orders, over up to 60 positions.
    assert error(found, one.parallel(u)) <= 1e-11
    assert error(found, unroll(one, u)) <= 1e-11


@pytest.mark.parametrize("name", MEMBERS)
@given(reading=readings())
@settings(derandomize=True, deadline=None, max_examples=25)
def test_a_masked_position_is_as_if_it_were_not_there(name, reading):
    time, seed, cuts, mask = reading
    one, u = member(name), drawn(2, time, WIDTH, seed=seed)
    expected = stepped(one, u, mask)
    u[~mask] = 1e3  # whatever stands there
    for split in ([], cuts):
        found = in_pieces(one, u, mask, split)
        assert torch.isfinite(found).all()
        torch.testing.assert_close(found[mask], expected[mask], rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", [name for name in MEMBERS if "window" not in name][1:])
def test_the_step_by_step_form_agrees(name):
    one, u = member(name), drawn(2, 9, WIDTH, seed=2)
    mask = torch.tensor([[0, 0, 1, 1, 1, 0, 1, 1, 1], [1, 1, 1, 0, 0, 1, 1, 0, 1]]).bool()
    found = in_pieces(one, u, mask, [4])
    slow = in_pieces(one, u, mask, [4], extend=step_by_step)
    torch.testing.assert_close(found[mask], slow[mask], rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("name", MEMBERS)
def test_gradients_reach_what_was_read_before(name):
    one, u = member(name), drawn(1, 11, WIDTH, seed=3).requires_grad_()
    pull = drawn(1, 11, WIDTH, seed=4)
    pieces, whole = (
        gradients((x * pull).sum(), one, u) for x in (in_pieces(one, u, None, [4, 5]), one(u))
    )
    for key, gradient in whole.items():
        torch.testing.assert_close(pieces[key], gradient, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("name", MEMBERS)
def test_a_state_is_left_as_it_was(name):
    one, u = member(name), drawn(2, 9, WIDTH, seed=5)
    state, _ = one.extend(one.initial_state(2), u[:, :6])
    kept = [part.clone() for part in state]
    first = one.extend(state, u[:, 6:])[1]
    one.extend(state, u[:, :3])
    assert all(torch.equal(a, b) for a, b in zip(kept, state, strict=True))
    assert torch.equal(one.extend(state, u[:, 6:])[1], first)


@pytest.mark.parametrize("name", MEMBERS)
def test_a_mask_that_does_not_fit_is_refused(name):
    one, u = member(name), drawn(2, 3, WIDTH)
    with pytest.raises(ShapeError, match=r"mask is \(2, 4\) of torch.bool; \(2, 3\) of torch.bool"):
        one.extend(one.initial_state(2), u, torch.ones(2, 4).bool())
    with pytest.raises(ShapeError, match=r"mask is \(2, 3\) of torch.int64"):
        one.extend(one.initial_state(2), u, torch.ones(2, 3).long())
    with pytest.raises(ShapeError, match=r"u has shape \(2, 3, 5\)"):
        one.extend(one.initial_state(2), torch.zeros(2, 3, 5, dtype=torch.float64))
    with pytest.raises(ShapeError, match="with at least one position"):
        check_mask(None, u[:, :0])


def test_a_window_keeps_what_holes_have_not_used_up():
    one = member("window 4")
    u, mask = drawn(1, 20, WIDTH, seed=6), torch.zeros(1, 20).bool()
    mask[0, [0, 1, 2, 3, 19]] = True
    state, _ = one.extend(one.initial_state(1), u[:, :19], mask[:, :19])
    assert state[2][state[2] >= 0].tolist() == [1, 2, 3]
    found = one.extend(state, u[:, 19:])[1]
    torch.testing.assert_close(found[:, 0], stepped(one, u, mask)[:, 19], rtol=1e-12, atol=1e-12)
