"""Every score that is judged, per token and per response; higher = better supported.

All token scores of one number a token are smoothed alike (Gaussian, 8 tokens), so that no rival
lacks what support has. Orientation and form were fixed before the reporting half was looked at.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from flowgauge.records import FloatArray
from ragtruth.answers import Answer
from ragtruth.overlap import copied_tokens, overlap_share, overlap_tokens

SIGMA = 8.0  # tokens
LEAST_SURPRISE = 0.3  # nats; below it a local fraction would be noise over noise
SUPPORT = "support"

OfTokens = Callable[[Answer], FloatArray]
OfResponse = Callable[[Answer], float]


def smooth(values: FloatArray) -> FloatArray:
    """(time,) Gaussian average over neighbouring tokens; at the ends over those there are."""
    from scipy.ndimage import gaussian_filter1d

    def filtered(x: FloatArray) -> FloatArray:
        return gaussian_filter1d(x, SIGMA, mode="constant")

    return filtered(np.asarray(values, dtype=np.float64)) / filtered(np.ones(len(values)))


def worst_tenth(values: FloatArray) -> float:
    """The 10 % quantile."""
    return float(np.quantile(values, 0.1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One way to judge a response.

    Attributes:
        name: Its row in the tables.
        needs: Stored columns of tokens without which it cannot be had.
        of_tokens: (time,) its token score; None where it has none.
        of_response: Its number for the whole; None where it judges tokens alone.
    """

    name: str
    needs: tuple[str, ...] = ()
    of_tokens: OfTokens | None = None
    of_response: OfResponse | None = None

    def fits(self, answer: Answer) -> bool:
        """Whether the answer has what the score needs."""
        return all(name in answer.columns for name in self.needs)


def _column(name: str, sign: float = 1.0) -> OfTokens:
    return lambda a: smooth(sign * a.columns[name])


def _mean(name: str, sign: float = 1.0) -> OfResponse:
    return lambda a: sign * float(a.columns[name].mean())


def _worst(tokens: OfTokens) -> OfResponse:
    return lambda a: worst_tenth(tokens(a))


def _with_worst(
    name: str, tokens: OfTokens, response: OfResponse, needs: tuple[str, ...] = ()
) -> list[Score]:
    """A score, and beside it the response's worst tenth of the smoothed tokens."""
    return [
        Score(name=name, needs=needs, of_tokens=tokens, of_response=response),
        Score(name=f"{name}, worst tenth", needs=needs, of_response=_worst(tokens)),
    ]


def local_fraction(answer: Answer) -> FloatArray:
    """(time,) smoothed density over smoothed surprise under Q, cut to [−1, 1]."""
    density = smooth(answer.columns["density_nats"])
    surprise = smooth(-answer.columns["log_q_nats"])
    return np.clip(density / np.maximum(surprise, LEAST_SURPRISE), -1.0, 1.0)


def flow_fraction(answer: Answer) -> float:
    """Σ density / Σ −log Q of the response; 0 where Q was not surprised at all."""
    surprise = -float(answer.columns["log_q_nats"].sum())
    return float(answer.columns["density_nats"].sum()) / surprise if surprise > 0 else 0.0


def sentence_tokens(answer: Answer) -> FloatArray:
    """(time,) flow fraction of each token's sentence; 0 where it has none."""
    return np.nan_to_num(answer.sentence_fractions)[answer.sentence]


def sentence_mean(answer: Answer) -> float:
    """Mean of the sentences' flow fractions, over those that have tokens."""
    here = np.unique(answer.sentence)
    return float(np.nan_to_num(answer.sentence_fractions)[here].mean())


def _copied(answer: Answer) -> FloatArray:
    return smooth(copied_tokens(answer))


def _overlap(answer: Answer) -> FloatArray:
    return smooth(overlap_tokens(answer))


SCORES: tuple[Score, ...] = (
    Score(
        name=SUPPORT,
        needs=("support",),
        of_tokens=lambda a: a.columns["support"],
        of_response=lambda a: a.whole["support"],
    ),
    *_with_worst("pointer", _column("pointer"), _mean("pointer"), ("pointer",)),
    Score(
        name="local fraction (stored)",
        needs=("local_fraction",),
        of_tokens=lambda a: a.columns["local_fraction"],
        of_response=lambda a: float(a.columns["local_fraction"].mean()),
    ),
    *_with_worst("local fraction", local_fraction, lambda a: float(local_fraction(a).mean())),
    Score(name="flow fraction", of_response=flow_fraction),
    Score(name="mean sentence fraction", of_tokens=sentence_tokens, of_response=sentence_mean),
    *_with_worst("density (PMI)", _column("density_nats"), _mean("density_nats")),
    *_with_worst("drift", _column("drift_nats"), _mean("drift_nats")),
    *_with_worst("perplexity", _column("log_p_nats"), _mean("log_p_nats")),
    *_with_worst("unconditional perplexity", _column("log_q_nats"), _mean("log_q_nats")),
    *_with_worst("entropy", _column("entropy_p_nats", -1.0), _mean("entropy_p_nats", -1.0)),
    Score(name="max-token surprise", of_response=lambda a: float(a.columns["log_p_nats"].min())),
    Score(name="length", of_response=lambda a: -float(len(a.start))),
    *_with_worst("content-word overlap", _overlap, overlap_share),
    Score(name="longest copied n-gram", of_tokens=_copied, of_response=_worst(_copied)),
)


def usable(scores: Sequence[Score], answers: Sequence[Answer]) -> tuple[list[Score], list[str]]:
    """Scores that all answers can have, and a line for each that only some can have."""
    good, notes = [], []
    for score in scores:
        fit = sum(score.fits(a) for a in answers)
        if fit == len(answers):
            good.append(score)
        elif fit:
            notes.append(f"{score.name}: only {fit} of {len(answers)} responses have it; left out")
    return good, notes
