"""Rows written side by side have the laws that each has alone, read from the start."""

import copy

import numpy as np
import pytest
import torch
from oracles.generation import MORE_FAMILIES, last_logits, model_of
from oracles.tiny_models import FAMILIES, tiny, tokenizer

from flowgauge.errors import RecordError
from flowgauge.models import HuggingFaceModel
from flowgauge.models.decoding import JoinedDecoder, SeparateDecoder, joined

# Of the largest logit; single precision gives 2e-5 in the worst family.
TOLERANCE = 1e-4
# Shorter and longer than the sliding window of 16 tokens, at its border, and equal ones.
LENGTHS = (23, 5, 14, 15, 16, 17, 1, 40)


def prefixes(rng, lengths=LENGTHS):
    rows = [rng.integers(3, 512, n).astype(np.int64) for n in lengths]
    return [*rows, rows[0].copy()]


def difference(decoder, lm, rows):
    """Largest difference from a full forward pass, of the largest logit."""
    found, wanted = lm.logits(decoder.states), last_logits(lm, rows)
    assert found.shape == wanted.shape
    return float((found - wanted).abs().max() / wanted.abs().max())


def write(decoder, lm, rows, rng, steps):
    """Give some random tokens to a decoder; the largest difference on the way."""
    worst = difference(decoder, lm, rows)
    for _ in range(steps):
        ids = rng.integers(3, 512, len(rows)).astype(np.int64)
        states = decoder.step(ids)
        assert torch.equal(states, decoder.states)
        for row, one in zip(rows, ids.tolist(), strict=True):
            row.append(one)
        worst = max(worst, difference(decoder, lm, rows))
    return worst


@pytest.mark.parametrize(
    ("family", "kind"),
    [
        *((family, JoinedDecoder) for family in [*FAMILIES, *MORE_FAMILIES]),
        *((family, SeparateDecoder) for family in ("llama", "gemma3", "mamba", "mamba2", "bloom")),
    ],
)
def test_side_by_side_is_a_full_forward_pass(family, kind, rng):
    lm = model_of(family)
    given = prefixes(rng)
    decoder, rows = kind(lm._advance, given), [list(p) for p in given]
    assert write(decoder, lm, rows, rng, 2) < TOLERANCE
    # The longest leave, the others change places: padding that nobody needs stays harmless.
    for kept in ([8, 0, 6, 1, 2], [4, 1, 2], [2]):
        decoder.keep(kept)
        rows = [rows[i] for i in kept]
        assert write(decoder, lm, rows, rng, 2) < TOLERANCE


@pytest.mark.parametrize("family", [*FAMILIES, *MORE_FAMILIES])
def test_every_family_is_written_in_one_pass_a_step(family):
    lm = model_of(family)
    none = np.array([3, 4], dtype=np.int64)
    assert isinstance(lm.decoder([none, none[:1]]), JoinedDecoder)


def test_a_window_that_runs_full_while_writing(rng):
    lm = tiny("gemma3")
    given = prefixes(rng, (3, 12))
    decoder, rows = lm.decoder(given), [list(p) for p in given]
    assert write(decoder, lm, rows, rng, 24) < TOLERANCE


def test_a_head_that_cannot_be_separated(rng):
    lm = copy.copy(tiny("gemma2"))
    lm._head = None
    given = prefixes(rng, (3, 20))
    decoder, rows = lm.decoder(given), [list(p) for p in given]
    assert decoder.states.shape == (3, 512)
    assert write(decoder, lm, rows, rng, 3) < TOLERANCE


class Counting:
    """A forward function that notes what it was given."""

    def __init__(self, lm):
        self.inner, self.calls = lm._advance, []

    def __call__(self, ids, more):
        self.calls.append((tuple(ids.shape), sorted(more)))
        return self.inner(ids, more)


def test_equal_prefixes_are_read_once_and_written_apart(rng):
    lm = tiny("llama")
    forward = Counting(lm)
    one, two = prefixes(rng, (5, 9))[:2]
    given = [two, one, two.copy(), one, two]
    decoder, rows = JoinedDecoder(forward, given), [list(p) for p in given]
    assert [shape for shape, _ in forward.calls] == [(1, 9), (1, 5)]
    assert write(decoder, lm, rows, rng, 3) < TOLERANCE
    assert [shape for shape, _ in forward.calls[2:]] == [(5, 1)] * 3


def test_rows_of_one_length_need_no_mask(rng):
    forward = Counting(tiny("llama"))
    decoder = JoinedDecoder(forward, prefixes(rng, (7, 7)))
    decoder.step(np.array([3, 4, 5]))
    assert forward.calls[-1] == ((3, 1), ["cache"])
    decoder = JoinedDecoder(forward, prefixes(rng, (7, 6)))
    decoder.step(np.array([3, 4, 5]))
    assert forward.calls[-1] == ((3, 1), ["attention_mask", "cache", "position_ids"])


def broken(family, advance):
    """A model of the family whose forward pass is `advance(its own, ids, keywords)`."""
    lm = HuggingFaceModel(tiny(family)._model, tokenizer(), f"broken {family}")
    own = lm._advance
    lm._advance = lambda ids, more: advance(own, ids, more)
    return lm


def without_mask(own, ids, more):
    return own(ids, {k: v for k, v in more.items() if k != "attention_mask"})


def without_positions(own, ids, more):
    if "position_ids" in more:
        raise TypeError("forward() got an unexpected keyword argument 'position_ids'")
    return own(ids, more)


def of_one_row(own, ids, more):
    if len(ids) > 1:
        raise NotImplementedError("one row at a time")
    return own(ids, more)


@pytest.mark.parametrize(
    ("family", "advance"),
    [
        ("llama", without_mask),
        ("gpt2", without_mask),
        ("gemma3", without_positions),
        ("llama", of_one_row),
    ],
)
def test_a_model_that_cannot_be_joined_is_stepped_row_by_row_and_right(family, advance, rng):
    lm = broken(family, advance)
    given = prefixes(rng, (20, 3, 9))
    decoder, rows = lm.decoder(given), [list(p) for p in given]
    assert isinstance(decoder, SeparateDecoder)
    assert write(decoder, lm, rows, rng, 3) < TOLERANCE
    decoder.keep([2, 0])
    assert write(decoder, lm, [rows[2], rows[0]], rng, 3) < TOLERANCE
    # A row alone has nothing to be joined with.
    assert isinstance(lm.decoder(given[:1]), JoinedDecoder)


class Opaque:
    """A cache of a kind that nobody has met: it holds its texts and nothing else."""

    def __init__(self, texts):
        self.texts, self.layers = texts, [object()]


def reading(own, ids, more):
    """Reads everything anew at each step."""
    before = more["cache"].texts if "cache" in more else ids[:, :0]
    texts = torch.cat((before, ids), 1)
    return own(texts, {})[0], Opaque(texts)


def test_an_unknown_cache_is_left_alone_and_stepped_row_by_row(rng):
    lm = broken("llama", reading)
    given = prefixes(rng, (6, 3))
    decoder, rows = lm.decoder(given), [list(p) for p in given]
    assert isinstance(decoder, SeparateDecoder)
    assert write(decoder, lm, rows, rng, 3) < TOLERANCE
    cache = Opaque(torch.zeros(1, 1))
    with pytest.raises(TypeError, match="a cache layer is object"):
        joined([cache, cache], [0, 1])


@pytest.mark.parametrize("kind", [JoinedDecoder, SeparateDecoder])
def test_nothing_before_a_row_is_an_error(kind):
    ids = np.array([5, 6], dtype=np.int64)
    with pytest.raises(RecordError, match="row 1 has nothing before its first token; at least one"):
        kind(tiny("llama")._advance, [ids, ids[:0]])


def test_a_wrong_mask_would_be_seen(rng):
    """The comparison of these tests can fail: rows joined without their mask are far off."""
    lm = broken("llama", without_mask)
    given = prefixes(rng, (20, 3))
    decoder, rows = JoinedDecoder(lm._advance, given), [list(p) for p in given]
    assert write(decoder, lm, rows, rng, 1) > 100 * TOLERANCE
