"""Support: monotone in its parts, its levels, what is said without pointers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowgauge.errors import SettingsError, ShapeError
from flowgauge.support import (
    Constants,
    Levels,
    Parts,
    ResponseColumns,
    Spread,
    constants_from_json,
    learn_constants,
    support_scores,
)

ONE = Spread(mean=0.0, sd=1.0)
LEVELS = Levels(tokens=ONE, sentences=ONE, responses=ONE)
CONSTANTS = Constants(
    parts=Parts(fraction=ONE, copied=ONE, pointer=ONE),
    with_pointer=LEVELS,
    without_pointer=LEVELS,
    text="none",
)


def columns(rng, n=30, pointer=True):
    q = rng.uniform(0.5, 4, n)
    return ResponseColumns(
        density=q * rng.uniform(-0.5, 1, n),
        surprisal_q=q,
        copied_words=rng.integers(0, 9, n).astype(float),
        pointer=rng.uniform(0, 1, n) if pointer else None,
        sentence=np.repeat(np.arange(3), n // 3),
    )


def changed(c, **more):
    names = ("density", "surprisal_q", "copied_words", "pointer", "sentence")
    return ResponseColumns(**{**{n: getattr(c, n) for n in names}, **more})


@settings(derandomize=True, deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(0, 29))
def test_more_of_any_part_anywhere_never_lowers_support(seed, place):
    c = columns(np.random.default_rng(seed))
    before = support_scores(c, CONSTANTS)
    step = np.zeros(30)
    step[place] = 0.3
    for more in (
        {"density": c.density + step},
        {"copied_words": c.copied_words + step},
        {"pointer": c.pointer + step},
    ):
        after = support_scores(changed(c, **more), CONSTANTS)
        assert (after.tokens >= before.tokens - 1e-12).all()
        assert (after.sentences >= before.sentences - 1e-12).all()
        assert after.response >= before.response - 1e-12
        assert after.tokens.sum() > before.tokens.sum()


def test_a_bad_span_lowers_the_response_below_its_mean(rng):
    c = columns(rng, 60)
    good = changed(c, density=0.9 * c.surprisal_q, copied_words=np.full(60, 8.0),
                   pointer=np.full(60, 0.9))  # fmt: skip
    bad = good.density.copy()
    bad[20:40] = -2.0
    one_bad = support_scores(changed(good, density=bad), CONSTANTS)
    assert one_bad.sentences.argmin() == 1
    assert one_bad.response < one_bad.tokens.mean()


def test_without_pointers_the_other_parts_stand_alone(rng):
    with_, without = columns(rng), columns(rng, pointer=False)
    assert support_scores(without, CONSTANTS).parts.pointer is None
    no_constants = Constants(
        parts=Parts(fraction=ONE, copied=ONE, pointer=None),
        with_pointer=None,
        without_pointer=LEVELS,
        text="none",
    )
    a = support_scores(with_, no_constants).tokens
    b = support_scores(changed(with_, pointer=None), no_constants).tokens
    np.testing.assert_array_equal(a, b)


def test_a_response_without_tokens_has_no_support():
    none = np.zeros(0)
    c = ResponseColumns(
        density=none, surprisal_q=none, copied_words=none, pointer=none,
        sentence=np.zeros(0, dtype=np.int64),
    )  # fmt: skip
    found = support_scores(c, CONSTANTS)
    assert np.isnan(found.response)
    assert len(found.tokens) == len(found.sentences) == 0


def test_columns_of_different_lengths_are_refused(rng):
    with pytest.raises(ShapeError, match="pointer has 2 tokens, density 30"):
        changed(columns(rng), pointer=np.ones(2))


def test_learnt_constants_put_ordinary_text_in_the_middle(rng):
    ordinary = [columns(rng) for _ in range(200)]
    learnt = learn_constants(ordinary, "random columns")
    found = [support_scores(c, learnt) for c in ordinary]
    tokens = np.concatenate([f.tokens for f in found])
    responses = np.array([f.response for f in found])
    # Means of shares of a distribution that is only nearly normal.
    assert abs(tokens.mean() - 0.5) < 0.02
    assert abs(responses.mean() - 0.5) < 0.02
    assert 0.1 < np.mean(responses < 0.2) < 0.3
    assert constants_from_json(learnt.as_json()) == learnt


def test_constants_without_pointers_are_learnt_where_one_response_has_none(rng):
    some = [columns(rng) for _ in range(40)] + [columns(rng, pointer=False)]
    learnt = learn_constants(some, "mixed")
    assert learnt.parts.pointer is None
    assert learnt.with_pointer is None
    assert constants_from_json(learnt.as_json()) == learnt


def test_too_little_or_too_uniform_text_is_refused(rng):
    with pytest.raises(SettingsError, match="29 responses with documents came, at least 30"):
        learn_constants([columns(rng) for _ in range(29)], "few")
    same = columns(rng)
    flat = changed(same, density=np.zeros(30), copied_words=np.zeros(30), pointer=np.zeros(30))
    with pytest.raises(SettingsError, match="more varied, unlabelled text"):
        learn_constants([flat] * 30, "flat")
    with pytest.raises(SettingsError, match="no constants of support"):
        constants_from_json({"parts": {}})
