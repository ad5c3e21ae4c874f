"""Contributions: sums are the module's output, vectors are those of whole attention and scans."""

import numpy as np
import pytest
import torch
import transformers
from oracles.lens import (
    ATTENTION,
    MORE,
    SCANS,
    joined,
    layers_of,
    mixer_vectors,
    seen_in_pass,
    stirred,
)
from oracles.tiny_models import _BASE, tokenizer

from flowgauge.errors import ModelError, SettingsError
from flowgauge.lens import token_contributions
from flowgauge.lens.mixers import PROJECTED, Adapter, Mixing, find_mixer, register
from flowgauge.lens.mixers.attention import ProjectedAttention
from flowgauge.models import HuggingFaceModel, TabularModel

# Sums of float32 products in two orders; the promise is 1e-4.
SUM = 1e-5
IDS = np.random.default_rng(0).integers(3, 500, 40)


def relative(found, wanted):
    return np.linalg.norm(found - wanted) / np.linalg.norm(wanted)


@pytest.mark.parametrize("family", MORE)
def test_vectors_and_biases_sum_up_to_the_output(family):
    lm = stirred(family)
    for layer in (0, 1):
        for position in (0, 2, 29, 39):
            part = token_contributions(IDS, lm, layer=layer, position=position)
            assert relative(part.vectors.sum(0) + part.apart, part.output) < SUM
            assert not part.vectors[position + 1 :].any()


@pytest.mark.parametrize("family", MORE)
def test_vectors_are_those_of_the_definition(family):
    lm = stirred(family)
    for layer, position in ((0, 20), (1, 39), (1, 1)):
        vectors, output = mixer_vectors(lm, IDS, layer, position)
        wanted = joined(lm, layer, vectors, output)
        found = token_contributions(IDS, lm, layer=layer, position=position)
        assert relative(found.vectors, wanted) < 1e-4


@pytest.mark.parametrize(
    ("family", "after"),
    [("llama", "post_attention_layernorm"), ("granite", "post_attention_layernorm"),
     ("gemma2", "pre_feedforward_layernorm"), ("gemma3", "pre_feedforward_layernorm"),
     ("gpt2", "ln_2"), ("mixtral", "post_attention_layernorm")],
)  # fmt: skip
def test_output_is_what_the_residual_stream_gains(family, after):
    lm = stirred(family)
    layer = layers_of(lm._model)[1]
    inputs, _ = seen_in_pass(lm, IDS, {"layer": layer, "after": getattr(layer, after)})
    gained = (inputs["after"] - inputs["layer"])[30].numpy()
    assert relative(token_contributions(IDS, lm, layer=1, position=30).output, gained) < 1e-4


@pytest.mark.parametrize("family", SCANS)
def test_output_of_a_scan_is_what_the_residual_stream_gains(family):
    lm = stirred(family)
    layer = layers_of(lm._model)[1]
    inputs, outputs = seen_in_pass(lm, IDS, {"layer": layer})
    gained = (outputs["layer"] - inputs["layer"])[30].numpy()
    assert relative(token_contributions(IDS, lm, layer=1, position=30).output, gained) < 1e-4


def test_biases_stand_apart():
    for family in ("gpt2", "llama-biases", "mamba", "mamba2", "qwen2"):
        part = token_contributions(IDS, stirred(family), layer=0, position=9)
        assert np.linalg.norm(part.apart) > 0.01 * np.linalg.norm(part.output)
    assert not token_contributions(IDS, stirred("mixtral"), layer=0, position=9).apart.any()


@pytest.mark.parametrize("family", ["llama", "gpt2", "gemma3", "mamba", "mamba2"])
def test_heads_sum_up(family):
    lm = stirred(family)
    whole = token_contributions(IDS, lm, layer=1, position=25)
    halves = [
        token_contributions(IDS, lm, layer=1, position=25, heads=whole.heads[k::2]) for k in (0, 1)
    ]
    assert relative(halves[0].vectors + halves[1].vectors, whole.vectors) < SUM
    assert halves[0].vectors.any()
    np.testing.assert_array_equal(halves[0].output, whole.output)


def test_a_sliding_window_reaches_no_further():
    part = token_contributions(
        IDS, stirred("gemma3"), layer=0, position=39
    )  # 16 tokens, itself too
    assert not part.vectors[:24].any()
    assert (np.linalg.norm(part.vectors[24:], axis=1) > 0).all()


def test_bfloat16_is_near():
    whole = stirred("llama")
    half = transformers.AutoModelForCausalLM.from_config(whole._model.config)
    half.load_state_dict(whole._model.state_dict())
    lm = HuggingFaceModel(half.to(torch.bfloat16), tokenizer(), "llama")
    part = token_contributions(IDS, lm, layer=1, position=30)
    # Eight bits of mantissa through softmax, values and output.
    assert relative(part.vectors.sum(0) + part.apart, part.output) < 0.02


@pytest.mark.parametrize("family", ["llama", "gpt2", "gemma3", "mamba", "mamba2"])
def test_the_model_is_left_as_it_was(family):
    lm = stirred(family)
    model = lm._model
    stock = model.config._attn_implementation

    def logits():
        with torch.no_grad():
            return model(input_ids=torch.from_numpy(IDS)[None]).logits

    def hooks():
        # The library keeps hooks of its own once attention was asked for.
        return [(len(m._forward_hooks), len(m._forward_pre_hooks)) for m in model.modules()]

    before, hooked = logits(), hooks()
    token_contributions(IDS, lm, layer=0, position=3)
    with pytest.raises(SettingsError):
        token_contributions(IDS, lm, layer=0, position=3, heads=[99])
    assert torch.equal(before, logits())
    assert model.config._attn_implementation == stock
    assert hooks() == hooked


def test_every_named_family_is_tested():
    tested = {
        type(find_mixer(layers_of(stirred(f)._model)[0])[0]).__name__.removesuffix("Attention")
        for f in ATTENTION
    }
    assert tested >= set(PROJECTED)


def test_an_unknown_mixer_says_what_is_known_and_how_to_add_one():
    config = transformers.GPTNeoXConfig(
        vocab_size=512, hidden_size=32, num_hidden_layers=1, num_attention_heads=4,
        intermediate_size=64, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    model = transformers.AutoModelForCausalLM.from_config(config)
    lm = HuggingFaceModel(model, tokenizer(), "neox")
    with pytest.raises(ModelError) as error:
        token_contributions(IDS, lm, layer=0, position=0)
    words = str(error.value)
    assert "GPTNeoXAttention" in words
    assert "Known are CohereAttention, GPT2Attention" in words
    assert "subclass flowgauge.lens.mixers.Adapter" in words
    assert "flowgauge.lens.mixers.register(" in words


class _Doubled(ProjectedAttention):
    """Wrong on purpose: its values are twice the model's."""

    def read(self, mixer, states, seen):
        right = super().read(mixer, states, seen)
        return Mixing(
            heads=right.heads, weights=right.weights, values=2 * right.values, out=right.out
        )


def _own_llama():
    """A Llama whose attention is of a class that nobody knows yet."""

    class OwnAttention(torch.nn.Module):
        def __init__(self, inner):
            super().__init__()
            for name in ("q_proj", "k_proj", "v_proj", "o_proj"):
                setattr(self, name, getattr(inner, name))
            object.__setattr__(self, "inner", inner)

        def forward(self, *args, **kwargs):
            return self.inner(*args, **kwargs)

    torch.manual_seed(0)
    config = transformers.LlamaConfig(**{**_BASE, "num_hidden_layers": 1})
    model = transformers.AutoModelForCausalLM.from_config(config)
    model.model.layers[0].self_attn = OwnAttention(model.model.layers[0].self_attn)
    return HuggingFaceModel(model, tokenizer(), "own"), OwnAttention


def test_an_adapter_can_be_added_and_a_wrong_one_is_found(monkeypatch):
    monkeypatch.setattr("flowgauge.lens.mixers._KNOWN", {})
    lm, kind = _own_llama()
    with pytest.raises(ModelError, match="holds 0 mixers"):
        token_contributions(IDS, lm, layer=0, position=5)
    register(kind, _Doubled())
    with pytest.raises(ModelError, match="OwnAttention in layer 0 is 1 off what it put out"):
        token_contributions(IDS, lm, layer=0, position=5)
    register(kind, ProjectedAttention())
    part = token_contributions(IDS, lm, layer=0, position=5)
    assert relative(part.vectors.sum(0) + part.apart, part.output) < SUM
    assert issubclass(_Doubled, Adapter)


def test_what_cannot_be_read_says_why():
    lm = stirred("llama")
    with pytest.raises(SettingsError, match=r"layers \[2\] were asked for; numbers from 0 to 1"):
        token_contributions(IDS, lm, layer=2, position=0)
    with pytest.raises(SettingsError, match="position 40 is none of the text's 0 to 39"):
        token_contributions(IDS, lm, layer=0, position=40)
    with pytest.raises(SettingsError, match=r"heads \[4\] were asked for; 0 to 3"):
        token_contributions(IDS, lm, layer=0, position=0, heads=[4])
    world = TabularModel.random(sources=2, vocabulary=3, length=2, seed=0)
    with pytest.raises(ModelError, match="tabular shows nothing of its inside"):
        token_contributions(np.array([3, 0]), world, layer=0, position=0)


@pytest.mark.real
@pytest.mark.parametrize(("preset", "depth"), [("smollm2-135m", 30), ("gemma-3-270m", 18)])
def test_real_models_sum_up_in_every_layer(load_preset, preset, depth):
    lm = load_preset(preset)
    ids = lm.tokenize("The river Aare flows through Bern, the capital of Switzerland.").ids
    for layer in range(depth):
        part = token_contributions(ids, lm, layer=layer, position=len(ids) - 1)
        assert relative(part.vectors.sum(0) + part.apart, part.output) < 1e-4
