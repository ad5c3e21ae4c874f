"""Direct effects: contribution times gradient, exactly; finite differences; bounded memory."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import torch
from oracles.lens import effects_of, final_parts, gradients, seen_in_pass, stirred
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from flowgauge.errors import ModelError, RecordError, SettingsError
from flowgauge.lens import direct_effects, token_contributions
from flowgauge.lens.norms import ObservedNorm
from flowgauge.lens.readout import FinalStates, final_norm, readout_directions
from flowgauge.lens.watching import run_once
from flowgauge.models import TabularModel
from flowgauge.records import Record
from flowgauge.text import Omit, PlainTemplate, align

FAMILIES = (
    "llama", "llama-biases", "gpt2", "gemma2", "gemma3", "granite", "cohere", "olmo2",
    "qwen3-moe", "mixtral", "mamba", "mamba2", "mamba2-groups",
)  # fmt: skip


def tokens_of(lm, response=" The dog ran to the park", document="The big dog was in the park."):
    record = Record(id="1", question="Where?", documents=(document,), response=response)
    return align("1", PlainTemplate().compose(record, Omit()), record.response, lm)


def fed(tokens):
    return np.concatenate((tokens.prompt_ids, tokens.response_ids[:-1]))


def directions(lm, tokens):
    final = FinalStates()
    with torch.inference_mode():
        states = run_once(fed(tokens), lm, len(tokens.response_ids), final)
        found = readout_directions(final, states, tokens.response_ids, lm)
    return found.double().numpy(), final.before.double().numpy()


@pytest.mark.parametrize("family", FAMILIES)
def test_effects_are_gradient_times_contribution(family):
    lm = stirred(family)
    tokens = tokens_of(lm)
    found = direct_effects(tokens, lm).values
    wanted = effects_of(lm, tokens)
    # float32 passes against double: 1e-4 of the largest effect.
    np.testing.assert_allclose(found, wanted, atol=1e-4 * np.abs(wanted).max())
    assert np.abs(wanted).max() > 1e-3


@pytest.mark.parametrize("family", FAMILIES)
def test_directions_are_gradients(family):
    lm = stirred(family)
    tokens = tokens_of(lm)
    found, _ = directions(lm, tokens)
    wanted, _ = gradients(lm, tokens)
    np.testing.assert_allclose(found, wanted, atol=1e-4 * np.abs(wanted).max())


@pytest.mark.parametrize("family", ["llama", "gpt2", "gemma3", "gemma2", "mamba"])
def test_effects_are_what_log_p_gains_per_unit_of_the_contribution(family):
    lm = stirred(family)
    tokens = tokens_of(lm)
    effects = direct_effects(tokens, lm, layers=[1]).values[0]
    _, before = gradients(lm, tokens)
    _, log_law = final_parts(lm)
    i = 3
    vectors = token_contributions(fed(tokens), lm, layer=1, position=len(tokens.prompt_ids) - 1 + i)
    step = 1e-2
    for j in np.argsort(-np.abs(effects[:, i]))[:5]:
        push = step * torch.from_numpy(vectors.vectors[j])
        with torch.no_grad():
            up, down = (log_law(before[i] + s * push)[tokens.response_ids[i]] for s in (1, -1))
        # Central differences of float32 logs: 1e-6/step of rounding, step² of curvature.
        assert float(up - down) / (2 * step) == pytest.approx(effects[j, i], rel=0.02, abs=1e-3)


@pytest.mark.parametrize("family", ["llama", "gemma3", "mamba2", "mixtral"])
def test_under_a_root_mean_square_norm_the_stream_itself_has_no_effect(family):
    lm = stirred(family)
    found, before = directions(lm, tokens_of(lm))
    along = (found * before).sum(1)
    long = np.linalg.norm(found, axis=1) * np.linalg.norm(before, axis=1)
    assert (np.abs(along) < 1e-4 * long).all()


def test_a_part_of_the_layers_or_heads_is_a_part_of_the_sum():
    lm = stirred("llama")
    tokens = tokens_of(lm)
    whole = direct_effects(tokens, lm)
    assert whole.layers == (0, 1)
    np.testing.assert_array_equal(direct_effects(tokens, lm, layers=[1]).values[0], whole.values[1])
    every = [(layer, head) for layer in (0, 1) for head in range(4)]
    parts = [direct_effects(tokens, lm, heads=[pair]).values for pair in every]
    np.testing.assert_allclose(sum(parts), whole.values, atol=1e-6)
    assert not parts[0][1].any()
    assert parts[0][0].any()


def test_nothing_comes_from_a_token_that_is_too_late():
    for family in ("llama", "mamba", "mamba2"):
        lm = stirred(family)
        tokens = tokens_of(lm)
        values = direct_effects(tokens, lm).values
        first = len(tokens.prompt_ids)
        for i in range(len(tokens.response_ids)):
            assert not values[:, first + i :, i].any()
            assert values[:, first + i - 1, i].all()


def test_other_tokens_of_the_response_do_not_change_what_came_before():
    lm = stirred("gemma3")
    tokens = tokens_of(lm)
    shorter = replace(tokens, response_ids=tokens.response_ids[:3], offsets=tokens.offsets[:3])
    long, short = (direct_effects(t, lm).values for t in (tokens, shorter))
    np.testing.assert_allclose(long[:, : short.shape[1], :3], short, atol=1e-5)


class Largest(TorchDispatchMode):
    """Remembers the most numbers that any tensor held."""

    numbers = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        for leaf in tree_leaves(out):
            if isinstance(leaf, torch.Tensor):
                self.numbers = max(self.numbers, leaf.numel())
        return out


@pytest.mark.parametrize("family", ["llama", "gpt2", "mamba", "mamba2"])
def test_memory_is_bounded(family):
    """No tensor of time × time × width; none larger than one layer's values or 64 rows."""
    lm = stirred(family)
    tokens = tokens_of(lm, response=" dog" * 120, document="The dog ran. " * 30)
    direct_effects(tokens_of(lm), lm)  # what is loaded at the first use does not count
    source, time = len(fed(tokens)), len(tokens.response_ids)
    assert source > 300
    lags, channels = (4, 64 + 16) if "mamba" in family else (1, 96)
    largest = Largest()
    tracemalloc.start()
    with largest:
        values = direct_effects(tokens, lm).values
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # The pass itself: the logits of 64 rows, masks, the scan's states (channel, time, state).
    own = max(source * source, source * 64 * 8)
    bound = max(own, lags * source * channels, 64 * source, 64 * 512)
    assert largest.numbers <= bound
    assert bound < source * time * 32 / 4
    assert values.nbytes == 4 * 2 * source * time
    assert peak < values.nbytes + 2**20


def test_norms_of_both_kinds_and_nothing_else():
    torch.manual_seed(0)
    x = torch.randn(5, 31)
    layer, mean_square = torch.nn.LayerNorm(31), torch.nn.RMSNorm(31)
    for norm in (layer, mean_square):
        norm.requires_grad_(False).weight.normal_()
        here = ObservedNorm.of(norm, x)
        given = torch.randn(5, 31)
        before = x.clone().requires_grad_()
        (wanted,) = torch.autograd.grad((norm(before) * given).sum(), before)
        torch.testing.assert_close(here.pulled_exactly(given), wanted, rtol=1e-3, atol=1e-4)
        one = ObservedNorm.of(norm, x[:1])
        torch.testing.assert_close(one.image(x[:1]) + one.bias, norm(x[:1]), rtol=1e-3, atol=1e-4)
        # The frozen map and its transpose.
        part = torch.randn(1, 31)
        torch.testing.assert_close(
            (one.image(part) * given[:1]).sum(), (part * one.pulled(given[:1])).sum()
        )
    with pytest.raises(ModelError, match="Tanh is neither a root-mean-square nor a layer norm"):
        ObservedNorm.of(torch.nn.Tanh(), x)


def test_a_model_without_one_final_norm_is_refused():
    model = stirred("llama")._model
    assert final_norm(model) is model.model.norm
    norm = model.model.norm
    try:
        model.model.norm = torch.nn.Identity()
        with pytest.raises(ModelError, match="the final norm of LlamaForCausalLM cannot be told"):
            final_norm(model)
    finally:
        model.model.norm = norm


def test_a_head_that_does_more_is_refused():
    lm = stirred("llama")
    cap = getattr(lm._model.config, "logit_scale", None)
    lm._model.config.logit_scale = 0.5
    try:
        with pytest.raises(ModelError, match="the head of LlamaForCausalLM is no output embedding"):
            direct_effects(tokens_of(lm), lm)
    finally:
        lm._model.config.logit_scale = cap


def test_what_cannot_be_read_says_why():
    lm = stirred("llama")
    tokens = tokens_of(lm)
    none = np.zeros(0, dtype=np.int64)
    with pytest.raises(RecordError, match=r"record 1 has \d+ prompt tokens and 0 response"):
        direct_effects(replace(tokens, response_ids=none), lm)
    with pytest.raises(SettingsError, match=r"head \(1, 0\) was asked for, but the layers read"):
        direct_effects(tokens, lm, layers=[0], heads=[(1, 0)])
    with pytest.raises(SettingsError, match=r"layers \[\] were asked for"):
        direct_effects(tokens, lm, layers=[])
    world = TabularModel.random(sources=2, vocabulary=3, length=2, seed=0)
    told = align(
        "1", PlainTemplate().compose(Record(id="1", question="1", response="ac"), Omit()),
        "ac", world,
    )  # fmt: skip
    with pytest.raises(ModelError, match="tabular shows nothing of its inside"):
        direct_effects(told, world)


@pytest.mark.real
@pytest.mark.parametrize("preset", ["smollm2-135m", "gemma-3-270m"])
def test_real_directions_are_gradients(load_preset, preset):
    lm = load_preset(preset)
    tokens = tokens_of(lm)
    found, _ = directions(lm, tokens)
    wanted, _ = gradients(lm, tokens)
    np.testing.assert_allclose(found, wanted, atol=1e-3 * np.abs(wanted).max())
    assert seen_in_pass(lm, fed(tokens), {"norm": final_norm(lm._model)})
