"""Copied runs against a search for every run; what counts as a word."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import support_parts as oracle

from flowgauge.support import copied_words
from flowgauge.support.copied import copied_lengths, word_spans

TEXT = st.lists(st.sampled_from(["a", "b", "c", "The", "x1"]), max_size=14).map(" ".join)


@settings(derandomize=True, deadline=None, max_examples=150)
@given(TEXT, st.lists(TEXT, max_size=3))
def test_lengths_are_those_of_every_run(response, sources):
    assert copied_lengths(response, sources).tolist() == (
        oracle.copied_lengths(response, sources).tolist()
    )


def test_a_run_is_counted_up_to_eight_and_within_one_source():
    text = " ".join(f"w{i}" for i in range(12))
    assert copied_lengths(text, [text]).tolist() == [8.0] * 12
    halves = [" ".join(f"w{i}" for i in range(6)), " ".join(f"w{i}" for i in range(6, 12))]
    assert copied_lengths(text, halves).tolist() == [6.0] * 12


def test_case_and_punctuation_do_not_count():
    assert copied_lengths("PARIS, France's capital!", ["paris france's (capital)"]).tolist() == (
        [3.0, 3.0, 3.0]
    )


def test_characters_count_as_words_where_no_spaces_are_written():
    assert word_spans("東京 Tokyo") == [(0, 1), (1, 2), (3, 8)]
    assert copied_lengths("東京都", ["東京は"]).tolist() == [2.0, 2.0, 0.0]


@pytest.mark.parametrize(
    ("text", "offsets", "wanted"),
    [
        ("The cat.", [[0, 3], [3, 7], [7, 8]], [2, 2, np.nan]),
        ("catlike", [[0, 3], [3, 7]], [0, 0]),  # pieces of a word have the word's run
        ("...", [[0, 3]], [np.nan]),
        ("", [], []),
        ("😀 cat", [[0, 1], [0, 1], [1, 5]], [np.nan, np.nan, 1]),
    ],
)
def test_tokens_have_the_run_of_their_word(text, offsets, wanted):
    found = copied_words(text, np.array(offsets).reshape(-1, 2), ["the cat sat"])
    np.testing.assert_array_equal(found, np.array(wanted, dtype=float))
