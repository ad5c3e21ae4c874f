"""The Hugging Face adapter: what it refuses, what it promises, what it leaves as it was."""

import numpy as np
import pytest
import torch
from oracles.tiny_models import FAMILIES, tiny, tokenizer

from flowgauge.errors import ModelError, RecordError
from flowgauge.models import HuggingFaceModel
from flowgauge.records import Sampling


def test_a_tokenizer_without_offsets_is_refused():
    class Slow:
        is_fast = False

    with pytest.raises(ModelError, match="no character offsets; a fast tokenizer"):
        HuggingFaceModel(tiny("llama")._model, Slow(), "slow")


def test_damaged_weights_are_refused():
    import copy

    broken = copy.deepcopy(tiny("llama")._model)
    with torch.no_grad():
        broken.model.norm.weight.fill_(float("nan"))
    with pytest.raises(ModelError, match="not finite on 12 probe tokens"):
        HuggingFaceModel(broken, tokenizer(), "broken")


def test_offsets_point_at_the_characters():
    lm = tiny("llama")
    text = "Lily saw a 😀 dog."
    encoding = lm.tokenize(text)
    assert len(encoding.ids) == len(encoding.offsets)
    assert encoding.offsets[-1, 1] == len(text)
    emoji = [tuple(o) for o in encoding.offsets if text[o[0] : o[1]] == "😀"]
    assert len(emoji) == 4  # a byte-fallback tokenizer: four tokens of one character
    assert lm.tokenize("").ids.shape == (0,)


def test_the_fingerprint_is_the_weights():
    import copy

    lm = tiny("gpt2")
    other = copy.deepcopy(lm._model)
    same = HuggingFaceModel(other, tokenizer(), "again")
    assert same.fingerprint == lm.fingerprint
    with torch.no_grad():
        other.transformer.h[0].ln_1.weight[0] += 1e-6
    assert HuggingFaceModel(other, tokenizer(), "changed").fingerprint != lm.fingerprint


def test_greedy_generation_is_the_models_own_and_reproducible(rng):
    lm = tiny("llama")
    ids = lm.tokenize("Once upon a time").ids
    greedy = lm.generate(ids, 5, Sampling(temperature=0), rng)
    with torch.inference_mode():
        best = int(lm._model(input_ids=torch.from_numpy(ids)[None]).logits[0, -1].argmax())
    assert greedy[0] == best
    draws = [
        lm.generate(ids, 8, Sampling(temperature=1.5), np.random.default_rng(s)).tolist()
        for s in (1, 1, 2)
    ]
    assert draws[0] == draws[1]
    assert draws[0] != draws[2]


def test_generation_leaves_the_global_random_state_alone(rng):
    lm = tiny("llama")
    torch.manual_seed(5)
    wanted = torch.rand(1)
    torch.manual_seed(5)
    lm.generate(lm.tokenize("One day").ids, 3, Sampling(), rng)
    assert torch.equal(torch.rand(1), wanted)


def test_a_chat_template_that_refuses_says_so():
    import copy

    own = copy.deepcopy(tokenizer())
    own.chat_template = "{{ raise_exception('only users may speak') }}"
    lm = HuggingFaceModel(tiny("llama")._model, own, "strict")
    assert lm.has_chat_template
    with pytest.raises(RecordError, match="roles system: only users may speak"):
        lm.chat([{"role": "system", "content": "x"}])


@pytest.mark.parametrize("family", FAMILIES)
def test_contexts_have_a_length_where_the_model_says_so(family):
    length = tiny(family).context_length
    assert length == (None if family.startswith("mamba") else 512)


def test_bos_is_added_by_tokenizers_that_add_it():
    lm = tiny("llama")
    assert lm.adds_bos
    assert lm.bos_id == 1


@pytest.mark.real
def test_the_default_model_answers_through_its_chat_template(load_preset, rng):
    lm = load_preset("smollm2-135m")
    text = lm.chat([{"role": "user", "content": "What is the capital of France?"}])
    answer = lm.generate(lm.tokenize(text).ids, 12, Sampling(temperature=0), rng)
    assert "".join(lm.token_text(answer)) == "The capital of France is Paris."
