"""Two scores that need no model: content words found in the documents, longest copied n-gram."""

import re
from functools import cache

import numpy as np

from flowgauge.records import FloatArray
from ragtruth.answers import Answer, token_means

_WORD = re.compile(r"\w+(?:['’]\w+)*")

Words = tuple[tuple[str, int, int], ...]


def words(text: str) -> Words:
    """Words of a text, lower-cased, with their characters.

    Example:
        >>> words("It's 5.")
        (("it's", 0, 4), ('5', 5, 6))
    """
    return tuple((m.group().lower(), m.start(), m.end()) for m in _WORD.finditer(text))


@cache
def stop_words() -> frozenset[str]:
    """scikit-learn's list of English words without content of their own."""
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    return frozenset(ENGLISH_STOP_WORDS)


def found_words(response: Words, documents: tuple[Words, ...]) -> FloatArray:
    """(word,) 1 where a content word stands in a document, 0 where not, nan for stop words."""
    known = {w for document in documents for w, _, _ in document}
    stop = stop_words()
    return np.array([np.nan if w in stop else float(w in known) for w, _, _ in response])


def copied_lengths(response: Words, documents: tuple[Words, ...]) -> FloatArray:
    """(word,) length of the longest n-gram around each word that stands in one document [words].

    Example:
        >>> copied_lengths(words("a b x c"), (words("a b c"),)).tolist()
        [2.0, 2.0, 0.0, 1.0]
    """
    ours = np.array([w for w, _, _ in response], dtype=object)
    longest = np.zeros(len(ours))
    for document in documents:
        theirs = np.array([w for w, _, _ in document], dtype=object)
        # ends[j]: length of the common run that ends at our word i and their word j.
        ends = np.zeros(len(theirs), dtype=np.int64)
        for i, word in enumerate(ours):
            before = np.concatenate(([0], ends[:-1])) if len(ends) else ends
            ends = np.where(theirs == word, before + 1, 0)
            length = int(ends.max(initial=0))
            longest[i - length + 1 : i + 1] = np.maximum(longest[i - length + 1 : i + 1], length)
    return longest


def _to_tokens(values: FloatArray, response: Words, answer: Answer) -> FloatArray:
    """(time,) values of the words on the tokens; between words the earlier one's value holds."""
    characters = np.full(len(answer.response), values[0])
    for value, (_, start, _) in zip(values, response, strict=True):
        characters[start:] = value
    return token_means(characters, answer)


def _carried(values: FloatArray) -> FloatArray:
    """Values with nan replaced by the last number before it, or else the first after it."""
    good = np.flatnonzero(~np.isnan(values))
    if not len(good):
        return np.ones(len(values))
    place = np.searchsorted(good, np.arange(len(values)), side="right") - 1
    return values[good[np.maximum(place, 0)]]


def overlap_tokens(answer: Answer) -> FloatArray:
    """(time,) whether the content word at each token stands in the documents, 0…1."""
    response = words(answer.response)
    if not response:
        return np.ones(len(answer.start))
    found = found_words(response, tuple(map(words, answer.documents)))
    return _to_tokens(_carried(found), response, answer)


def overlap_share(answer: Answer) -> float:
    """Share of the response's content words that stand in the documents; 1 if it has none."""
    found = found_words(words(answer.response), tuple(map(words, answer.documents)))
    return float(np.nanmean(found)) if np.any(~np.isnan(found)) else 1.0


def copied_tokens(answer: Answer) -> FloatArray:
    """(time,) length of the longest copied n-gram around each token [words]."""
    response = words(answer.response)
    if not response:
        return np.zeros(len(answer.start))
    lengths = copied_lengths(response, tuple(map(words, answer.documents)))
    return _to_tokens(lengths, response, answer)
