"""Effects of tokens summed up to documents and sentences."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from flowgauge.errors import ShapeError
from flowgauge.records import FloatArray, IntArray
from flowgauge.text import sentence_spans


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """A sentence of a document or of the response.

    Attributes:
        document: Index of the document; −1 for the response.
        start, end: Characters in it.
        text: These characters.
    """

    document: int
    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SentenceEffects:
    """Totals by source sentence and response sentence.

    Attributes:
        source: Sentences of the documents, in order.
        response: Sentences of the response, in order.
        effects: (source, response) [nats].
    """

    source: tuple[Sentence, ...]
    response: tuple[Sentence, ...]
    effects: FloatArray


def sum_groups(effects: npt.ArrayLike, groups: IntArray, count: int, axis: int) -> FloatArray:
    """Sums of entries with the same group along an axis, float64; group −1 is left out.

    Args:
        effects: Any array.
        groups: (axis,) group of each entry, −1 … count − 1.
        count: Number of groups.
        axis: Which axis; it becomes `count` long.

    Raises:
        ShapeError: There is not one group an entry.

    Example:
        >>> sum_groups([[1.0, 2.0, 4.0]], np.array([1, -1, 1]), 2, axis=1)
        array([[0., 5.]])
    """
    values = np.moveaxis(np.asarray(effects, dtype=np.float64), axis, 0)
    if groups.shape != values.shape[:1]:
        raise ShapeError(f"{len(groups)} groups were given for {values.shape[0]} entries")
    out = np.zeros((count, *values.shape[1:]))
    inside = groups >= 0
    np.add.at(out, groups[inside], values[inside])
    return np.moveaxis(out, 0, axis)


def sentences_in(text: str, document: int) -> tuple[Sentence, ...]:
    """The sentences of one text."""
    return tuple(
        Sentence(document=document, start=start, end=end, text=text[start:end])
        for start, end in sentence_spans(text)
    )


def sentence_of_tokens(
    texts: Sequence[str], part: IntArray, offsets: IntArray, sentences: Sequence[Sentence]
) -> IntArray:
    """(token,) the sentence in which each token begins, its leading white space not counted.

    Args:
        texts: Where tokens may stand: the documents, or the response alone.
        part: (token,) index of a token's text; −1 for none.
        offsets: (token, 2) its characters there.
        sentences: Of these texts, in order; the response's count as text 0.

    Returns:
        Indices into `sentences`, −1 where there is none.
    """
    of = np.array([max(s.document, 0) for s in sentences], dtype=np.int64)
    ends = np.array([s.end for s in sentences], dtype=np.int64)
    found = np.full(len(part), -1, dtype=np.int64)
    for j, (text, (start, end)) in enumerate(zip(part.tolist(), offsets.tolist(), strict=True)):
        mine = np.flatnonzero(of == text)
        if text < 0 or not len(mine):
            continue
        piece = texts[text][start:end]
        if piece.strip():
            start += len(piece) - len(piece.lstrip())
        place = int(np.searchsorted(ends[mine], start, side="right"))
        found[j] = mine[min(place, len(mine) - 1)]
    return found
