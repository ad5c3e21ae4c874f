"""Runs over whole tabular channels, and models that are broken on purpose."""

import copy
import string

import numpy as np
import torch
from oracles.tabular import Channel, random_table

from flowgauge import Record, TabularModel
from flowgauge.models import load_model
from flowgauge.models.huggingface import HuggingFaceModel

_LOADED = {}


def stories():
    """The bundled story model, loaded once."""
    if "stories" not in _LOADED:
        _LOADED["stories"] = load_model("stories-260k")
    return _LOADED["stories"]


def deaf_stories():
    """The story model with an output head of zeros: it ignores everything it reads."""
    if "deaf" not in _LOADED:
        lm = stories()
        model = copy.deepcopy(lm._model)
        torch.nn.init.zeros_(model.get_output_embeddings().weight)
        _LOADED["deaf"] = HuggingFaceModel(model, lm._tokenizer, "deaf")
    return _LOADED["deaf"]


def world(seed, *, sources=3, vocab=3, time=3, prior=False, memory=False):
    """(model, oracle) of one random channel."""
    rng = np.random.default_rng(seed)
    table = random_table(rng, sources, vocab, time)
    p = rng.dirichlet(np.ones(sources)) if prior else None
    m = random_table(rng, 1, vocab, time)[0] if memory else None
    return TabularModel(table, prior=p, memory=m), Channel(table, prior=p, memory=m)


def letters(text):
    return "".join(string.ascii_lowercase[i] for i in text)


def every_record(channel, **more):
    """One record for each source and text of a channel."""
    return [
        Record(id=f"{s}-{letters(t)}", question=str(s), response=letters(t), **more)
        for s, t in channel.pairs()
    ]


WORDS = (
    *("dog", "cat", "cow", "pig", "hen", "bee", "ant", "fox", "owl", "bat", "rat"),
    *("elk", "cod", "bug", "car", "bus", "cup", "pan", "hat", "box", "toy", "jar"),
)


def stories_about(n=20, response=" The dog was happy. It ran to the park.", long=()):
    """n records with n different prompts; those in `long` do not fit the context."""
    return [
        Record(
            id=f"r{i}",
            question="What happened?",
            documents=(f"Once there was a {word}. " * (120 if i in long else 1 + i % 3),),
            response=response,
        )
        for i, word in enumerate(WORDS[:n])
    ]


def tiny_gpt2(*, bos=None, chat_template=None):
    """A random GPT-2 over bytes, with or without a BOS token and a chat template."""
    from text.toy_tokenizers import byte_level_tokenizer
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

    inner = byte_level_tokenizer([("Ġ", "a"), ("Ċ", "Ċ")], special=("<s>", "<|end|>"))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, bos_token=bos)
    tokenizer.chat_template = chat_template
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=inner.get_vocab_size(), n_positions=256, n_embd=16, n_layer=2, n_head=2,
        bos_token_id=None, eos_token_id=None,
    )  # fmt: skip
    return HuggingFaceModel(GPT2LMHeadModel(config), tokenizer, "tiny")
