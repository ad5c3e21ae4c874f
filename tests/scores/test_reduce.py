"""The block reductions against the definitions, in and out of single precision's safe range."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.scores import columns_of, largest_difference

from flowgauge.records import ORDERS
from flowgauge.scores.reduce import (
    BLOCK_VOCAB,
    Columns,
    Reducer,
    block_maxima,
    exact_columns,
    top_k,
)


def reduced(a, b, ids, orders=ORDERS):
    k = min(5, a.shape[1])
    out = Columns(len(ids), orders, k)
    with torch.inference_mode():
        Reducer(orders, 5).reduce(a.clone(), b.clone(), np.asarray(ids), out, 0)
    return out.scores(slice(0, len(ids)))


def wanted(a, b, ids, orders=ORDERS):
    p, q = torch.log_softmax(a.double(), -1), torch.log_softmax(b.double(), -1)
    return columns_of(p, q, ids, orders, min(5, a.shape[1]))


@pytest.mark.parametrize("vocab", [2, 7, 512, 50_257, 49_152, BLOCK_VOCAB + 1, 262_144])
def test_equal_to_the_definitions(vocab):
    g = torch.Generator().manual_seed(vocab)
    a = 4 + 3 * torch.randn(5, vocab, generator=g)
    b = a + torch.randn(5, vocab, generator=g)
    ids = np.arange(5) % vocab
    # 262,144 single-precision terms in chunks of 4,096: 2e-6 relative of numbers around 10.
    assert largest_difference(reduced(a, b, ids), wanted(a, b, ids)) < 3e-5


@pytest.mark.parametrize("shift_p", [-300.0, 0.0, 70.0])
@pytest.mark.parametrize("shift_q", [-200.0, 0.0, 90.0])
def test_constants_added_to_logits_change_nothing(shift_p, shift_q):
    g = torch.Generator().manual_seed(0)
    a = 3 * torch.randn(4, 1000, generator=g)
    b = a + torch.randn(4, 1000, generator=g)
    ids = np.arange(4)
    found = reduced(a + shift_p, b + shift_q, ids)
    # Adding 300 to a float32 logit rounds it by 1.5e-5, so the laws themselves differ by that.
    assert largest_difference(found, wanted(a, b, ids)) < 2e-4


@pytest.mark.parametrize("scale", [5.0, 30.0, 200.0])
def test_laws_far_apart_take_the_exact_way(scale):
    g = torch.Generator().manual_seed(1)
    a, b = scale * torch.randn(6, 600, generator=g), scale * torch.randn(6, 600, generator=g)
    ids = np.arange(6)
    found, truth = reduced(a, b, ids), wanted(a, b, ids)
    for name in ("log_p", "drift", "variance", "log_moments"):
        x, y = getattr(found, name), getattr(truth, name)
        assert np.isfinite(x).all()
        np.testing.assert_allclose(x, y, rtol=2e-5, atol=2e-5)


def test_equal_laws_give_exact_zeros():
    a = torch.randn(3, 40_000)
    found = reduced(a, a, [0, 1, 2])
    assert not found.drift.any()
    assert not found.variance.any()
    assert not found.log_moments.any()
    assert np.array_equal(found.log_p, found.log_q)


def test_zero_probabilities_take_the_exact_way_in_float64():
    a = torch.tensor([[0.0, 1.0, -torch.inf, 0.5]], dtype=torch.float64)
    b = torch.tensor([[0.3, 0.1, 0.2, 0.9]], dtype=torch.float64)
    found = reduced(a, b, [1])
    p = torch.softmax(a, -1)[0, [0, 1, 3]]
    q = torch.softmax(b, -1)[0, [0, 1, 3]]
    assert found.drift[0] == pytest.approx(float((p * (p / q).log()).sum()), abs=1e-12)
    assert np.isfinite(found.variance).all()
    assert np.isfinite(found.log_moments).all()


def test_other_orders_than_quarters_take_the_exact_way():
    a, b = torch.randn(3, 300), torch.randn(3, 300)
    orders = (-0.3, 0.1, 1.7)
    found = reduced(a, b, [0, 1, 2], orders)
    assert largest_difference(found, wanted(a, b, [0, 1, 2], orders)) < 1e-6


def test_fast_and_exact_agree_on_bfloat16():
    a, b = torch.randn(3, 5000).bfloat16(), torch.randn(3, 5000).bfloat16()
    out = exact_columns(a, b, torch.arange(3), np.array(ORDERS), 5)
    found = reduced(a, b, [0, 1, 2])
    np.testing.assert_allclose(found.drift, out["drift"].numpy(), atol=2e-5)


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.integers(1, 3000), st.integers(1, 6), st.integers(0, 2**31))
def test_top_k_is_topk(vocab, k, seed):
    x = torch.randn(2, vocab, generator=torch.Generator().manual_seed(seed))
    k = min(k, vocab)
    values, ids = top_k(x, block_maxima(x), k)
    assert torch.equal(values, torch.topk(x, k).values)
    assert torch.equal(x.gather(1, ids), values)


def test_only_the_rows_that_need_it_are_centred():
    """Rows whose d has a large mean and rows that have none, side by side in one slice."""
    g = torch.Generator().manual_seed(3)
    a = 4 + 3 * torch.randn(40, 9000, generator=g)
    b = a + torch.randn(40, 9000, generator=g)
    b[::3] -= 9.0  # a law does not change when a constant is taken off
    a[5, 17], b[5, 17] = 38.0, 10.0  # a token that the source alone makes certain
    ids = np.full(40, 17)
    assert largest_difference(reduced(a, b, ids), wanted(a, b, ids)) < 6e-5
