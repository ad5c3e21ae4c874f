"""How well a score finds loops, and whether it sees them coming; intervals by drawing prompts.

Everything is chosen on the development half (window, sign, threshold) and judged on the test half.
Texts of one prompt are alike, so prompts are drawn with replacement, not texts or tokens.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from ragtruth.metrics import Marked, auroc, draw, estimate

from e2_semantic_flow import alarms
from e2_semantic_flow.detectors import DETECTORS, FLOW, WINDOWS, Form
from e2_semantic_flow.labels import Loop
from e2_semantic_flow.written import Written
from flowgauge.records import FloatArray

RATES = (1.0, 5.0)
#: Tokens before the onset within which an alarm counts as foretelling it.
LEAD = 32
#: Tokens before the onset at which scores are compared.
HORIZONS = (1, 8, 16, 32)
CHOOSING_HORIZON = 16
#: Ordinary text is compared at the same place, give or take so many tokens.
PLACE = 16
#: The first tokens, where the longest window is not full, count in no AUROC.
FIRST = max(WINDOWS)
#: The one-law score that a flow score has to beat, in AUROC on the same draws.
RIVAL = "entropy"
SEED = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Half:
    """Texts of one half of the prompts.

    Attributes:
        looping: Texts that loop.
        ordinary: Texts that repeat nothing, against which false alarms are counted.
    """

    looping: tuple[tuple[Written, Loop], ...]
    ordinary: tuple[Written, ...]

    @property
    def prompts(self) -> list[int]:
        """Indices of the prompts, each once, in order."""
        return sorted({t.prompt for t, _ in self.looping} | {t.prompt for t in self.ordinary})

    @property
    def tokens(self) -> int:
        """Tokens of the ordinary texts."""
        return sum(len(t.ids) for t in self.ordinary)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """A half with one score of each text."""

    half: Half
    looping: tuple[FloatArray, ...]
    ordinary: tuple[FloatArray, ...]


def scored(half: Half, form: Form) -> Scored:
    """Scores of all texts of a half."""
    return Scored(
        half=half,
        looping=tuple(form.score(t) for t, _ in half.looping),
        ordinary=tuple(form.score(t) for t in half.ordinary),
    )


def turned(s: Scored) -> Scored:
    """The same scores with the other sign; what has no score stays at −inf."""

    def turn(x: FloatArray) -> FloatArray:
        return np.where(np.isneginf(x), x, -x)

    return Scored(
        half=s.half,
        looping=tuple(turn(x) for x in s.looping),
        ordinary=tuple(turn(x) for x in s.ordinary),
    )


def token_auroc(s: Scored, draws: FloatArray) -> FloatArray:
    """(replicate,) tokens from the onset on against ordinary tokens, the first FIRST left out."""
    place = {p: n for n, p in enumerate(s.half.prompts)}
    parts = [
        (x[max(loop.onset, FIRST) :], True, place[t.prompt])
        for x, (t, loop) in zip(s.looping, s.half.looping, strict=True)
    ]
    parts += [
        (x[FIRST:], False, place[t.prompt])
        for x, t in zip(s.ordinary, s.half.ordinary, strict=True)
    ]
    values = np.concatenate([x for x, _, _ in parts])
    marked = Marked(
        positive=np.concatenate([np.full(len(x), y) for x, y, _ in parts]),
        source=np.concatenate([np.full(len(x), p) for x, _, p in parts]),
        n_sources=len(place),
    )
    return auroc(-values, marked, draws)  # there, low scores are the positives


def place_auroc(s: Scored, draws: FloatArray) -> FloatArray:
    """(replicate,) tokens from the onset on against ordinary tokens of the very same position.

    Old text differs from young text, loop or not; here that is no clue. Each pair of texts counts
    once, however many positions it shares.
    """
    wins, valid = (np.zeros((len(s.looping), len(s.ordinary))) for _ in range(2))
    for n, (x, (_, loop)) in enumerate(zip(s.looping, s.half.looping, strict=True)):
        first = max(loop.onset, FIRST)
        for m, other in enumerate(s.ordinary):
            shared = slice(first, min(len(x), len(other)))
            mine, theirs = x[shared], other[shared]
            if len(mine):
                valid[n, m] = 1.0
                wins[n, m] = np.mean((mine > theirs) + 0.5 * (mine == theirs))
    return _mean_of_pairs(wins, valid, *_weights(s.half, draws))


def _at(s: Scored, which: int, horizon: int) -> float | None:
    """Score of a looping text so many tokens before its onset; None where none is defined."""
    position = s.half.looping[which][1].onset - horizon
    return float(s.looping[which][position]) if position >= FIRST - 1 else None


def horizon_auroc(s: Scored, horizon: int, draws: FloatArray) -> FloatArray:
    """(replicate,) scores before an onset against ordinary scores at the same place in the text."""
    loops = [(i, v) for i in range(len(s.looping)) if (v := _at(s, i, horizon)) is not None]
    wins, valid = np.zeros((len(loops), len(s.ordinary))), np.zeros((len(loops), len(s.ordinary)))
    for n, (i, value) in enumerate(loops):
        centre = s.half.looping[i][1].onset - horizon
        for m, x in enumerate(s.ordinary):
            there = x[max(centre - PLACE, FIRST - 1) : centre + PLACE + 1]
            valid[n, m] = len(there) > 0
            if len(there):
                wins[n, m] = np.mean((value > there) + 0.5 * (value == there))
    of_loop, of_text = _weights(s.half, draws)
    return _mean_of_pairs(wins, valid, of_loop[:, [i for i, _ in loops]], of_text)


def _weights(half: Half, draws: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(replicate, looping) and (replicate, ordinary): how often each text is drawn."""
    place = {p: n for n, p in enumerate(half.prompts)}
    return (
        draws[:, [place[t.prompt] for t, _ in half.looping]],
        draws[:, [place[t.prompt] for t in half.ordinary]],
    )


def _mean_of_pairs(
    values: FloatArray, valid: FloatArray, of_loop: FloatArray, of_text: FloatArray
) -> FloatArray:
    """(replicate,) mean over looping texts of the mean over ordinary texts that can be compared."""
    above, below = of_text @ (values * valid).T, of_text @ valid.T
    each = np.divide(above, below, out=np.zeros_like(above), where=below > 0)
    some = of_loop * (below > 0)
    total = some.sum(1)
    return np.divide((some * each).sum(1), total, out=np.full(len(total), np.nan), where=total > 0)


def detection(s: Scored, threshold: float, draws: FloatArray) -> dict[str, Any]:
    """Share found, delay from the onset, false alarms, and alarms that foretold the onset."""
    of_loop, of_text = _weights(s.half, draws)
    delays = np.array(
        [
            _delay(x, loop.onset, threshold)
            for x, (_, loop) in zip(s.looping, s.half.looping, strict=True)
        ]
    )
    counts = np.array([len(alarms.crossings(x, threshold)) for x in s.ordinary], dtype=float)
    tokens = np.array([len(x) for x in s.ordinary], dtype=float)
    found, chance, lead = _foretold(s, threshold)
    expected = _mean_of_pairs(*chance, of_loop, of_text)
    share = _mean(found, of_loop)
    return {
        "threshold": threshold if np.isfinite(threshold) else None,
        "found": estimate(_mean(np.isfinite(delays).astype(float), of_loop)).as_json(),
        "median_delay_tokens": median_interval(delays, of_loop),
        "false_alarms_per_1000": estimate(
            1000 * (of_text @ counts) / np.maximum(of_text @ tokens, 1)
        ).as_json(),
        "foretold": estimate(share).as_json(),
        "foretold_by_chance": estimate(expected).as_json(),
        "foretold_minus_chance": estimate(share - expected).as_json(),
        "median_lead_tokens": float(np.median(lead)) if len(lead) else None,
    }


def _delay(scores: FloatArray, onset: int, threshold: float) -> float:
    """Tokens from the onset to the first score at the threshold; inf if none comes."""
    there = np.flatnonzero(scores[onset:] >= threshold)
    return float(there[0]) if len(there) else np.inf


def _foretold(
    s: Scored, threshold: float
) -> tuple[FloatArray, tuple[FloatArray, FloatArray], list[int]]:
    """Crossings in the LEAD tokens before each onset, in ordinary texts there, and lead times."""
    ordinary = [alarms.crossings(x, threshold) for x in s.ordinary]
    found = np.zeros(len(s.looping))
    hits, valid = (np.zeros((len(s.looping), len(ordinary))) for _ in range(2))
    leads = []
    for n, (x, (_, loop)) in enumerate(zip(s.looping, s.half.looping, strict=True)):
        first = max(loop.onset - LEAD, 0)
        at = alarms.crossings(x, threshold)
        at = at[(at >= first) & (at < loop.onset)]
        found[n] = len(at) > 0
        leads += [int(loop.onset - at[0])] if len(at) else []
        for m, (theirs, scores) in enumerate(zip(ordinary, s.ordinary, strict=True)):
            valid[n, m] = len(scores) >= loop.onset
            hits[n, m] = bool(((theirs >= first) & (theirs < loop.onset)).any())
    return found, (hits, valid), leads


def _mean(values: FloatArray, weights: FloatArray) -> FloatArray:
    """(replicate,) weighted mean; nan where nothing was drawn."""
    total = weights.sum(1)
    return np.divide(weights @ values, total, out=np.full(len(total), np.nan), where=total > 0)


def weighted_median(values: FloatArray, weights: FloatArray) -> float:
    """Lower median of values drawn so many times each; nan without any.

    Example:
        >>> weighted_median(np.array([1.0, 5.0, np.inf]), np.array([1.0, 1.0, 1.0]))
        5.0
    """
    if not weights.sum():
        return float("nan")
    order = np.argsort(values)
    reached = np.cumsum(weights[order]) >= weights.sum() / 2
    return float(values[order[np.argmax(reached)]])


def median_interval(delays: FloatArray, draws: FloatArray) -> list[float | None]:
    """Median with its 95 % interval; null stands for a median among texts that were not found."""
    medians = np.array([weighted_median(delays, w) for w in draws])
    rest = medians[1:][~np.isnan(medians[1:])]
    # The nearest replicate: between a number and infinity there is nothing to interpolate.
    ends = np.quantile(rest, [0.025, 0.975], method="nearest") if len(rest) else [np.nan, np.nan]
    return [float(x) if np.isfinite(x) else None for x in (medians[0], *ends)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The form of a detector that is best on the development half, with its AUROC there."""

    form: Form
    auroc: float


def choose(half: Half, name: str) -> tuple[Choice, Choice]:
    """Best form for finding loops (AUROC per token) and for foretelling them (before the onset)."""
    once = np.ones((1, len(half.prompts)))
    finding: list[Choice] = []
    telling: list[Choice] = []
    for window in WINDOWS:
        up = scored(half, Form(name=name, window=window, sign=1))
        for sign, s in ((1, up), (-1, turned(up))):
            form = Form(name=name, window=window, sign=sign)
            for out, found in (
                (finding, token_auroc(s, once)),
                (telling, horizon_auroc(s, CHOOSING_HORIZON, once)),
            ):
                out.append(Choice(form=form, auroc=float(np.nan_to_num(found[0], nan=0.5))))
    return max(finding, key=_value), max(telling, key=_value)


def _value(choice: Choice) -> float:
    return choice.auroc


def judged(development: Half, test: Half, replicates: int) -> dict[str, Any]:
    """All detectors of one model: chosen on one half, judged on the other."""
    draws = draw(len(test.prompts), replicates, np.random.default_rng(SEED))
    out: dict[str, Any] = {}
    tokens: dict[str, FloatArray] = {}
    ahead: dict[tuple[str, int], FloatArray] = {}
    for name in DETECTORS:
        finding, telling = choose(development, name)
        on_dev, on_test = scored(development, finding.form), scored(test, finding.form)
        out[name] = {
            "of_flow": name in FLOW,
            **_form(finding),
            "token_auroc": estimate(tokens.setdefault(name, token_auroc(on_test, draws))).as_json(),
            "place_auroc": estimate(place_auroc(on_test, draws)).as_json(),
            "rates": {
                f"{rate:g}": detection(on_test, alarms.threshold_at(on_dev.ordinary, rate), draws)
                for rate in RATES
            },
            "early": _form(telling),
        }
        before = scored(test, telling.form)
        ahead |= {(name, h): horizon_auroc(before, h, draws) for h in HORIZONS}
    for name, row in out.items():
        row["minus_rival"] = estimate(tokens[name] - tokens[RIVAL]).as_json()
        early = row["early"]
        early |= {f"{h}": estimate(ahead[name, h]).as_json() for h in HORIZONS}
        gain = ahead[name, CHOOSING_HORIZON] - ahead[RIVAL, CHOOSING_HORIZON]
        early["minus_rival"] = estimate(gain).as_json()
    return out


def _form(choice: Choice) -> dict[str, Any]:
    return {
        "window": choice.form.window,
        "sign": choice.form.sign,
        "development_auroc": round(choice.auroc, 6),
    }
