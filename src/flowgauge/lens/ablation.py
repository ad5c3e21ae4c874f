"""Do direct effects rank like ablation? Ranks of both over many records, with an interval.

A direct effect is no causal one, so the agreement is measured and reported, never assumed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from flowgauge.errors import InputError, SettingsError, ShapeError
from flowgauge.lens.aggregate import sentence_of_tokens, sentences_in, sum_groups
from flowgauge.models.protocol import LanguageModel
from flowgauge.records import FloatArray, IntArray, Tokens
from flowgauge.scores import ScoreSettings, score


@dataclass(frozen=True, slots=True, kw_only=True)
class BootstrapSettings:
    """How the interval is drawn: whole records, with replacement.

    Args:
        draws: How many.
        coverage: Share of the draws between the two ends.
        seed: Of the draws.
    """

    draws: int = 2000
    coverage: float = 0.95
    seed: int = 0

    def __post_init__(self) -> None:
        if self.draws < 1 or not 0 < self.coverage < 1:
            raise SettingsError(f"{self}: draws ≥ 1 and 0 < coverage < 1 were needed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Correlation:
    """A Spearman rank correlation with its bootstrap interval.

    Attributes:
        rho: −1…1; nan where one side does not vary.
        low, high: Ends of the percentile interval over resampled records; nan for one record.
    """

    rho: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AblationComparison:
    """Direct effects beside ablation: one entry a record, document and response sentence.

    Attributes:
        lens, ablation: (pair,) total of the document's direct effects on the sentence, and by how
            much the sentence's log P falls without the document [nats].
        record, document, sentence: (pair,) where each stands.
        n: Number of records.
        overall: Rank correlation over all pairs. Long sentences weigh on both sides alike.
        documents: The same of document totals over whole responses.
        within: Rank correlation of documents within one sentence: ranks are taken among the
            documents of one sentence and centred there; nan with single documents.
    """

    lens: FloatArray
    ablation: FloatArray
    record: IntArray
    document: IntArray
    sentence: IntArray
    n: int
    overall: Correlation
    documents: Correlation
    within: Correlation


def sentence_falls(without: Sequence[Tokens], response: str, lm: LanguageModel) -> FloatArray:
    """By how much log P of each sentence of a response falls without each document [nats].

    The flow of each sentence when the reference law goes without that one document.

    Args:
        without: One a document: tokens of the same response, the reference without the document.
        response: Its text.
        lm: Any model.

    Returns:
        (document, sentence).
    """
    sentences = sentences_in(response, -1)
    out = np.zeros((len(without), len(sentences)))
    columns = score(without, lm, ScoreSettings(orders=(-1.0,), alternatives=1))
    for row, (tokens, found) in enumerate(zip(without, columns, strict=True)):
        zero = np.zeros(len(tokens.offsets), dtype=np.int64)
        of = sentence_of_tokens((response,), zero, tokens.offsets, sentences)
        out[row] = sum_groups(found.log_p - found.log_q, of, len(sentences), axis=0)
    return out


def compare_with_ablation(
    lens: Sequence[FloatArray],
    ablation: Sequence[FloatArray],
    settings: BootstrapSettings | None = None,
) -> AblationComparison:
    """Rank correlations of direct effects with the effects of ablation.

    Args:
        lens: One (document, response sentence) array a record [nats].
        ablation: The same, by how much log P falls without the document [nats].
        settings: Of the bootstrap.

    Raises:
        InputError: There is no record.
        ShapeError: The arrays of a record differ in shape.

    References:
        [efron:82] for the bootstrap; records are the units, for sentences of one are alike.

    Example:
        >>> a = [np.array([[1.0, 5.0], [2.0, 7.0]]), np.array([[0.5], [0.1]])]
        >>> compare_with_ablation(a, a).overall.rho
        1.0
    """
    settings = settings or BootstrapSettings()
    if not lens or len(lens) != len(ablation):
        raise InputError(
            f"{len(lens)} records with direct effects and {len(ablation)} with ablations were "
            "given; one of each a record was needed, and one record at least"
        )
    for row, (x, y) in enumerate(zip(lens, ablation, strict=True)):
        if x.shape != y.shape or x.ndim != 2:
            raise ShapeError(
                f"record {row} has direct effects {x.shape} and ablations {y.shape}; one shape "
                "(document, sentence) was needed"
            )
    pairs = [(r, d, s) for r, x in enumerate(lens) for d, s in np.ndindex(*x.shape)]
    record, document, sentence = np.array(pairs, dtype=np.int64).reshape(-1, 3).T
    flat = [x.ravel() for x in lens], [x.ravel() for x in ablation]
    totals = [x.sum(axis=1) for x in lens], [x.sum(axis=1) for x in ablation]
    centred = [_centred_ranks(x) for x in lens], [_centred_ranks(x) for x in ablation]
    return AblationComparison(
        lens=np.concatenate(flat[0]),
        ablation=np.concatenate(flat[1]),
        record=record,
        document=document,
        sentence=sentence,
        n=len(lens),
        overall=_correlation(*flat, _spearman, settings),
        documents=_correlation(*totals, _spearman, settings),
        within=_correlation(*centred, _pearson, settings),
    )


def _centred_ranks(values: FloatArray) -> FloatArray:
    """(pair,) ranks among the documents (rows) of each sentence, their mean taken off."""
    if not values.size:
        return np.zeros(0)
    return np.asarray(rankdata(values, axis=0) - (len(values) + 1) / 2).ravel()


def _correlation(
    x: Sequence[FloatArray],
    y: Sequence[FloatArray],
    measure: Callable[[FloatArray, FloatArray], float],
    settings: BootstrapSettings,
) -> Correlation:
    """A measure of the records' joined values, and its interval."""

    def of(rows: Sequence[int]) -> float:
        return measure(np.concatenate([x[r] for r in rows]), np.concatenate([y[r] for r in rows]))

    rng = np.random.default_rng(settings.seed)
    low = high = float("nan")
    if len(x) > 1:
        draws = [of(rng.choice(len(x), len(x)).tolist()) for _ in range(settings.draws)]
        varied = [d for d in draws if not np.isnan(d)]
        if varied:
            outside = (1 - settings.coverage) / 2
            low, high = np.quantile(varied, [outside, 1 - outside]).tolist()
    return Correlation(rho=of(range(len(x))), low=low, high=high)


def _spearman(x: FloatArray, y: FloatArray) -> float:
    """Correlation of ranks, ties at their mean."""
    return _pearson(rankdata(x), rankdata(y))


def _pearson(x: FloatArray, y: FloatArray) -> float:
    """Correlation of two arrays; nan where one does not vary."""
    if not len(x):
        return float("nan")
    x, y = x - x.mean(), y - y.mean()
    length = float(np.sqrt((x @ x) * (y @ y)))
    return float(np.clip(x @ y / length, -1, 1)) if length > 0 else float("nan")
