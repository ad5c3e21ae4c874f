"""Loops of one model: what was drawn, which texts loop, detectors chosen on one half and judged."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from e2_semantic_flow import judge, labels, plan
from e2_semantic_flow.compare import Half, onsets_at
from e2_semantic_flow.generations import OF_MODEL, Texts, tokens_of
from e2_semantic_flow.written import Written

#: Fewer looping texts in a half than this are no ground for a judgement.
LEAST_LOOPS = 3
#: Ordinary texts of temperature 0 and 0.3 in each half, from which on only they are compared with.
LEAST_COLD = 10


def condition_counts(condition: plan.Condition, found: Sequence[Written]) -> dict[str, Any]:
    """What a condition's texts do."""
    s = labels.sort(found)
    return {
        "name": f"{condition.prompts}, {plan.WORDS[condition.sampling]}",
        "texts": len(found),
        "planned": len(condition.texts()),
        "tokens": tokens_of(found),
        "looping": len(s.looping),
        "ordinary": len(s.ordinary),
        "left_out": s.left_out,
        "median_onset": _median([loop.onset for _, loop in s.looping]),
        "median_block": _median([loop.block for _, loop in s.looping]),
    }


def _median(values: Sequence[float]) -> float | None:
    return float(np.median(values)) if values else None


def under_model_law(
    conditions: Sequence[plan.Condition], texts: Texts, cold_alone: bool = False
) -> list[Written]:
    """Texts with columns of the model's own laws, of all samplings or of temperature 0 and 0.3.

    Only of the kinds of prompts that texts of temperature 0 and 0.3 were drawn from: what the
    source is changes the drift.
    """
    kinds = {c.prompts for c in conditions if c.sampling in plan.COLD}
    out = []
    for c in conditions:
        if c.prompts in kinds and (c.sampling in plan.COLD or not cold_alone):
            out += texts.get((c.model, c.name + OF_MODEL), texts[c.model, c.name])
    return out


def halves(conditions: Sequence[plan.Condition], texts: Texts) -> tuple[dict[str, Half], bool]:
    """Development and test half, and whether ordinary texts are of temperature 0 and 0.3 alone."""
    cold = {n: _half(under_model_law(conditions, texts, True), n) for n in HALVES}
    if all(len(h.ordinary) >= LEAST_COLD for h in cold.values()):
        return cold, True
    every = {n: _half(under_model_law(conditions, texts), n) for n in HALVES}
    return {n: Half(looping=cold[n].looping, ordinary=every[n].ordinary) for n in HALVES}, False


HALVES = ("development", "test")


def _half(found: Sequence[Written], name: str) -> Half:
    s = labels.sort([t for t in found if t.is_development == (name == "development")])
    return Half(looping=s.looping, ordinary=s.ordinary)


def of_model(conditions: Sequence[plan.Condition], texts: Texts, replicates: int) -> dict[str, Any]:
    """One model: counts, and detectors chosen on one half and judged on the other."""
    its, cold_alone = halves(conditions, texts)
    out: dict[str, Any] = {
        "conditions": [condition_counts(c, texts[c.model, c.name]) for c in conditions],
        "ordinary_is_cold": cold_alone,
        "halves": {
            name: {
                "prompts": len(h.prompts),
                "looping": len(h.looping),
                "looping_prompts": len({t.prompt for t, _ in h.looping}),
                "ordinary": len(h.ordinary),
                "ordinary_tokens": h.tokens,
            }
            for name, h in its.items()
        },
    }
    if all(len(h.looping) >= LEAST_LOOPS and h.ordinary for h in its.values()):
        out["onsets"] = {f"{h}": onsets_at(its["test"], h) for h in judge.HORIZONS}
        out["detectors"] = judge.judged(its["development"], its["test"], replicates)
    else:
        out["absent"] = f"a half has fewer than {LEAST_LOOPS} looping texts, or no ordinary one"
    return out
