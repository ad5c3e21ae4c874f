"""The watched layer: the right one in every family, the model as it was, refusals in words."""

import pytest
import torch
import transformers
from oracles.tiny_models import tiny

from flowgauge.errors import ModelError
from flowgauge.models.hidden import find_layers, layer_at, watched_layer

_SIZE = {"vocab_size": 64, "hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 32}


def random_model(config):
    torch.manual_seed(0)
    return transformers.AutoModelForCausalLM.from_config(config).eval()


def gpt_neo():
    return random_model(
        transformers.GPTNeoConfig(
            vocab_size=64, hidden_size=16, num_layers=4, num_heads=2, max_position_embeddings=32,
            attention_types=[[["global", "local"], 2]],
        )
    )  # fmt: skip


def mixtral():
    """As many experts as layers: the outermost list of that length is the one."""
    return random_model(
        transformers.MixtralConfig(
            **_SIZE, num_hidden_layers=4, num_key_value_heads=1, num_local_experts=4
        )
    )


MODELS = {
    **{name: lambda name=name: tiny(name)._model for name in ("llama", "gpt2", "gemma3")},
    **{name: lambda name=name: tiny(name)._model for name in ("mamba", "mamba2", "qwen3-moe")},
    "gpt-neo": gpt_neo,
    "mixtral": mixtral,
}


def hooks(model):
    return sum(len(m._forward_hooks) for m in model.modules())


@pytest.mark.parametrize("name", MODELS)
def test_is_the_librarys_own_hidden_state(name):
    model = MODELS[name]()
    ids = torch.arange(1, 9)[None]
    depth = model.config.num_hidden_layers
    assert len(find_layers(model)) == depth
    with torch.inference_mode():
        wanted = model(input_ids=ids, output_hidden_states=True, use_cache=False).hidden_states
    first = 0 if name.startswith("mamba") else 1  # which of them begin with the embeddings
    before = hooks(model)  # the library leaves its own
    for layer in range(1, depth):
        seen = []
        with torch.inference_mode(), watched_layer(model, layer, seen.append):
            model(input_ids=ids, use_cache=False)
        assert len(seen) == 1
        assert torch.equal(seen[0], wanted[layer - 1 + first])
    assert hooks(model) == before


def test_depth_is_rounded_down_and_at_least_one_layer():
    model = gpt_neo()
    assert [layer_at(model, d) for d in (0.01, 0.25, 0.74, 0.75, 1.0)] == [1, 1, 2, 3, 4]
    assert layer_at(tiny("llama")._model, 0.75) == 1


def test_the_hook_is_gone_also_when_the_pass_raises():
    model = tiny("llama")._model
    before = hooks(model)

    def refuse(states):
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"), watched_layer(model, 1, refuse):
        model(input_ids=torch.ones(1, 3, dtype=torch.int64))
    assert hooks(model) == before
    with watched_layer(model, 1, [].append):
        assert hooks(model) == before + 1
    assert hooks(model) == before


def test_layers_that_cannot_be_told_are_an_error_that_says_what_was_looked_for():
    model = gpt_neo()
    model.transformer.h = torch.nn.ModuleList(list(model.transformer.h)[:3])
    with pytest.raises(
        ModelError,
        match=r"layers of GPTNeoForCausalLM cannot be told: one torch.nn.ModuleList with "
        r"config.num_hidden_layers = 4 modules was looked for in its GPTNeoModel; its lists are: "
        r"h \(3\)",
    ):
        find_layers(model)
    twice = gpt_neo()
    twice.transformer.again = twice.transformer.h
    twice.transformer.other = torch.nn.ModuleList(torch.nn.Identity() for _ in range(4))
    with pytest.raises(ModelError, match=r"its lists are: h \(4\), other \(4\)"):
        find_layers(twice)


def test_a_layer_that_puts_out_something_else_is_refused():
    model = gpt_neo()
    model.transformer.h[1] = torch.nn.Flatten()
    with (
        pytest.raises(ModelError, match=r"layer 2 of GPTNeoForCausalLM puts out torch.Size\(\[1, "),
        watched_layer(model, 2, [].append),
    ):
        model.transformer.h[1](torch.ones(1, 3, 16))
