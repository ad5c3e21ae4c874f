"""What the sources say nearest to a sentence: where the observer points, else by common words."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from flowgauge.pipeline.supporting import sentences_of

_WORD = re.compile(r"\w+")
#: How a source sentence was found, in words.
POINTED, COMMON = "pointed at", "most words in common"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSentence:
    """One sentence of a document beside a sentence of the response.

    Attributes:
        document: Index of the document, from 0.
        start, end: Characters in that document.
        text: These characters.
        weight: 0…1. Where the observer points: the share of the response sentence's surprise that
            points here. By common words: the share of its words that stand here.
        found: "pointed at" or "most words in common".
    """

    document: int
    start: int
    end: int
    text: str
    weight: float
    found: str


def nearest_by_words(text: str, documents: Sequence[str]) -> SourceSentence | None:
    """The source sentence with the largest overlap of words; None where no word is shared.

    A word counts by how few source sentences hold it, so that names decide and "the" does not. A
    common word is no sign that the source says the same.

    Args:
        text: A sentence of the response.
        documents: The sources.

    Example:
        >>> nearest_by_words("Ann sang.", ["The sun rose. Then Ann left."]).text
        'Then Ann left.'
        >>> nearest_by_words("Ann sang.", ["Nothing of that."]) is None
        True
    """
    wanted = _words(text)
    sentences = [(d, a, b) for d, whole in enumerate(documents) for a, b in sentences_of(whole)]
    found = [_words(documents[d][a:b]) & wanted for d, a, b in sentences]
    holders = Counter(word for words in found for word in words)
    if not holders:
        return None
    scores = [sum(1 / holders[word] for word in sorted(words)) for words in found]
    best = max(range(len(scores)), key=lambda i: (scores[i], -i))
    document, start, end = sentences[best]
    return SourceSentence(
        document=document,
        start=start,
        end=end,
        text=documents[document][start:end],
        weight=len(found[best]) / len(wanted),
        found=COMMON,
    )


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text.casefold()))
