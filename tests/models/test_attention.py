"""Watched attention: the weights are the eager ones, the model is left as it was."""

import numpy as np
import pytest
import torch
from oracles.pointers import eager_attention
from oracles.tiny_models import tiny

from flowgauge.models.attention import can_watch, watched_attention

# float32 products in another order; weights are at most 1.
TOLERANCE = 1e-5
FAMILIES = ("llama", "gpt2", "qwen3-moe", "gemma2", "gemma3", "granite", "cohere")


def text(lm, n=60):
    return (np.arange(1, n + 1) * 37 % 500 + 3).astype(np.int64)


@pytest.mark.parametrize("family", FAMILIES)
def test_weights_equal_the_eager_attention(family):
    lm = tiny(family)
    ids = text(lm)
    found = {}

    def look(seen):
        heads = range(seen.query.shape[1])
        every = [seen.weights(0, head, slice(10, None)).numpy() for head in heads]
        found[seen.layer] = np.stack(every)

    with torch.inference_mode(), watched_attention(lm._model, look):
        lm._model(input_ids=torch.from_numpy(ids)[None])
    wanted = eager_attention(lm._model, ids)
    assert len(found) == len(wanted)
    for layer, weights in found.items():
        np.testing.assert_allclose(weights, wanted[layer][:, 10:], atol=TOLERANCE)


@pytest.mark.parametrize("family", FAMILIES)
def test_watching_changes_no_logit_and_ends(family):
    lm = tiny(family)
    model, ids = lm._model, torch.from_numpy(text(lm))[None]
    stock = model.config._attn_implementation
    calls = []
    with torch.inference_mode():
        plain = model(input_ids=ids).logits
        with watched_attention(model, lambda seen: calls.append(seen.layer)):
            watched = model(input_ids=ids).logits
        assert model.config._attn_implementation == stock
        after = model(input_ids=ids).logits
    # A function without its mask would make the model see the future: logits off by 0.2.
    assert torch.equal(plain, watched)
    assert torch.equal(plain, after)
    assert calls == [0, 1]


def test_the_stock_attention_is_back_after_an_error():
    model = tiny("llama")._model
    stock = model.config._attn_implementation
    with pytest.raises(ZeroDivisionError), watched_attention(model, lambda seen: 1 / 0):
        model(input_ids=torch.from_numpy(text(None))[None])
    assert model.config._attn_implementation == stock


def test_a_model_without_the_interface_is_known():
    assert can_watch(tiny("llama")._model)
