"""Kinds of words that contradictions live on: content words, numbers, names, negations.

Rules on the surface of English, without a model; a name is a capitalised word that does not begin a
sentence, a line, a list item or a quotation.
"""

import re
from collections.abc import Callable
from functools import lru_cache

import numpy as np

from ragtruth.answers import Answer
from ragtruth.metrics import BoolArray
from ragtruth.overlap import stop_words, words

_NUMBER = re.compile(
    r".*\d.*|zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|(thir|four|fif|six|"
    r"seven|eigh|nine)teen|(twen|thir|for|fif|six|seven|eigh|nine)ty|hundred|thousand|million|"
    r"billion|half|twice|first|second|third|(four|fif|six|seven|eigh|nin|ten)th"
)
_NEGATION = re.compile(
    r"no|not|never|none|nothing|nobody|neither|nor|cannot|without|unable|rather|instead|.*n['’]t"
)
_BEGINS = re.compile(r"(?:^|[.!?:\n*•\-–—(\"“]|\d[.)])\s*$")
CONTENT, NUMBER, NAME, NEGATION = "content words", "numbers", "names", "negations"
CLASSES = (CONTENT, NUMBER, NAME, NEGATION)


def has_number(word: str) -> bool:
    """Whether a lower-cased word is a number, in digits or in letters.

    Example:
        >>> has_number("1990s"), has_number("ninth"), has_number("cat")
        (True, True, False)
    """
    return _NUMBER.fullmatch(word) is not None


def is_stop(word: str) -> bool:
    """Whether a lower-cased word says too little to be contradicted; numbers never do."""
    return word in stop_words() and not has_number(word)


def is_negation(word: str) -> bool:
    """Whether a lower-cased word turns a sentence round."""
    return _NEGATION.fullmatch(word) is not None


@lru_cache(maxsize=4096)
def spans_of(text: str, kind: str) -> list[tuple[str, int, int]]:
    """The words of one kind: lower-cased, with their characters.

    Example:
        >>> spans_of("In Rome, 2 cats did not eat.", NAME)
        [('rome', 3, 7)]
        >>> spans_of("In Rome, 2 cats did not eat.", NEGATION)
        [('not', 20, 23)]
    """
    rule = _RULES[kind]
    return [(w, start, end) for w, start, end in words(text) if rule(w, text, start, end)]


def _is_name(word: str, text: str, start: int) -> bool:
    before = text[max(start - 40, 0) : start]  # more would only cost time
    return text[start].isupper() and len(word) > 1 and not _BEGINS.search(before)


def _is_list_mark(text: str, start: int, end: int) -> bool:
    """ "3." at the start of a line, or the number of a passage: says nothing of the world."""
    line = text.rfind("\n", 0, start) + 1
    is_item = not text[line:start].strip() and text[end : end + 1] in (".", ")")
    before = re.search(r"passages? ?\(?(?:\d+ ?(?:,|&|and|or|to) ?)*$", text[:start], re.I)
    return is_item or before is not None


_RULES: dict[str, Callable[[str, str, int, int], bool]] = {
    CONTENT: lambda word, text, start, end: not is_stop(word),
    NUMBER: lambda word, text, start, end: has_number(word) and not _is_list_mark(text, start, end),
    NAME: lambda word, text, start, end: _is_name(word, text, start),
    NEGATION: lambda word, text, start, end: is_negation(word),
}


def tokens_of(answer: Answer, spans: list[tuple[str, int, int]]) -> BoolArray:
    """(time,) whether a token's characters belong to one of these words."""
    inside = np.zeros(len(answer.start), dtype=bool)
    for _, start, end in spans:
        inside |= (answer.start < end) & (answer.end > start)
    return inside
