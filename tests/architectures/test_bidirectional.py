import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.architectures import assert_gradcheck, drawn, error, filled
from oracles.masked_diffusion import bidirectional_loops

from flowgauge.architectures import AttentionConfig, Rotary, apply_coefficients, unroll
from flowgauge.architectures.bidirectional import BidirectionalAttention
from flowgauge.errors import ModelError, SettingsError, ShapeError


@st.composite
def configs(draw):
    kv_heads, group = draw(st.integers(1, 2)), draw(st.integers(1, 3))
    return AttentionConfig(
        width=draw(st.integers(1, 9)),
        heads=kv_heads * group,
        kv_heads=kv_heads,
        head_width=2 * draw(st.integers(1, 3)),
        rotary=draw(st.none() | st.builds(Rotary, base=st.sampled_from([30.0, 1e4]))),
    )


def padding(batch, time, seed):
    """Each row with its own padding on either side, at least one position left."""
    rng = np.random.default_rng(seed)
    present = np.zeros((batch, time), dtype=bool)
    for row in present:
        a, b = sorted(rng.integers(0, time, 2))
        row[a : b + 1] = True
    return torch.from_numpy(present)


@given(configs(), st.integers(1, 20), st.booleans(), st.booleans())
@settings(derandomize=True, deadline=None, max_examples=40)
def test_parallel_is_explicit_for_all_pairs(config, time, single, has_padding):
    dtype, tolerance = (torch.float32, 1e-5) if single else (torch.float64, 1e-10)
    member = filled(BidirectionalAttention(config), seed=time, dtype=dtype, scale=2.0)
    u = drawn(2, time, config.width, dtype=dtype)
    present = padding(2, time, seed=time) if has_padding else None
    with torch.no_grad():
        whole = member.parallel(u, present)
        found = apply_coefficients(member.coefficients(u, present), u)
    assert whole.dtype == dtype
    assert error(found, whole) <= tolerance


@given(configs(), st.integers(1, 8), st.booleans())
@settings(derandomize=True, deadline=None, max_examples=25)
def test_agrees_with_loops(config, time, has_padding):
    member, u = (
        filled(BidirectionalAttention(config), seed=1, scale=2.0),
        drawn(2, time, config.width),
    )
    present = padding(2, time, seed=time) if has_padding else None
    pi, x = bidirectional_loops(member, u, present)
    with torch.no_grad():
        np.testing.assert_allclose(member.weights(u, present), pi, atol=1e-12)
        # 1e-12 of the largest: sums of at most 8 · 6 products in float64.
        assert error(member(u, present), torch.from_numpy(x)) <= 1e-12


CONFIG = AttentionConfig(width=8, heads=4, kv_heads=2, rotary=Rotary(base=100.0))


@pytest.mark.parametrize("rotary", [None, Rotary(base=20.0)])
def test_weights_are_the_softmax_of_the_bilinear_form_both_ways(rotary):
    config = AttentionConfig(width=8, heads=4, kv_heads=2, rotary=rotary)
    member, u = filled(BidirectionalAttention(config), scale=2.0), drawn(1, 6, 8)
    for head in range(4):
        scores = torch.zeros(6, 6, dtype=torch.float64)
        for i, j in itertools.product(range(6), repeat=2):
            scores[i, j] = u[0, i] @ member.bilinear(head, i - j) @ u[0, j] / 2**0.5  # d = 2
        found = member.weights(u)[0, head]
        torch.testing.assert_close(found, scores.softmax(-1), rtol=0, atol=1e-12)


def test_every_position_sees_every_other():
    member, u = filled(BidirectionalAttention(CONFIG)), drawn(1, 7, 8)
    x = member(u)
    for changed in range(7):
        other = u.clone()
        other[0, changed] += 1.0
        assert bool(((member(other) - x).abs().amax(-1)[0] > 0).all())


def test_padding_changes_nothing_and_may_hold_anything():
    member, u = filled(BidirectionalAttention(CONFIG)), drawn(1, 9, 8)
    present = torch.tensor([[False] * 2 + [True] * 5 + [False] * 2])
    whole = member(u, present)
    other = torch.where(present[..., None], u, 99.0)
    torch.testing.assert_close(member(other, present)[:, 2:7], whole[:, 2:7], rtol=0, atol=1e-12)
    # Rotary positions know distances alone, so where a row begins does not matter.
    torch.testing.assert_close(member(u[:, 2:7]), whole[:, 2:7], rtol=0, atol=1e-12)


def test_gradients_are_those_of_finite_differences():
    assert_gradcheck(filled(BidirectionalAttention(CONFIG)), drawn(2, 4, 8))


def test_there_is_no_recurrent_form():
    member = BidirectionalAttention(CONFIG)
    for run in (
        lambda: member.initial_state(1),
        lambda: member.step((), torch.zeros(1, 8)),
        lambda: member.extend((), torch.zeros(1, 2, 8)),
        lambda: unroll(member, torch.zeros(1, 2, 8)),
    ):
        with pytest.raises(ModelError, match=r"no order of positions.*Call parallel\(u\)"):
            run()


def test_bad_input_is_refused_in_words():
    with pytest.raises(SettingsError, match="window = 3; bidirectional attention sees every"):
        BidirectionalAttention(AttentionConfig(width=8, heads=4, window=3))
    member = BidirectionalAttention(CONFIG)
    with pytest.raises(ShapeError, match=r"present has shape \(1, 2\) and 2 positions; \(1, 3\)"):
        member(torch.zeros(1, 3, 8), torch.ones(1, 2).bool())
    with pytest.raises(ShapeError, match="and 0 positions"):
        member(torch.zeros(1, 3, 8), torch.zeros(1, 3).bool())
    for distance in (-1, 1):
        with pytest.raises(SettingsError, match="head = 4"):
            member.bilinear(4, distance)
