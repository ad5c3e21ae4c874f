"""Flow from the prompt in both members, and whether the model's own texts keep the level."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from flowgauge import decide
from flowgauge.anytime import tilted_e_process, ville
from flowgauge.flow import flow
from flowgauge.models import HuggingFaceModel
from flowgauge.models.masked_diffusion import MaskedDiffusionModel
from flowgauge.pipeline.unmasking import decide_over_orders, flow_of
from flowgauge.records import Flow, Tokens
from flowgauge.scores import score
from flowgauge.scores.unmasking import score_steps, score_unmasking
from flowgauge.scores.unmasking_draw import draw_unmasked
from flowgauge.scores.unmasking_order import (
    AtRandom,
    LargestProbability,
    LowConfidenceRemasking,
    Unmasking,
)
from masked_diffusion import data
from masked_diffusion.likelihood import mean_and_error
from masked_diffusion.plan import Sizes

SAMPLERS = (AtRandom(), LargestProbability(), LowConfidenceRemasking())
OUTCOMES = ("driven by the source", "not from this source", "both", "neither")


def causal_flows(lm: HuggingFaceModel, records: Sequence[Tokens]) -> list[Flow]:
    """Flows from left to right."""
    return [
        flow(s.log_p, s.log_q, s.drift, s.variance, log_moments=s.log_moments, orders=s.orders)
        for s in score(records, lm)
    ]


def diffusion_flows(
    lm: MaskedDiffusionModel, records: Sequence[Tokens], orders: int, seed: int
) -> list[list[Flow]]:
    """Flows of each record along several orders at random."""
    rng = np.random.default_rng(seed)
    return [[flow_of(score_unmasking(r, lm, rng=rng)) for _ in range(orders)] for r in records]


def summary(flows: Sequence[Sequence[Flow]], outcomes: Sequence[str]) -> dict[str, Any]:
    """Sums over each record's response, averaged over its orders, and shares of the verdicts."""
    density = np.array([np.mean([f.total_nats for f in fs]) for fs in flows])
    drift = np.array([np.mean([f.compensator[-1] for f in fs]) for fs in flows])
    return {
        "records": len(flows),
        "density_sum_nats": mean_and_error(density),
        "drift_sum_nats": mean_and_error(drift),
        "density_less_drift_nats": mean_and_error(density - drift),
        "verdicts": {o: outcomes.count(o) / len(outcomes) for o in OUTCOMES},
    }


def compared(
    causal: HuggingFaceModel,
    diffusion: MaskedDiffusionModel,
    held_out: list[Any],
    sizes: Sizes,
) -> dict[str, Any]:
    """Flow of true responses from their own prompt, and from another story's."""
    out: dict[str, Any] = {}
    totals: dict[str, list[float]] = {}
    for name, another in (("own prompt", False), ("another's prompt", True)):
        records = data.records(held_out, another=another)[: sizes.flow_records]
        left_to_right = causal_flows(causal, records)
        verdicts = [decide(f, alpha=sizes.alpha).outcome for f in left_to_right]
        many = diffusion_flows(diffusion, records, sizes.orders, sizes.seed)
        first = [flows[:1] for flows in many]
        along = [decide(f, alpha=sizes.alpha).outcome for [f] in first]
        over = [decide_over_orders(flows, sizes.alpha).outcome for flows in many]
        totals[name] = [f.total_nats for f in left_to_right]
        totals[f"{name}, diffusion"] = [np.mean([f.total_nats for f in fs]) for fs in many]
        spread = [np.std([f.total_nats for f in fs], ddof=1) for fs in many]
        out[name] = {
            "causal": summary([[f] for f in left_to_right], verdicts),
            "diffusion": summary(first, along),
            "diffusion, all orders": summary(many, over),
            "spread_over_orders_nats": float(np.mean(spread)),
        }
    out["correlation_of_members"] = float(
        np.corrcoef(totals["own prompt"], totals["own prompt, diffusion"])[0, 1]
    )
    return out


def written(lm: MaskedDiffusionModel, held_out: list[Any], sizes: Sizes) -> dict[str, Any]:
    """Texts drawn from P, each scored along its own steps: is "drawn from P" rejected too often?"""
    records = data.records(held_out)
    prompts = np.stack([records[i % len(records)].prompt_ids for i in range(sizes.written)])
    return {order.name: _level(lm, prompts, Unmasking(order=order), sizes) for order in SAMPLERS}


def _level(
    lm: MaskedDiffusionModel, prompts: Any, unmasking: Unmasking, sizes: Sizes
) -> dict[str, Any]:
    rng = np.random.default_rng(sizes.seed)
    texts = draw_unmasked(prompts, data.RESPONSE, lm, unmasking, rng=rng)
    flows = [
        flow_of(score_steps(data.tokens(str(i), prompt, text.tokens), lm, text.steps))
        for i, (prompt, text) in enumerate(zip(prompts, texts, strict=True))
    ]
    rejected = [
        ville(tilted_e_process(f.density, f.log_moments, f.orders), sizes.written_alpha).rejects
        for f in flows
    ]
    gap = np.array([f.total_nats - f.compensator[-1] for f in flows])
    return {
        "texts": len(flows),
        "rejected": int(np.sum(rejected)),
        "mean_surprisal_p_nats": float(
            np.mean([(f.surprisal_q - f.density).mean() for f in flows])
        ),
        "density_less_drift_nats": mean_and_error(gap),
        "residual_mean": mean_and_error(np.array([f.residual for f in flows])),
        "residual_sd": float(np.std([f.residual for f in flows], ddof=1)),
    }
