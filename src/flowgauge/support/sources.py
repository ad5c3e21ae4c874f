"""Where a sentence stands: the source sentences that its tokens point at.

A token's pointer counts as much as the token would surprise without the source, so that names and
numbers decide and "the" does not: the weight of a source sentence is the share of the response
sentence's surprise that points at it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from flowgauge.records import FloatArray, IntArray

#: Source sentences kept for one sentence of the response, and the least weight of one.
MOST_SOURCES, LEAST_WEIGHT = 3, 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSpan:
    """One sentence of a document that a sentence of the response points at.

    Attributes:
        document: Its index.
        start, end: Characters in that document.
        weight: Share of the response sentence's surprise that points at it, 0…1.
    """

    document: int
    start: int
    end: int
    weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPointers:
    """Pointers of a response as places in its documents.

    Attributes:
        mass: (time,) 0…1.
        document: (time,) index of the document, −1 for none.
        start, end: (time,) characters in that document; 0 where there is none.
    """

    mass: FloatArray
    document: IntArray
    start: IntArray
    end: IntArray


def source_spans(
    pointers: TokenPointers,
    surprisal_q: FloatArray,
    sentences: Sequence[Sequence[tuple[int, int]]],
) -> tuple[SourceSpan, ...]:
    """The source sentences that some tokens point at, best first.

    Args:
        pointers: Of the tokens of one sentence of the response.
        surprisal_q: (time,) −log Q of the same tokens [nats].
        sentences: Character spans of the sentences of each document, in order.

    Example:
        >>> one = np.array([0]), np.array([4]), np.array([9])
        >>> p = TokenPointers(mass=np.array([0.5]), document=one[0], start=one[1], end=one[2])
        >>> source_spans(p, np.array([3.0]), [[(0, 3), (3, 12)]])
        (SourceSpan(document=0, start=3, end=12, weight=0.5),)
    """
    total = float(surprisal_q.sum())
    weights: dict[tuple[int, int], float] = {}
    for j in np.flatnonzero(pointers.document >= 0):
        document = int(pointers.document[j])
        ends = [end for _, end in sentences[document]]
        # A token's first character may be the space before its word.
        place = int(np.searchsorted(ends, int(pointers.end[j]) - 1, side="right"))
        place = min(place, len(ends) - 1)
        share = float(pointers.mass[j] * surprisal_q[j]) / total if total > 0 else 0.0
        weights[document, place] = weights.get((document, place), 0.0) + share
    best = sorted(weights.items(), key=lambda item: (-item[1], item[0]))[:MOST_SOURCES]
    return tuple(
        SourceSpan(
            document=document,
            start=sentences[document][place][0],
            end=sentences[document][place][1],
            weight=round(weight, 6),
        )
        for (document, place), weight in best
        if weight >= LEAST_WEIGHT
    )
