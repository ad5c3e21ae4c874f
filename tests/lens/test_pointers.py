"""Source pointers against whole attention matrices; cached = uncached, batched = single."""

from dataclasses import replace

import numpy as np
import pytest
from oracles.pointers import pointers_of
from oracles.tiny_models import tiny

from flowgauge.lens import CopyHeads, SourcePointers, copy_heads
from flowgauge.records import Record
from flowgauge.scores import ScoreSettings, score
from flowgauge.text import ChatTemplate, Omit, PlainTemplate, align

# Attention weights of float32 passes, with and without a cache, padded and not.
TOLERANCE = 1e-4
FAMILIES = ("llama", "gpt2", "qwen3-moe", "gemma2", "gemma3")
# Any heads will do to compare numbers; these reach every layer and a shared key head.
HEADS = CopyHeads(heads=((0, 0), (0, 3), (1, 1), (1, 2)), scores=(0.9, 0.8, 0.7, 0.6), best=0.9)
LONG = "Once upon a time there was a little dog who loved to play in the big green park. " * 2
OTHER = "One day a girl named Lily went to the river with her mom to look at the fish. " * 2


def records():
    texts = ("The Dog was happy.", "She saw a fish and a big red ball in the park 😀.", "He")
    return [
        Record(id=f"{s}{r}", question="What then?", documents=(source, "A red ball."), response=x)
        for s, source in enumerate((LONG, OTHER))
        for r, x in enumerate(texts)
    ]


def tokens_of(lm, rows):
    template = ChatTemplate(lm.chat) if lm.has_chat_template else PlainTemplate()
    return [align(r.id, template.compose(r, Omit()), r.response, lm) for r in rows]


def pointers(tokens, lm, **settings):
    found = score(tokens, lm, ScoreSettings(**settings), probe=SourcePointers(HEADS))
    return [f.pointers for f in found]


@pytest.mark.parametrize("family", FAMILIES)
def test_pointers_equal_whole_eager_attention(family):
    lm = tiny(family)
    tokens = tokens_of(lm, records())
    largest, named = 0.0, []
    for found, t in zip(pointers(tokens, lm), tokens, strict=True):
        mass, position = pointers_of(lm, t, HEADS.heads)
        np.testing.assert_allclose(found.mass, mass, atol=TOLERANCE)
        sure = mass > 1e-3  # where two places tie to rounding, either may be named
        named += (found.position[sure] == position[sure]).tolist()
        largest = max(largest, float(found.mass.max()))
    assert np.mean(named) > 0.98
    assert largest > 0.005  # wide random weights spread the attention


@pytest.mark.parametrize("family", FAMILIES)
def test_cached_is_uncached_and_batched_is_single(family):
    lm = tiny(family)
    tokens = tokens_of(lm, records())
    together = pointers(tokens, lm)
    uncached = pointers(tokens, lm, share_prefixes=False)
    for i, t in enumerate(tokens):
        [alone] = pointers([t], lm)
        np.testing.assert_allclose(together[i].mass, alone.mass, atol=TOLERANCE)
        np.testing.assert_allclose(together[i].mass, uncached[i].mass, atol=TOLERANCE)


@pytest.mark.parametrize("family", ["llama", "gemma3"])
def test_every_other_column_is_the_same_with_and_without(family):
    lm = tiny(family)
    tokens = tokens_of(lm, records())
    with_, without = score(tokens, lm, probe=SourcePointers(HEADS)), score(tokens, lm)
    for a, b in zip(with_, without, strict=True):
        assert b.pointers is None
        assert np.array_equal(a.log_p, b.log_p)
        assert np.array_equal(a.drift, b.drift)


def test_equal_records_have_equal_pointers():
    lm = tiny("llama")
    first = records()[0]
    tokens = tokens_of(lm, [first, replace(first, id="again")])
    a, b = pointers(tokens, lm)
    assert a.mass.max() > 0
    np.testing.assert_array_equal(a.mass, b.mass)


def test_words_of_the_question_count_as_given():
    lm = tiny("llama")
    rows = [
        Record(id="1", question="Tom saw", response=" Tom a dog", documents=("It rained.",)),
        Record(id="2", question="It rained", response=" green", documents=()),
    ]
    tokens = tokens_of(lm, rows)
    asked, nothing = pointers(tokens, lm)
    points = asked.position[asked.position >= 0]
    assert (tokens[0].prompt_part[points] == -1).any()
    held = {lm.token_text([int(i)])[0].strip().lower() for i in tokens[1].prompt_ids}
    for j, token in enumerate(tokens[1].response_ids):
        if lm.token_text([int(token)])[0].strip().lower() not in held:
            assert (nothing.mass[j], nothing.position[j]) == (0.0, -1)


def test_a_response_without_tokens_has_no_pointers():
    lm = tiny("llama")
    [t] = tokens_of(lm, records()[:1])
    none = np.zeros(0, dtype=np.int64)
    [found] = pointers([replace(t, response_ids=none, offsets=none.reshape(0, 2))], lm)
    assert len(found.mass) == len(found.position) == 0


@pytest.mark.real
def test_the_default_model_finds_a_random_string_in_its_prompt(load_preset, rng):
    """Random words stand once in the document; the response repeats them."""
    lm = load_preset("smollm2-135m")
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    right = total = 0
    for k in range(4):
        words = [" ".join("".join(rng.choice(letters, 5)) for _ in range(12)) for _ in range(2)]
        record = Record(
            id=str(k), question="Repeat it.", documents=(words[0], words[1]), response=words[1]
        )
        [t] = tokens_of(lm, [record])
        [found] = score([t], lm, probe=SourcePointers(copy_heads(lm)))
        place = np.flatnonzero(t.prompt_part == 1)
        spans = {tuple(t.prompt_offsets[p]): int(p) for p in place}
        for j, (start, end) in enumerate(t.offsets.tolist()):
            if j == 0:
                continue  # nothing before it says where the copy begins
            total += 1
            right += spans.get((start, end)) == int(found.pointers.position[j])
    assert total > 100
    assert right / total >= 0.95
