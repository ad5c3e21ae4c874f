"""Support: how well text is supported by its sources, as this observer sees it, 0…1.

Two parts, each an average over the text around a token:

    local flow fraction   the share of the local surprise that the source explains
    pointer               the attention that the copy heads pay to this very token in the source

Each is standardised by its mean and spread on unlabelled text, and they are added. The sum is
averaged over a sentence; over a response it is the mean of its mean and its low tenth, since one
bad span makes a bad answer. The result is shown as a share: 0.2 means that four in five ordinary
tokens (sentences, responses) are better supported. How it was chosen: docs/support.md.
"""

from dataclasses import dataclass

import numpy as np

from flowgauge.errors import ShapeError
from flowgauge.records import FloatArray, IntArray
from flowgauge.support.constants import Constants, Spread
from flowgauge.support.local import gaussian_average, local_flow_fraction

#: The low quantile that stands for the worst span of a response.
LOW = 0.1
#: Below this support a sentence or response is called unsupported: four in five are better.
THRESHOLD = 0.2
BOTH = "local flow fraction and source pointers"
ALONE = "local flow fraction alone: without copy heads there are no source pointers"


@dataclass(frozen=True, slots=True, kw_only=True)
class SupportScores:
    """Support of one response, and what it is made of.

    It is no statement about truth: a response can follow a document that is wrong, and a sentence
    that contradicts its source in the source's own words looks supported. It is what one observer
    model sees; a larger one may see more.

    Attributes:
        tokens: (time,) support of the text around each token, 0…1.
        sentences: (sentence,) support of each sentence, 0…1; nan for one without tokens.
        response: Support of the whole, 0…1; weighs its worst span; nan without tokens.
        local_fraction: (time,) the first part, −1…1.
        local_pointer: (time,) the second, 0…1; None where the model has no copy heads.
        words: What the score is made of, and what is missing.
    """

    tokens: FloatArray
    sentences: FloatArray
    response: float
    local_fraction: FloatArray
    local_pointer: FloatArray | None
    words: str


def low_mean(values: FloatArray) -> float:
    """Mean of the mean and the low tenth; the unit is kept.

    Example:
        >>> low_mean(np.array([0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]))
        0.9545454545454546
    """
    return float((values.mean() + np.quantile(values, LOW)) / 2)


def support_scores(
    density: FloatArray,
    surprisal_q: FloatArray,
    pointer: FloatArray | None,
    sentence: IntArray,
    constants: Constants,
) -> SupportScores:
    """Support of the tokens, sentences and whole of one response, 0…1.

    Args:
        density: (time,) log P/Q of the tokens written [nats].
        surprisal_q: (time,) −log Q of the tokens written [nats].
        pointer: (time,) mass of the copy heads, 0…1; None where the model has none.
        sentence: (time,) sentence of each token, from 0.
        constants: Where ordinary text lies.

    Raises:
        ShapeError: The columns differ in length.
    """
    n = len(density)
    for name, column in (
        ("surprisal_q", surprisal_q),
        ("pointer", pointer),
        ("sentence", sentence),
    ):
        if column is not None and len(column) != n:
            raise ShapeError(f"{name} has {len(column)} tokens, density {n}; the same was needed")
    fraction = local_flow_fraction(density, surprisal_q)
    total, level = constants.fraction.standardise(fraction), constants.alone
    local_pointer, words = None, ALONE
    if pointer is not None and constants.pointer and constants.with_pointer:
        local_pointer, words = gaussian_average(pointer), BOTH
        total = combine(fraction, local_pointer, constants.fraction, constants.pointer)
        level = constants.with_pointer
    count = int(sentence.max()) + 1 if n else 0
    means = [total[sentence == k].mean() if (sentence == k).any() else np.nan for k in range(count)]
    return SupportScores(
        tokens=level.tokens.share(total),
        sentences=level.sentences.share(np.array(means, dtype=np.float64)),
        response=float(level.responses.share(np.array([low_mean(total)]))[0]) if n else np.nan,
        local_fraction=fraction,
        local_pointer=local_pointer,
        words=words,
    )


def combine(
    fraction: FloatArray, local_pointer: FloatArray, of_fraction: Spread, of_pointer: Spread
) -> FloatArray:
    """Sum of the two standardised parts, in standard deviations of one.

    Example:
        >>> one = Spread(mean=0.0, sd=1.0)
        >>> combine(np.array([1.0]), np.array([2.0]), one, one)
        array([3.])
    """
    return of_fraction.standardise(fraction) + of_pointer.standardise(local_pointer)
