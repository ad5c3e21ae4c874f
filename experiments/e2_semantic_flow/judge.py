"""How well a score finds loops, and whether it sees them coming; intervals by drawing prompts.

Everything is chosen on the development half (window, sign, threshold) and judged on the test half.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from ragtruth.metrics import draw, estimate

from e2_semantic_flow import alarms
from e2_semantic_flow.compare import (
    Half,
    Scored,
    horizon_auroc,
    mean_of_pairs,
    place_auroc,
    same_kind,
    scored,
    token_auroc,
    turned,
    weights_of,
)
from e2_semantic_flow.detectors import DETECTORS, FLOW, WINDOWS, Form
from flowgauge.records import FloatArray

RATES = (1.0, 5.0)
#: Tokens before the onset within which an alarm counts as foretelling it.
LEAD = 32
#: Tokens before the onset at which scores are compared.
HORIZONS = (1, 8, 16, 32)
CHOOSING_HORIZON = 16
#: The one-law score that a flow score has to beat, in AUROC on the same draws.
RIVAL = "entropy"
SEED = 0


def detection(s: Scored, threshold: float, draws: FloatArray) -> dict[str, Any]:
    """Share found, delay from the onset, false alarms, and alarms that foretold the onset."""
    of_loop, of_text = weights_of(s.half, draws)
    delays = np.array(
        [
            _delay(x, loop.onset, threshold)
            for x, (_, loop) in zip(s.looping, s.half.looping, strict=True)
        ]
    )
    counts = np.array([len(alarms.crossings(x, threshold)) for x in s.ordinary], dtype=float)
    tokens = np.array([len(x) for x in s.ordinary], dtype=float)
    found, chance, lead = _foretold(s, threshold)
    expected = mean_of_pairs(*chance, of_loop, of_text)
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
    return found, (hits, valid * same_kind(s.half)), leads


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
