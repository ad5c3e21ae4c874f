"""From sheets to numbers: every score by every metric, by kind, generator, refusals and set.

Thresholds come from the choosing half and travel to the reporting half. All scores of one sheet are
judged on the same draws of sources, so differences to support are paired.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from flowgauge.records import FloatArray
from ragtruth.baselines import SUPPORT
from ragtruth.metrics import (
    BoolArray,
    Marked,
    auroc,
    average_precision,
    best_threshold,
    draw,
    estimate,
    f1,
)
from ragtruth.sheet import Columns, Sheet

Numbers = dict[str, Any]
METRICS = ("auroc", "average_precision", "f1")


def draws_of(s: Sheet, replicates: int, seed: Sequence[int]) -> FloatArray:
    """The draws of a sheet's sources; the same for every observer."""
    return draw(len(s.sources), replicates, np.random.default_rng(list(seed)))


def counts(marked: Marked) -> Numbers:
    """How many items there are and how many are unsupported."""
    return {"n": len(marked.positive), "unsupported": int(marked.positive.sum())}


def judge(
    scores: Columns, marked: Marked, draws: FloatArray, thresholds: Mapping[str, float] | None
) -> Numbers:
    """Every score by AUROC, average precision and F1, and its difference to support.

    Args:
        scores: (item,) by name.
        marked: The truth.
        draws: (1 + replicates, source).
        thresholds: From the choosing half; None on the choosing half itself, where the best is
            taken, so that F1 is optimistic there.
    """
    out: Numbers = {}
    replicates: dict[str, dict[str, FloatArray]] = {}
    for name, values in scores.items():
        if thresholds is None:
            threshold = best_threshold(values, marked.positive)
        else:
            threshold = thresholds[name]
        found = {
            "auroc": auroc(values, marked, draws),
            "average_precision": average_precision(values, marked, draws),
            "f1": f1(values, marked, draws, threshold),
        }
        replicates[name] = found
        out[name] = {k: estimate(v).as_json() for k, v in found.items()}
        out[name]["threshold"] = None if np.isnan(threshold) else float(threshold)
    for name, found in replicates.items():
        if SUPPORT in replicates and name != SUPPORT:
            for metric in METRICS:
                difference = found[metric] - replicates[SUPPORT][metric]
                out[name][f"{metric}_minus_support"] = estimate(difference).as_json()
    return out


def thresholds_of(chosen: Numbers) -> dict[str, float]:
    """The thresholds that `judge` chose."""
    return {
        name: float("nan") if row["threshold"] is None else row["threshold"]
        for name, row in chosen.items()
    }


def by_group(scores: Columns, groups: Mapping[str, tuple[Marked, BoolArray]], draws: FloatArray) -> Numbers:  # fmt: skip  # noqa: E501
    """AUROC of every score within each group of items."""
    out: Numbers = {}
    for group, (marked, keep) in groups.items():
        some = marked.only(keep)
        rows = {k: estimate(auroc(v[keep], some, draws)).as_json() for k, v in scores.items()}
        out[group] = {**counts(some), "auroc": rows}
    return out


def kind_groups(s: Sheet, marked: Callable[..., Marked]) -> dict[str, tuple[Marked, BoolArray]]:
    """Items in a span of each kind against those outside all spans.

    `marked` is the sheet's `marked_responses` or `marked_tokens`.
    """
    anything = marked().positive
    groups = {}
    for kind in s.kinds:
        one = marked(kind)
        groups[kind] = (one, one.positive | ~anything)
    return groups


def generator_groups(s: Sheet) -> dict[str, tuple[Marked, BoolArray]]:
    """Responses of each generating model among themselves."""
    marked = s.marked_responses()
    return {g: (marked, s.of_generator(g)) for g in s.generators}


def refusal_groups(s: Sheet) -> dict[str, tuple[Marked, BoolArray]]:
    """All responses, and those that answer."""
    marked, refusals = s.marked_responses(), s.refusals
    everything = np.ones(len(refusals), dtype=bool)
    return {"with refusals": (marked, everything), "without refusals": (marked, ~refusals)}


def halves(choose: Sheet, report: Sheet | None, replicates: int, seed: int) -> Numbers:
    """Everything about RAGTruth by one observer: responses, tokens, groups; by half."""
    out: Numbers = {}
    thresholds: dict[str, dict[str, float] | None] = {"responses": None, "tokens": None}
    for place, (half, s) in enumerate((("choose", choose), ("report", report))):
        if s is None:
            continue
        draws = draws_of(s, replicates, (seed, place))
        here: Numbers = {}
        for what, scores, marked in (
            ("responses", s.responses, s.marked_responses()),
            ("tokens", s.tokens, s.marked_tokens()),
        ):
            rows = judge(scores, marked, draws, thresholds[what])
            thresholds[what] = thresholds_of(rows)
            here[what] = {**counts(marked), "sources": len(s.sources), "scores": rows}
        here["kinds"] = by_group(s.responses, kind_groups(s, s.marked_responses), draws)
        here["token_kinds"] = by_group(s.tokens, kind_groups(s, s.marked_tokens), draws)
        here["generators"] = by_group(s.responses, generator_groups(s), draws)
        here["refusals"] = by_group(s.responses, refusal_groups(s), draws)
        out[half] = here
    return out


def four_sets(sheets: Mapping[str, Sheet], replicates: int, seed: int) -> Numbers:
    """AUROC of responses on each choosing set and their mean, with differences to support."""
    found: dict[str, dict[str, FloatArray]] = {}
    out: Numbers = {"sets": {}, "scores": {}}
    for place, (name, s) in enumerate(sheets.items()):
        # RAGTruth's choosing half is drawn as in `halves`, the others after it.
        draws = draws_of(s, replicates, (seed, place and place + 1))
        marked = s.marked_responses()
        out["sets"][name] = counts(marked)
        for score, values in s.responses.items():
            found.setdefault(score, {})[name] = auroc(values, marked, draws)
    whole = {k: v for k, v in found.items() if len(v) == len(sheets)}
    mean = {k: np.mean(list(v.values()), axis=0) for k, v in whole.items()}
    for score, columns in whole.items():
        row = {name: estimate(values).as_json() for name, values in columns.items()}
        row["mean"] = estimate(mean[score]).as_json()
        if SUPPORT in mean and score != SUPPORT:
            row["mean_minus_support"] = estimate(mean[score] - mean[SUPPORT]).as_json()
        out["scores"][score] = row
    return out
