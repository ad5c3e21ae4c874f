"""Copied runs: how long the verbatim run of words around each word is that stands in a source.

No model is asked. A run lies within one source text; case and punctuation do not count. Where a
script writes no spaces, each character counts as a word.
"""

import re
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from flowgauge.records import FloatArray, IntArray

#: A longer run is counted as this long: eight words in a row are hardly an accident.
MOST_WORDS = 8
_ALONE = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_ALONE}]|[^\W{_ALONE}]+(?:['’][^\W{_ALONE}]+)*")


def word_spans(text: str) -> list[tuple[int, int]]:
    """Characters (start, end) of each word.

    Example:
        >>> word_spans("It's 5.")
        [(0, 4), (5, 6)]
    """
    return [m.span() for m in _WORD.finditer(text)]


@lru_cache(maxsize=64)
def _words(text: str) -> tuple[str, ...]:
    return tuple(m.group().lower() for m in _WORD.finditer(text))


def copied_lengths(response: str, sources: Sequence[str]) -> FloatArray:
    """(word,) words of the longest run around each word that stands in one source, at most 8.

    Args:
        response: The text whose words are counted.
        sources: What they may be copied from, each by itself.

    Example:
        >>> copied_lengths("A b, x c", ["a b c", "x"])
        array([2., 2., 1., 1.])
    """
    numbers: dict[str, int] = {}
    ours = [numbers.setdefault(w, len(numbers)) for w in _words(response)]
    longest = np.zeros(len(ours))
    for source in sources:
        theirs = np.array([numbers.get(w, -1) for w in _words(source)], dtype=np.int64)
        ends = np.zeros(len(theirs) + 1, dtype=np.int64)  # run ending at word i and at theirs[j]
        for i, word in enumerate(ours):
            ends[1:] = np.where(theirs == word, ends[:-1] + 1, 0)
            n = int(ends.max())
            longest[i + 1 - n : i + 1] = np.maximum(longest[i + 1 - n : i + 1], n)
    return np.minimum(longest, MOST_WORDS)


def copied_words(response: str, offsets: IntArray, sources: Sequence[str]) -> FloatArray:
    """(time,) the copied run of the word each token begins in; nan for a token without a word.

    Args:
        response: The text.
        offsets: (time, 2) characters of each token in it.
        sources: What its words may be copied from.

    Example:
        >>> copied_words("The cat.", np.array([[0, 3], [3, 7], [7, 8]]), ["the cat sat"])
        array([ 2.,  2., nan])
    """
    spans = word_spans(response)
    if not spans:
        return np.full(len(offsets), np.nan)
    lengths = copied_lengths(response, sources)
    ends = np.array([end for _, end in spans])
    out = np.full(len(offsets), np.nan)
    for j, (start, end) in enumerate(offsets.tolist()):
        k = int(np.searchsorted(ends, start, side="right"))  # first word that ends after `start`
        if k < len(spans) and spans[k][0] < end:
            out[j] = lengths[k]
    return out
