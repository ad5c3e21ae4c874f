"""Both members trained on the same rows in the same order, kept as safetensors."""

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from flowgauge.architectures.family.causal import FamilyForCausalLM
from flowgauge.architectures.family.config import FamilyConfig
from flowgauge.architectures.family.diffusion import (
    FamilyForMaskedDiffusion,
    MaskedDiffusionConfig,
)
from flowgauge.records import IntArray
from masked_diffusion import data

#: 512 tokens and the mask, which the causal member has as a row that never occurs.
SIZES: dict[str, Any] = {
    "vocab_size": 513,
    "width": 128,
    "mixers": ["attention"] * 4,
    "heads": 4,
    "feed_forward": 256,
    "bos_token_id": data.BOS,
}
MODELS = {
    "causal": (FamilyForCausalLM, FamilyConfig),
    "diffusion": (FamilyForMaskedDiffusion, MaskedDiffusionConfig),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How both members are trained.

    Args:
        steps: Updates.
        rows: Rows with a prompt, and rows without one, in an update.
        rate: Largest learning rate; a short rise, then a half cosine.
        seed: Of first weights, rows and masks.
    """

    steps: int = 3000
    rows: int = 16
    rate: float = 2e-3
    seed: int = 0


def new(name: str, seed: int) -> Any:
    """A member with its first weights."""
    model_class, config_class = MODELS[name]
    torch.manual_seed(seed)
    return model_class(config_class(**SIZES))


def parameters(model: Any) -> int:
    """Trainable numbers; tied ones once."""
    return sum(p.numel() for p in model.parameters())


def train(name: str, stories: list[IntArray], plan: Plan, say: Callable[[str], None]) -> Any:
    """A trained member."""
    model = new(name, plan.seed).train()
    # Rows must not depend on what a model draws, so that both members read the same.
    rng = np.random.default_rng(plan.seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=plan.rate, weight_decay=0.01)
    rise = max(1, plan.steps // 30)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda i: min(1.0, (i + 1) / rise) * 0.5 * (1 + math.cos(math.pi * i / plan.steps)),
    )
    recent: list[float] = []
    for step in range(plan.steps):
        losses = [
            model(input_ids=part.ids, labels=part.labels).loss
            for part in data.batch(stories, plan.rows, rng)
        ]
        loss = torch.stack(losses).mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        recent.append(float(loss.detach()))
        if (step + 1) % max(1, plan.steps // 10) == 0:
            say(f"{name}: step {step + 1}, {np.mean(recent):.3f} nats per token")
            recent = []
    return model.eval()


def trained(
    name: str, folder: Path, stories: list[IntArray], plan: Plan, say: Callable[[str], None]
) -> Any:
    """The member kept in `folder` if this plan made it, else a newly trained one."""
    here, note = folder / name, folder / name / "plan.json"
    made_by = asdict(plan) | {"sizes": SIZES}
    if note.is_file():
        kept = json.loads(note.read_text(encoding="utf-8"))
        if kept["plan"] == made_by:
            return MODELS[name][0].from_pretrained(here).eval()
    model = train(name, stories, plan, say)
    model.save_pretrained(here)
    note.write_text(json.dumps({"plan": made_by}) + "\n", encoding="utf-8")
    return model
