"""Scores that might see a contradiction; higher = better supported, like all others here.

They are `Score`s over an `Answer` with further columns (`with_columns`), nan where there is nothing
to say: a token whose sentence points at no source sentence, a word of another kind. A response with
nothing to say gets nan, which the caller makes neutral.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from flowgauge.records import FloatArray
from flowgauge.support.local import local_average
from ragtruth.answers import Answer
from ragtruth.baselines import Score, smooth, worst_tenth
from ragtruth.contradiction_passes import Place, Reading
from ragtruth.contradiction_words import (
    CLASSES,
    CONTENT,
    NAME,
    NEGATION,
    NUMBER,
    spans_of,
    tokens_of,
)
from ragtruth.overlap import words

#: Columns that the passes add, all (time,).
REGRET, ALONE, GAIN, ELSEWHERE = READ = ("regret", "density alone", "gain", "gain elsewhere")
WEIGHT = "weight of the source sentence"
FORGONE, RANK = "favoured forgone", "rank among the favoured"
#: Columns of whole sentences put on their tokens.
TURNED, STRANGE = "negation turned", "number not in the source sentence"
Rows = Sequence[Mapping[str, Any]]


def favoured(tokens: Rows) -> tuple[FloatArray, FloatArray]:
    """(time,) favoured mass forgone [nats] and rank of the written token among the favoured.

    What the sources do for token v at one place is its share of the drift, P(v) log P(v)/Q(v).
    Forgone is the sum over the stored alternatives that got more than the written token got, rank
    is their number. Q of one that is not among the reference law's stored ones is at most their
    least, so its share is at least what is counted. The written word in another spelling of its
    spaces and capitals is no other token.

    Args:
        tokens: With `text`, `log_p_nats`, `log_q_nats`, `alternatives_p`, `alternatives_q`.
    """
    forgone, rank = np.zeros(len(tokens)), np.zeros(len(tokens))
    for j, row in enumerate(tokens):
        log_q = {v["id"]: v["log_p"] for v in row["alternatives_q"]}
        least = min(log_q.values())
        own = np.exp(row["log_p_nats"]) * (row["log_p_nats"] - row["log_q_nats"])
        for v in row["alternatives_p"]:
            share = np.exp(v["log_p"]) * (v["log_p"] - log_q.get(v["id"], least))
            if share > max(own, 0.0) and _bare(v["text"]) != _bare(row["text"]):
                forgone[j] += share
                rank[j] += 1
    return forgone, rank


def _bare(text: str) -> str:
    return text.strip().lower()


def with_columns(
    answer: Answer, places: Sequence[Place], readings: Sequence[Reading] | None, tokens: Rows
) -> Answer:
    """The answer with the columns of its source sentences, alternatives and, if any, readings."""
    n = len(answer.start)
    new = {name: np.full(n, np.nan) for name in (WEIGHT, TURNED, STRANGE)}
    for p in places:
        text = answer.response[p.start : p.end]
        turned = len(spans_of(text, NEGATION)) - len(spans_of(p.source, NEGATION))
        new[WEIGHT][p.first : p.last] = p.weight
        new[TURNED][p.first : p.last] = abs(turned)
        _mark_numbers(answer, p, new[STRANGE])
    new[FORGONE], new[RANK] = favoured(tokens)
    if readings is not None:
        new |= _read(answer, places, readings)
    return replace(answer, columns={**answer.columns, **new})


def _read(
    answer: Answer, places: Sequence[Place], readings: Sequence[Reading]
) -> dict[str, FloatArray]:
    new = {name: np.full(len(answer.start), np.nan) for name in READ}
    for p, r in zip(places, readings, strict=True):
        here = slice(p.first, p.last)
        regret = np.array(r.log_top) - np.array(r.log_p)
        new[REGRET][here] = np.where(np.array(r.same) > 0, 0.0, regret)
        new[ALONE][here] = np.array(r.log_p) - answer.columns["log_q_nats"][here]
        new[GAIN][here] = new[ELSEWHERE][here] = 0.0
        for start, end, own, other in r.gains:
            at = (answer.start < end) & (answer.end > start)
            new[GAIN][at] = np.fmax(new[GAIN][at], own)
            new[ELSEWHERE][at] = np.fmax(new[ELSEWHERE][at], other)
    return new


def _mark_numbers(answer: Answer, place: Place, column: FloatArray) -> None:
    """1 on numbers that the source sentence, which has numbers, does not have; 0 on its own."""
    theirs = {w for w, _, _ in spans_of(place.source, NUMBER)}
    for span in spans_of(answer.response, NUMBER):
        if theirs and place.start <= span[1] < place.end:
            column[tokens_of(answer, [span])] = float(span[0] not in theirs)


# ---------------------------------------------------------------- from columns to scores


def of_class(kind: str, name: str, reduce: Callable[..., Any], sign: float = 1.0) -> Any:
    """Largest or smallest of a column over the words of one kind; nan without any."""

    def value(a: Answer) -> float:
        some = a.columns[name][tokens_of(a, spans_of(a.response, kind))]
        some = some[~np.isnan(some)]
        return sign * float(reduce(some)) if len(some) else float("nan")

    return value


def _local(name: str, sign: float) -> Callable[[Answer], FloatArray]:
    return lambda a: sign * local_average(a.columns[name])


def _worst(name: str, sign: float, quantile: float = 0.1) -> Callable[[Answer], float]:
    def value(a: Answer) -> float:
        if np.isnan(a.columns[name]).all():
            return float("nan")
        return float(np.quantile(sign * local_average(a.columns[name]), quantile))

    return value


def _mean(name: str, sign: float) -> Callable[[Answer], float]:
    def value(a: Answer) -> float:
        some = a.columns[name][~np.isnan(a.columns[name])]
        return sign * float(some.mean()) if len(some) else float("nan")

    return value


def _product(*names: str) -> Callable[[Answer], float]:
    """Minus the largest product of columns over the content words."""

    def value(a: Answer) -> float:
        product = np.prod([a.columns[n] for n in names], axis=0)
        some = product[tokens_of(a, spans_of(a.response, CONTENT))]
        some = some[~np.isnan(some)]
        return -float(some.max()) if len(some) else float("nan")

    return value


def absent(kind: str) -> Callable[[Answer], float]:
    """Minus the share of the response's words of one kind that stand in no document."""

    def value(a: Answer) -> float:
        known = {w for d in a.documents for w, _, _ in words(d)}
        some = [w not in known for w, _, _ in spans_of(a.response, kind)]
        return -float(np.mean(some)) if some else float("nan")

    return value


def lowest_density(answer: Answer) -> float:
    """Smallest density averaged over a few tokens."""
    return float(local_average(answer.columns["density_nats"], 2.0).min())


def _score(group: str, name: str, response: Any, tokens: Any = None) -> Score:
    return Score(name=f"({group}) {name}", of_response=response, of_tokens=tokens)


def baselines() -> list[Score]:
    """What there was before."""
    columns = {"density (PMI)": "density_nats", "pointer": "pointer", "drift": "drift_nats"}

    def tokens(column: str) -> Callable[[Answer], FloatArray]:
        return lambda a: smooth(a.columns[column])

    def worst(column: str) -> Callable[[Answer], float]:
        return lambda a: worst_tenth(smooth(a.columns[column]))

    return [
        Score(
            name="support",
            of_tokens=lambda a: a.columns["support"],
            of_response=lambda a: a.whole["support"],
        ),
        *(
            Score(name=name, of_tokens=tokens(column), of_response=worst(column))
            for name, column in columns.items()
        ),
        Score(name="lowest density, 2 tokens", of_response=lowest_density),
        Score(name="length", of_response=lambda a: -float(len(a.start))),
    ]


def without_passes() -> list[Score]:
    """Candidates (b) and (c): they need the run alone."""
    out = [
        _score("b", "rank, mean", _mean(RANK, -1.0)),
        _score("b", "rank, worst tenth", _worst(RANK, -1.0), _local(RANK, -1.0)),
        _score("b", "forgone, mean", _mean(FORGONE, -1.0)),
        _score("b", "forgone, worst tenth", _worst(FORGONE, -1.0), _local(FORGONE, -1.0)),
        _score("b", "largest forgone, content words", of_class(CONTENT, FORGONE, np.max, -1.0)),
        _score("b", "largest forgone × weight of the source", _product(FORGONE, WEIGHT)),
    ]
    columns = {"density": "density_nats", "pointer": "pointer", "support": "support"}
    for kind in CLASSES[1:]:
        for label, column in columns.items():
            out.append(_score("c", f"lowest {label}, {kind}", of_class(kind, column, np.min)))
    return [
        *out,
        _score("c", "numbers in no document", absent(NUMBER)),
        _score("c", "names in no document", absent(NAME)),
        _score("c", "numbers not in the source sentence", _mean(STRANGE, -1.0)),
        _score("c", "negation turned", _mean(TURNED, -1.0), _local(TURNED, -1.0)),
    ]


def with_passes() -> list[Score]:
    """Candidates (a) and (d); token scores are averaged over neighbouring tokens, like support."""
    kinds = (CONTENT, NUMBER, NAME)
    return [
        *(_score("a", f"largest regret, {k}", of_class(k, REGRET, np.max, -1.0)) for k in kinds),
        _score("a", "regret, mean", _mean(REGRET, -1.0)),
        _score("a", "regret, worst tenth", _worst(REGRET, -1.0), _local(REGRET, -1.0)),
        _score("a", "lowest density alone, content words", of_class(CONTENT, ALONE, np.min)),
        _score("a", "density alone, worst tenth", _worst(ALONE, 1.0), _local(ALONE, 1.0)),
        _score("a", "largest regret × weight of the source", _product(REGRET, WEIGHT)),
        _score("a", "largest regret × drift", _product(REGRET, "drift_nats")),
        _score("d", "largest gain", of_class(CONTENT, GAIN, np.max, -1.0)),
        _score("d", "gain, mean", _mean(GAIN, -1.0), _local(GAIN, -1.0)),
        _score("d", "largest gain elsewhere", of_class(CONTENT, ELSEWHERE, np.max, -1.0)),
        _score("d", "largest gain × weight of the source", _product(GAIN, WEIGHT)),
    ]
