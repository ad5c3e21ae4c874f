"""Two rows multiplied the other way round: the same sums, in layers, in decoders, in heads."""

import copy
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.tiny_models import FAMILIES, tiny
from torch.nn import Linear

from flowgauge.models import heads, narrow
from flowgauge.models.decoding import JoinedDecoder
from flowgauge.models.heads import Head
from flowgauge.models.narrow import is_narrow, narrow_is_faster, narrow_linear, narrow_linears

# Of the sum of |x||w|: single precision rounds by 6e-8, and at most 300 terms are summed.
TOLERANCE = 1e-6


def exact(x, weight, bias=None):
    """The product in float64, and the size of the numbers that were summed."""
    x, weight = x.double(), weight.double()
    bias = torch.zeros(len(weight)) if bias is None else bias
    return x @ weight.T + bias.double(), x.abs() @ weight.abs().T + bias.double().abs()


def assert_same(found, x, weight, bias=None):
    wanted, size = exact(x, weight, bias)
    assert found.shape == wanted.shape
    assert found.dtype == torch.float32
    assert bool(((found.double() - wanted).abs() <= TOLERANCE * size).all())


@contextmanager
def narrow_is(faster, monkeypatch):
    """Within it this processor is one on which the other way is faster, or none."""
    with monkeypatch.context() as patch:
        patch.setattr(narrow, "narrow_is_faster", lambda: faster)
        yield


@given(
    st.sampled_from([(2,), (2, 1), (1, 2), (1, 1, 2)]),
    st.integers(1, 300),
    st.integers(1, 40),
    st.booleans(),
    st.integers(0, 2**32 - 1),
)
@settings(derandomize=True, deadline=None, max_examples=60)
def test_the_product_is_that_of_linear(axes, width, out, has_bias, seed):
    generator = torch.Generator().manual_seed(seed)
    x, weight = (torch.randn(*s, generator=generator) for s in ((*axes, width), (out, width)))
    bias = torch.randn(out, generator=generator) if has_bias else None
    found = narrow_linear(x, weight, bias)
    assert_same(found, x, weight, bias)
    assert_same(torch.nn.functional.linear(x, weight, bias), x, weight, bias)
    assert found.is_contiguous()


def test_inputs_need_not_be_contiguous():
    generator = torch.Generator().manual_seed(0)
    wide = torch.randn(4, 24, generator=generator)
    weight = torch.randn(24, 9, generator=generator)
    every_second = torch.randn(5, 24, generator=generator)[:, ::2]
    for x, w in (
        (wide[::2], weight.T),
        (wide[:2, :12], every_second),
        (wide[:, :2].T, torch.randn(9, 4, generator=generator)),
        (wide[:2, None].expand(2, 1, 24), weight.T),
    ):
        assert not (x.is_contiguous() and w.is_contiguous())
        assert_same(narrow_linear(x, w), x, w)


def test_what_it_is_meant_for(monkeypatch):
    weight = torch.zeros(3, 4)
    with narrow_is(True, monkeypatch):
        for shape in ((2, 4), (2, 1, 4), (1, 2, 4)):
            assert is_narrow(torch.zeros(shape), weight)
        for shape in ((1, 4), (3, 4), (2, 2, 4), (0, 4)):
            assert not is_narrow(torch.zeros(shape), weight)
        assert not is_narrow(torch.zeros(2, 4), weight.bfloat16())
        assert not is_narrow(torch.zeros(2, 4), weight.to("meta"))
    with narrow_is(False, monkeypatch):
        assert not is_narrow(torch.zeros(2, 4), weight)


@pytest.mark.parametrize(("narrow_seconds", "is_faster"), [(1.0, True), (3.0, False)])
def test_the_faster_way_is_the_one_that_took_less_time(narrow_seconds, is_faster, monkeypatch):
    clock = {"now": 0.0}

    def takes(seconds):
        def way(x, weight):
            clock["now"] += seconds

        return way

    monkeypatch.setattr(narrow.time, "perf_counter", lambda: clock["now"])
    monkeypatch.setattr(narrow, "narrow_linear", takes(narrow_seconds))
    monkeypatch.setattr(narrow, "linear", takes(2.0))
    assert narrow_is_faster.__wrapped__() is is_faster


def layers(seed=0):
    torch.manual_seed(seed)
    return [Linear(7, 5), Linear(7, 3, bias=False)]


def test_layers_go_the_other_way_for_two_rows_alone(monkeypatch):
    calls = []

    def noted(x, weight, bias):
        calls.append(tuple(x.shape))
        return narrow_linear(x, weight, bias)

    monkeypatch.setattr(narrow, "narrow_linear", noted)
    both = layers()
    with torch.inference_mode(), narrow_linears(both):
        for shape in ((2, 7), (2, 1, 7), (1, 7), (3, 7), (2, 2, 7)):
            for layer in both:
                x = torch.randn(shape)
                assert_same(layer(x), x, layer.weight, layer.bias)
    assert calls == [(2, 7)] * 2 + [(2, 1, 7)] * 2


def test_layers_are_as_before_afterwards():
    both, x = layers(), torch.randn(2, 7)
    before = [(dict(m.__dict__), m(x)) for m in both]
    with narrow_linears(both):
        assert all("forward" in m.__dict__ for m in both)
    with pytest.raises(KeyError, match="inside"), narrow_linears(both):
        raise KeyError("inside")
    for m, (attributes, y) in zip(both, before, strict=True):
        assert m.__dict__ == attributes
        assert torch.equal(m(x), y)


# -- in a model ------------------------------------------------------------------------------------


def model_of(family, faster, monkeypatch):
    """A copy of the tiny model that has chosen its layers on a processor of this kind."""
    lm = copy.copy(tiny(family))
    lm.__dict__.pop("_linears", None)
    with narrow_is(faster, monkeypatch):
        assert bool(lm._linears) == (faster and family != "gpt2")  # gpt2's layers are convolutions
    return lm


@pytest.mark.parametrize("family", FAMILIES)
def test_two_rows_written_side_by_side_have_the_same_laws(family, monkeypatch, rng):
    prefixes = [rng.integers(3, 512, n).astype(np.int64) for n in (9, 20)]
    tokens = rng.integers(3, 512, (4, 2)).astype(np.int64)
    calls = []

    def noted(x, weight, bias=None):
        calls.append(tuple(weight.shape))
        return narrow_linear(x, weight, bias)

    monkeypatch.setattr(narrow, "narrow_linear", noted)
    monkeypatch.setattr(heads, "narrow_linear", noted)

    def written(faster):
        lm, found = model_of(family, faster, monkeypatch), []
        decoder = JoinedDecoder(lm._advance, prefixes)
        with narrow_is(faster, monkeypatch):
            for ids in tokens:
                states = decoder.step(ids)
                found.append((states, lm.logits(states).clone()))
        return found

    plain = written(False)
    assert calls == []
    other = written(True)
    assert len(calls) >= len(tokens)
    for one, two in zip(plain, other, strict=True):
        for a, b in zip(one, two, strict=True):
            # Two layers of sums rounded differently, of the largest number; 3e-6 is what is seen.
            assert float((a - b).abs().max()) <= 1e-5 * float(a.abs().max())


def test_rows_that_are_not_two_go_the_usual_way(monkeypatch, rng):
    lm = model_of("llama", True, monkeypatch)
    monkeypatch.setattr(narrow, "narrow_linear", lambda *_: pytest.fail("there are not two rows"))
    for lengths in ((5,), (5, 6, 7)):
        decoder = JoinedDecoder(lm._advance, [rng.integers(3, 512, n) for n in lengths])
        decoder.step(rng.integers(3, 512, len(lengths)))


class Adapted(Linear):
    """A layer with a forward of its own, as adapters and quantized layers have."""

    def forward(self, x):
        return super().forward(x) + 1.0


def test_layers_with_a_forward_of_their_own_are_left_alone(monkeypatch, rng):
    lm = tiny.__wrapped__("llama")
    first, second = (layer.mlp for layer in lm._body.layers)
    seen = []

    def own(x):
        seen.append(tuple(x.shape))
        return torch.nn.functional.linear(x, first.up_proj.weight) * 0.5

    first.up_proj.forward = own
    adapted = Adapted(32, 64, bias=False)
    second.up_proj = adapted
    with narrow_is(True, monkeypatch):
        lm.__dict__.pop("_linears", None)
        chosen = lm._linears
    assert first.down_proj in chosen
    assert not any(m is first.up_proj or m is adapted for m in chosen)
    prefixes = [rng.integers(3, 512, n) for n in (4, 6)]
    decoder = JoinedDecoder(lm._advance, prefixes)
    seen.clear()
    ids = rng.integers(3, 512, 2)
    found = lm.logits(decoder.step(ids))
    assert seen == [(2, 1, 32)]
    assert first.up_proj.__dict__["forward"] is own
    assert "forward" not in first.down_proj.__dict__
    lm._linears = []
    wanted = lm.logits(JoinedDecoder(lm._advance, prefixes).step(ids))
    assert float((found - wanted).abs().max()) <= 1e-5 * float(wanted.abs().max())


# -- in a head -------------------------------------------------------------------------------------

FINISH = {
    "plain": lambda x: x,
    "soft cap": lambda x: x.div_(3.0).tanh_().mul_(3.0),
    "divided": lambda x: x.div_(3.0),
}


@pytest.mark.parametrize("has_out", [False, True])
@pytest.mark.parametrize("name", FINISH)
def test_a_head_gives_the_same_logits_both_ways(name, has_out, monkeypatch):
    torch.manual_seed(0)
    head, states = Head(Linear(24, 50, bias=False), FINISH[name], name), torch.randn(2, 24)
    found = []
    with torch.inference_mode():
        for faster in (True, False):
            with narrow_is(faster, monkeypatch):
                found.append(head(states, torch.empty(2, 50) if has_out else None).clone())
    # Numbers of size 1; the finish is Lipschitz with constant 1.
    torch.testing.assert_close(*found, rtol=1e-6, atol=1e-6)


def test_a_head_takes_the_other_way_for_two_rows_and_a_plain_embedding(monkeypatch):
    calls = []

    def noted(x, weight):
        calls.append(tuple(x.shape))
        return narrow_linear(x, weight)

    monkeypatch.setattr(heads, "narrow_linear", noted)
    torch.manual_seed(0)
    with torch.inference_mode():
        for faster, embedding, rows in (
            (True, Linear(6, 9, bias=False), 2),
            (True, Linear(6, 9, bias=False), 3),
            (False, Linear(6, 9, bias=False), 2),
            (True, Linear(6, 9), 2),
            (True, Adapted(6, 9, bias=False), 2),
        ):
            states = torch.randn(rows, 6)
            with narrow_is(faster, monkeypatch):
                found = Head(embedding, FINISH["plain"], "plain")(states)
            torch.testing.assert_close(found, embedding(states), rtol=1e-6, atol=1e-6)
    assert calls == [(2, 6)]
