"""Tiny randomly initialised models of many families, on the bundled tokenizer of 512 tokens.

The weights are drawn wide, so that laws are far from uniform and prompts matter.
"""

import functools

import torch
import transformers

from flowgauge.models import HuggingFaceModel
from flowgauge.models.presets import bundled_folder

_BASE = {
    "vocab_size": 512,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 512,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
_MAMBA = {
    "vocab_size": 512, "hidden_size": 32, "state_size": 8, "num_hidden_layers": 2,
    "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0,
}  # fmt: skip
FAMILIES = {
    "llama": (transformers.LlamaConfig, _BASE),
    "gpt2": (
        transformers.GPT2Config,
        {"vocab_size": 512, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 512,
         "bos_token_id": 1, "eos_token_id": 2},
    ),
    "qwen3-moe": (
        transformers.Qwen3MoeConfig,
        {**_BASE, "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32},
    ),
    "mamba": (transformers.MambaConfig, _MAMBA),
    "mamba2": (
        transformers.Mamba2Config,
        {**_MAMBA, "num_heads": 8, "head_dim": 8, "n_groups": 1, "chunk_size": 16},
    ),
    "gemma2": (
        transformers.Gemma2Config,
        {**_BASE, "final_logit_softcapping": 3.0, "sliding_window": 16},
    ),
    "gemma3": (
        transformers.Gemma3TextConfig,
        {**_BASE, "sliding_window": 16, "layer_types": ["sliding_attention", "full_attention"]},
    ),
    "granite": (transformers.GraniteConfig, {**_BASE, "logits_scaling": 3.0}),
    "cohere": (transformers.CohereConfig, {**_BASE, "logit_scale": 0.3}),
}  # fmt: skip


@functools.cache
def tokenizer():
    return transformers.AutoTokenizer.from_pretrained(bundled_folder("stories-260k"))


@functools.cache
def tiny(family):
    """A `HuggingFaceModel` of the family with wide random weights."""
    config_class, values = FAMILIES[family]
    torch.manual_seed(0)
    model = transformers.AutoModelForCausalLM.from_config(config_class(**values))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim == 2 and "A_log" not in name:
                parameter.normal_(0, 0.25)
    return HuggingFaceModel(model, tokenizer(), family)
