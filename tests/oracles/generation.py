"""Writing by its definitions: full forward passes, sampling rules token by token, all texts."""

import functools
import itertools

import numpy as np
import torch
import transformers
from oracles.tiny_models import FAMILIES, tiny, tokenizer

from flowgauge.models import HuggingFaceModel

_SMALL = {
    "vocab_size": 512, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
    "max_position_embeddings": 512, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0,
}  # fmt: skip
#: Families that place their tokens in ways of their own: partly rotated, learnt, by distance.
MORE_FAMILIES = {
    "gpt-neox": (transformers.GPTNeoXConfig, {**_SMALL, "intermediate_size": 64}),
    "opt": (transformers.OPTConfig, {**_SMALL, "ffn_dim": 64, "word_embed_proj_dim": 32}),
    "bloom": (
        transformers.BloomConfig,
        {"vocab_size": 512, "hidden_size": 32, "n_layer": 2, "n_head": 4},
    ),
    "mixtral": (
        transformers.MixtralConfig,
        {**_SMALL, "num_key_value_heads": 2, "intermediate_size": 64, "num_local_experts": 4},
    ),
}


@functools.cache
def model_of(family):
    """A tiny model with wide random weights, of `tiny_models` or of the families above."""
    if family in FAMILIES:
        return tiny(family)
    config_class, values = MORE_FAMILIES[family]
    torch.manual_seed(0)
    model = transformers.AutoModelForCausalLM.from_config(config_class(**values))
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 2:
                parameter.normal_(0, 0.25)
    return HuggingFaceModel(model, tokenizer(), family)


def last_logits(lm, rows):
    """(row, vocab) logits after each row, by one full pass a row without any cache."""
    found = []
    with torch.inference_mode():
        for row in rows:
            ids = torch.tensor([list(row)])
            found.append(lm._model(input_ids=ids, use_cache=False).logits[0, -1])
    return torch.stack(found)


def sampled_law(law, sampling, text):
    """(vocab,) law that tokens are drawn from, rule by rule, from a law of the model.

    Ties at a border: top-k and min-p keep all of them, top-p those that come later.
    """
    with np.errstate(divide="ignore"):
        logits = np.log(np.asarray(law, dtype=float))
    for token in set(text):
        if token < len(logits):
            penalty = sampling.repetition_penalty
            logits[token] *= penalty if logits[token] < 0 else 1 / penalty
    if sampling.temperature == 0:
        return (np.arange(len(logits)) == np.argmax(logits)).astype(float)
    logits = logits / sampling.temperature
    if sampling.top_k:
        border = sorted(logits, reverse=True)[min(sampling.top_k, len(logits)) - 1]
        logits = np.where(logits >= border, logits, -np.inf)
    if sampling.top_p < 1:
        p = _softmax(logits)
        mass = 0.0
        keep = np.zeros(len(p), dtype=bool)
        for token in sorted(range(len(p)), key=lambda t: (p[t], t), reverse=True):
            if mass >= sampling.top_p:
                break
            keep[token] = True
            mass += p[token]
        logits = np.where(keep, logits, -np.inf)
    if sampling.min_p:
        p = _softmax(logits)
        logits = np.where(p >= sampling.min_p * p.max(), logits, -np.inf)
    return _softmax(logits)


def _softmax(logits):
    weights = np.exp(logits - logits.max())
    return weights / weights.sum()


def every_text(model, source, sampling, prompt_ids):
    """{text: probability} of every text that can be drawn from a table under these settings."""
    found = {}
    for text in itertools.product(range(model.vocabulary_size), repeat=model.steps):
        p = 1.0
        for j, token in enumerate(text):
            law = sampled_law(model.law(source, text[:j]), sampling, [*prompt_ids, *text[:j]])
            p *= law[token]
        if p > 0:
            found[text] = p
    return found
