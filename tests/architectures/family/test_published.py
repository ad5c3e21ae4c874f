"""With their weights copied across, family models are the models of transformers."""

import re

import pytest
import torch
import transformers
from oracles.architectures import error
from oracles.family import tokens

from flowgauge.architectures.family import FamilyConfig, FamilyForCausalLM

SIZES = {
    "vocab_size": 512, "hidden_size": 32, "num_hidden_layers": 2, "tie_word_embeddings": False,
}  # fmt: skip
ATTENTION = {
    **SIZES, "intermediate_size": 48, "num_attention_heads": 4, "num_key_value_heads": 2,
    "rms_norm_eps": 1e-6,
}  # fmt: skip
OURS = {
    "width": 32, "heads": 4, "kv_heads": 2, "feed_forward": 48, "tie_word_embeddings": False,
}  # fmt: skip
SCAN = {"feed_forward": 0, "state_size": 8}
MODELS = {
    "llama": (
        transformers.LlamaConfig(**ATTENTION),
        {"mixers": ["attention"] * 2, "norm_eps": 1e-6},
    ),
    "mistral": (
        transformers.MistralConfig(**ATTENTION, sliding_window=5),
        {"mixers": ["attention"] * 2, "norm_eps": 1e-6, "window": 5},
    ),
    "mixtral": (
        transformers.MixtralConfig(
            **ATTENTION, num_local_experts=4, num_experts_per_tok=2, sliding_window=None,
            rope_parameters={"rope_type": "default", "rope_theta": 10_000.0},
        ),
        {"mixers": ["attention"] * 2, "norm_eps": 1e-6, "experts": 4},
    ),
    "mamba": (
        transformers.MambaConfig(**SIZES, state_size=8),
        {"mixers": ["mamba"] * 2, **SCAN},
    ),
    "mamba2": (
        transformers.Mamba2Config(
            **SIZES, state_size=8, num_heads=8, head_dim=8, n_groups=1, chunk_size=8
        ),
        {"mixers": ["mamba2"] * 2, **SCAN, "head_width": 8},
    ),
}  # fmt: skip
NAMES = [
    (r"^backbone\.embeddings", "model.embed_tokens"),
    (r"^backbone\.norm_f", "model.norm"),
    (r"^backbone\.", "model."),
    (r"(layers\.\d+)\.(input_layernorm|norm)\.", r"\1.mixer_norm."),
    (r"(layers\.\d+)\.post_attention_layernorm\.", r"\1.feed_forward_norm."),
    (r"(layers\.\d+)\.self_attn\.", r"\1.mixer."),
    (r"(layers\.\d+)\.mlp\.", r"\1.feed_forward."),
]


def renamed(weights):
    """Their weights under our names; experts, which they keep in one tensor, apart."""
    found = {}
    for name, weight in weights.items():
        for pattern, ours in NAMES:
            name = re.sub(pattern, ours, name)
        if name.endswith("experts.gate_up_proj"):
            stem = name.removesuffix("gate_up_proj")
            for e, both in enumerate(weight):
                found[f"{stem}{e}.gate_proj.weight"], found[f"{stem}{e}.up_proj.weight"] = (
                    both.chunk(2)
                )
        elif name.endswith("experts.down_proj"):
            stem = name.removesuffix("down_proj")
            found |= {f"{stem}{e}.down_proj.weight": down for e, down in enumerate(weight)}
        else:
            found[name] = weight
    return found


def pair(name):
    config, ours = MODELS[name]
    torch.manual_seed(0)
    theirs = transformers.AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for key, parameter in theirs.named_parameters():
            if parameter.ndim > 1 and "A_log" not in key:
                parameter.normal_(0, 0.2)
            elif "A_log" not in key and "dt_" not in key:
                parameter.add_(0.2 * torch.randn_like(parameter))
    model = FamilyForCausalLM(FamilyConfig(**{**OURS, **ours}))
    model.load_state_dict(renamed(theirs.state_dict()))
    return model.eval(), theirs.eval()


@pytest.mark.parametrize("name", MODELS)
def test_laws_and_gradients_are_theirs(name):
    ours, theirs = pair(name)
    ids = tokens(2, 21)
    found, wanted = (m(input_ids=ids, labels=ids) for m in (ours, theirs))
    # 1e-4 is what is promised of float32.
    assert error(found.logits, wanted.logits) <= 1e-4
    assert float(wanted.logits.detach().std()) > 0.3
    found.loss.backward()
    wanted.loss.backward()
    gradients = renamed({k: p.grad for k, p in theirs.named_parameters()})
    assert set(gradients) == {k for k, _ in ours.named_parameters()}
    for key, parameter in ours.named_parameters():
        assert error(parameter.grad, gradients[key]) <= 1e-4, key


@pytest.mark.parametrize("name", MODELS)
def test_greedy_texts_are_theirs(name):
    ours, theirs = pair(name)
    ids = tokens(1, 9, seed=3)
    found, wanted = (
        m.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=12, do_sample=False,
                   eos_token_id=None, pad_token_id=0)
        for m in (ours, theirs)
    )  # fmt: skip
    assert torch.equal(found, wanted)
