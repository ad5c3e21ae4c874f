"""Support: how well text is supported by its sources, as this observer sees it, 0…1.

Three parts, each an average over the text around a token (`local.py`):

    local flow fraction   the share of the local surprise that the source explains
    copied words          log(1 + length) of the verbatim runs that stand in a source
    pointer               the attention that the copy heads pay to this very token in the prompt

Each is standardised by its mean and spread on unlabelled text, and they are averaged. A sentence
has the mean of its tokens; a response the value of its worst fifth, since one bad span makes a bad
answer. The result is shown as a share: 0.2 means that four in five ordinary tokens (sentences,
responses) are better supported. How it was chosen: experiments/ragtruth/README.md.
"""

from dataclasses import dataclass

import numpy as np

from flowgauge.errors import ShapeError
from flowgauge.records import FloatArray, IntArray
from flowgauge.support.constants import Constants, Parts
from flowgauge.support.local import local_average, local_flow_fraction

#: The quantile over its tokens that stands for a response.
WORST = 0.2
#: Below this support a sentence or response is called unsupported: four in five are better.
THRESHOLD = 0.2
ALL_PARTS = "local flow fraction, copied words and source pointers"
NO_POINTERS = "local flow fraction and copied words: without copy heads there are no pointers"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseColumns:
    """What support needs of one response.

    Attributes:
        density, surprisal_q: (time,) log P/Q and −log Q of the tokens written [nats].
        copied_words: (time,) `copied_words` of the response, nan for a token without a word.
        pointer: (time,) 0…1, or None without copy heads.
        sentence: (time,) sentence of each token, from 0.
    """

    density: FloatArray
    surprisal_q: FloatArray
    copied_words: FloatArray
    pointer: FloatArray | None
    sentence: IntArray

    def __post_init__(self) -> None:
        for name in ("surprisal_q", "copied_words", "pointer", "sentence"):
            column = getattr(self, name)
            if column is not None and len(column) != len(self.density):
                raise ShapeError(
                    f"{name} has {len(column)} tokens, density {len(self.density)}; the same "
                    "response was needed"
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class SupportScores:
    """Support of one response.

    It is no statement about truth: a response can follow a document that is wrong, and a sentence
    that contradicts its source in the source's own words looks supported. It is what one observer
    model sees; a larger one may see more. A refusal ("the passages do not say") claims nothing and
    has little support.

    Attributes:
        tokens: (time,) support of the text around each token, 0…1.
        sentences: (sentence,) support of each sentence, 0…1; nan for one without tokens.
        response: Support of the whole, 0…1: of its worst fifth; nan without tokens.
        parts: What it was made of.
    """

    tokens: FloatArray
    sentences: FloatArray
    response: float
    parts: "LocalParts"


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalParts:
    """The parts of support, each (time,), averaged over the text around a token.

    Attributes:
        fraction: Local flow fraction, −1…1.
        copied: log(1 + copied words).
        pointer: 0…1; None without copy heads.
    """

    fraction: FloatArray
    copied: FloatArray
    pointer: FloatArray | None


def local_parts(columns: ResponseColumns) -> LocalParts:
    """The parts of support of one response."""
    return LocalParts(
        fraction=local_flow_fraction(columns.density, columns.surprisal_q),
        copied=local_average(np.log1p(columns.copied_words)),
        pointer=None if columns.pointer is None else local_average(columns.pointer),
    )


def worst_fifth(values: FloatArray) -> float:
    """The 20 % quantile, which a fifth of the tokens do not reach; the unit is kept.

    Example:
        >>> worst_fifth(np.array([0.0, 1.0, 2.0, 3.0, 4.0, 5.0]))
        1.0
    """
    return float(np.quantile(values, WORST))


def standard_mean(parts: LocalParts, constants: Parts) -> FloatArray:
    """(time,) mean of the standardised parts [standard deviations]."""
    found = [
        constants.fraction.standardise(parts.fraction),
        constants.copied.standardise(parts.copied),
    ]
    if parts.pointer is not None and constants.pointer is not None:
        found.append(constants.pointer.standardise(parts.pointer))
    return np.mean(found, axis=0)


def support_scores(columns: ResponseColumns, constants: Constants) -> SupportScores:
    """Support of the tokens, sentences and whole of one response, 0…1.

    Args:
        columns: Of the response.
        constants: Where ordinary text lies for this observer.
    """
    parts = local_parts(columns)
    total = standard_mean(parts, constants.parts)
    level = constants.without_pointer
    if parts.pointer is not None and constants.with_pointer is not None:
        level = constants.with_pointer
    n, sentence = len(total), columns.sentence
    count = int(sentence.max()) + 1 if n else 0
    means = [total[sentence == k].mean() if (sentence == k).any() else np.nan for k in range(count)]
    return SupportScores(
        tokens=level.tokens.share(total),
        sentences=level.sentences.share(np.array(means, dtype=np.float64)),
        response=float(level.responses.share(np.array([worst_fifth(total)]))[0]) if n else np.nan,
        parts=parts,
    )
