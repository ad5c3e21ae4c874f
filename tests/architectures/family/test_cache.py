"""A cache changes nothing: pieces, batches with padding, greedy and beam search, forks, crops."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.architectures import error
from oracles.family import STACKS, alone, config_of, greedy, model_of, tokens
from transformers import DynamicCache

from flowgauge.architectures.family import FamilyCache
from flowgauge.errors import SettingsError, ShapeError

MASK = torch.ones(3, 11, dtype=torch.int64)
MASK[0, :6] = 0
MASK[1, :1] = 0
IDS = tokens(3, 11)
FORCED = {"eos_token_id": None, "pad_token_id": 0, "do_sample": False}


@pytest.fixture(autouse=True)
def _no_gradients():
    with torch.no_grad():
        yield


@pytest.mark.parametrize("stack", STACKS)
@given(st.data())
@settings(derandomize=True, deadline=None, max_examples=10)
def test_pieces_are_the_whole_with_positions_left_out_anywhere(stack, data):
    model = model_of(stack, torch.float64)
    time = data.draw(st.integers(2, 40))
    ids = tokens(2, time, seed=data.draw(st.integers(0, 99)))
    holes = "window" not in stack and data.draw(st.booleans())
    first = data.draw(st.integers(0, time - 1))  # the second row is padded on the left
    mask = torch.ones(2, time, dtype=torch.int64)
    mask[1, :first] = 0
    if holes:
        exists = st.lists(st.integers(0, 1), min_size=time, max_size=time)
        mask = torch.tensor([data.draw(exists), data.draw(exists)])
    cuts = sorted(data.draw(st.sets(st.integers(1, time - 1), max_size=4)))
    cache, out = None, []
    for start, stop in zip([0, *cuts], [*cuts, time], strict=True):
        found = model(ids[:, start:stop], attention_mask=mask[:, :stop], cache=cache)
        cache, out = found.cache, [*out, found.logits]
    expected, there = alone(model, ids, mask), mask.bool()
    # 1e-9 of the largest logit: float64 through two layers.
    if there.any():
        assert error(torch.cat(out, dim=1)[there], expected[there]) <= 1e-9


@pytest.mark.parametrize("stack", STACKS)
def test_single_precision_in_pieces_without_a_mask(stack):
    model, ids = model_of(stack), tokens(2, 30, seed=3)
    whole = model(ids, use_cache=False).logits
    first = model(ids[:, :13])
    second = model(ids[:, 13:25], cache=first.cache)
    third = model(ids[:, 25:], cache=second.cache)
    found = torch.cat([first.logits, second.logits, third.logits], dim=1)
    assert third.cache.get_seq_length() == 30
    assert error(found, whole) <= 1e-5


@pytest.mark.parametrize("stack", STACKS)
def test_greedy_batches_are_the_single_rows_without_a_cache(stack):
    model = model_of(stack)
    expected = greedy(model, IDS, MASK, 12)
    found = model.generate(IDS, attention_mask=MASK, max_new_tokens=12, **FORCED)
    assert torch.equal(found[:, 11:], expected)
    slow = model.generate(IDS, attention_mask=MASK, max_new_tokens=12, use_cache=False, **FORCED)
    assert torch.equal(slow, found)
    assert len(set(expected.flatten().tolist())) > 8  # the laws are no constant


@pytest.mark.parametrize("use_cache", [True, False])
def test_generate_reads_each_token_once_with_a_cache(use_cache):
    model, fed = model_of("hybrid"), []
    model.model.layers[0].register_forward_pre_hook(
        lambda layer, args: fed.append(args[0].shape[1])
    )
    model.generate(IDS, max_new_tokens=4, use_cache=use_cache, **FORCED)
    assert fed == ([11, 1, 1, 1] if use_cache else [11, 12, 13, 14])


@pytest.mark.parametrize("stack", STACKS)
def test_beams_are_those_without_a_cache(stack):
    model = model_of(stack)
    found, slow = (
        model.generate(
            IDS, attention_mask=MASK, max_new_tokens=10, num_beams=2, use_cache=use, **FORCED
        )
        for use in (True, False)
    )
    assert torch.equal(found, slow)
    plain = model.generate(IDS, attention_mask=MASK, max_new_tokens=10, **FORCED)
    assert not torch.equal(found, plain)  # or the cache would never be reordered


@pytest.mark.parametrize("stack", STACKS)
def test_rows_are_selected_and_repeated(stack):
    model, ids = model_of(stack), tokens(2, 9, seed=4)
    cache = model(ids).cache
    more = tokens(3, 4, seed=5)
    fork = copy.deepcopy(cache)
    fork.batch_select_indices(torch.tensor([1]))
    fork.batch_repeat_interleave(3)
    found = model(more, cache=fork).logits
    whole = model(torch.cat([ids[[1, 1, 1]], more], dim=1), use_cache=False).logits[:, 9:]
    assert error(found, whole) <= 1e-5
    cache.reorder_cache(torch.tensor([1, 0]))
    found = model(more[:2], cache=cache).logits
    whole = model(torch.cat([ids[[1, 0]], more[:2]], dim=1), use_cache=False).logits[:, 9:]
    assert error(found, whole) <= 1e-5


def test_what_is_kept_does_not_grow_but_for_attention():
    for stack, layers in (("mamba2", (0, 1)), ("linear attention", (0,)), ("hybrid", (0,))):
        model, sizes = model_of(stack), []
        for time in (1, 50):
            cache = model(tokens(1, time)).cache
            states = [cache.layers[i].recurrent_states.values() for i in layers]
            sizes.append([tuple(part.shape) for state in states for part in state])
        assert sizes[0] == sizes[1]
    cache = model_of("window")(tokens(1, 50)).cache
    assert cache.layers[0].keys.shape[2] == 3  # what comes next sees itself and 3 others
    assert model_of("attention")(tokens(1, 50)).cache.layers[0].keys.shape[2] == 50


def test_attention_forgets_its_last_tokens_and_a_state_cannot():
    model, ids = model_of("attention"), tokens(1, 12)
    cache = model(ids).cache
    cache.crop(-5)
    assert cache.get_seq_length() == 7
    found = model(ids[:, 7:], cache=cache).logits
    assert error(found, model(ids, use_cache=False).logits[:, 7:]) <= 1e-5
    hybrid = model_of("hybrid")(ids).cache
    with pytest.raises(SettingsError, match=r"cannot forget its last tokens; keep a copy.deepcopy"):
        hybrid.crop(-1)
    assert hybrid.layers[1].keys.shape[2] == hybrid.get_seq_length() == 12  # as it was
    hybrid.reset()
    assert error(model_of("hybrid")(ids, cache=hybrid).logits, model_of("hybrid")(ids).logits) == 0


def test_training_keeps_no_cache_and_evaluation_only_when_it_may():
    model = model_of("hybrid")
    assert model(IDS).cache is not None
    assert model(IDS, use_cache=False).cache is None
    model.config.use_cache = False
    assert model(IDS).cache is None
    model.config.use_cache = True
    assert model.train()(IDS).cache is None


def test_what_does_not_fit_is_refused():
    model = model_of("window")
    cache = model(IDS).cache
    with pytest.raises(ShapeError, match=r"\(3, 2\); .* new tokens\) = \(3, 13\)"):
        model(IDS[:, :2], attention_mask=MASK[:, :2], cache=cache)
    with pytest.raises(SettingsError, match=r"is a DynamicCache; a FamilyCache was needed"):
        model(IDS, cache=DynamicCache())
    right = MASK.flip(1)
    model(IDS, attention_mask=right)  # padding on the right is no harm by itself
    with pytest.raises(SettingsError, match="cropped by their number; pad on the left"):
        model(
            IDS[:, :1], attention_mask=torch.cat([right, MASK[:, -1:]], 1), cache=model(IDS).cache
        )


def test_positions_are_counted_from_the_mask_and_no_others_are_taken():
    model = model_of("attention")
    positions = (MASK.cumsum(1) - 1).clamp(min=0)
    found = model(IDS, attention_mask=MASK, position_ids=positions).logits
    assert torch.equal(found, model(IDS, attention_mask=MASK).logits)
    with pytest.raises(SettingsError, match="packed into one row are not supported"):
        model(IDS, position_ids=torch.tensor([[0, 1, 2, 3, 0, 1, 2, 3, 4, 5, 6]]))
    with pytest.raises(SettingsError, match="are not those that attention_mask counts"):
        model(IDS, position_ids=torch.arange(5)[None])


def test_a_new_cache_has_a_layer_for_each_mixer():
    cache = FamilyCache(config_of("hybrid window"))
    kinds = [type(layer).__name__ for layer in cache.layers]
    assert kinds == ["DynamicSlidingWindowLayer", "RecurrentLayer"]
    assert (cache.get_seq_length(), cache.get_max_length()) == (0, 3)
