"""Small tokenizers of the kinds that trip alignment up, behind flowgauge's protocol."""

from dataclasses import dataclass

import numpy as np
from tokenizers import (
    AddedToken,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
)

from flowgauge.text import Encoding


@dataclass
class Toy:
    """A `tokenizers.Tokenizer` as a TextTokenizer."""

    inner: Tokenizer
    bos_id: int | None = None
    adds_bos: bool = False
    has_empty_context_law: bool = False

    def tokenize(self, text):
        out = self.inner.encode(text, add_special_tokens=False)
        ids = np.array(out.ids, dtype=np.int64)
        return Encoding(ids, np.array(out.offsets, dtype=np.int64).reshape(-1, 2))

    def id_of(self, token):
        return self.inner.token_to_id(token)


def byte_level_tokenizer(merges=(), trim=False, special=()):
    """Byte-level BPE: every text has tokens, an emoji has several; `merges` as pairs."""
    vocab = {c: i for i, c in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    for left, right in merges:
        vocab.setdefault(left + right, len(vocab))
    inner = Tokenizer(models.BPE(vocab=vocab, merges=list(merges)))
    # No regular expression, so that merges may cross from a prompt into its response.
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    inner.post_processor = processors.ByteLevel(trim_offsets=trim)
    inner.decoder = decoders.ByteLevel()
    inner.add_special_tokens([AddedToken(s, special=True) for s in special])
    return inner


def byte_level(merges=(), *, trim=False, bos=False, adds_bos=False):
    inner = byte_level_tokenizer(merges, trim, ("<s>", "</s>"))
    return Toy(inner, inner.token_to_id("<s>") if bos else None, adds_bos)


def space_adding(*, bos=False):
    """Words with a space put before every text: the same text has other tokens when apart."""
    words = ["▁", "▁a", "▁b", "a", "b", ".", "<unk>", "<s>"]
    inner = Tokenizer(
        models.BPE(
            vocab={w: i for i, w in enumerate(words)},
            merges=[("▁", "a"), ("▁", "b")],
            unk_token="<unk>",
        )
    )
    inner.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    inner.add_special_tokens([AddedToken("<s>", special=True)])
    return Toy(inner, inner.token_to_id("<s>") if bos else None, bos)


def dropping():
    """Drops every digit, as some normalizers drop characters."""
    inner = byte_level_tokenizer()
    inner.normalizer = normalizers.Replace("7", "")
    return Toy(inner)
