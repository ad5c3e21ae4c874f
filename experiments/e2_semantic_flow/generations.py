"""Texts are drawn batch by batch and kept; a run that was killed goes on where it was.

<runs>/<model>/<sampling>-<prompts>-<batch>.parquet         as drawn
<runs>/<model>/<sampling>-<prompts>-model-<batch>.parquet   the same texts, read again under the
                                                            model's own law (warm only)
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from e2_semantic_flow import data, plan
from e2_semantic_flow.written import Written, from_scores, load, save
from flowgauge.live import Generated, GenerateSettings, generate_many
from flowgauge.records import TokenScores
from flowgauge.scores import score
from flowgauge.text import Omit

Say = Callable[[str], None]
Texts = dict[tuple[str, str], list[Written]]  # by model and name of the condition
OF_MODEL = "-model"  # the same texts under the model's own law


def part(folder: Path, condition: plan.Condition, batch: int, suffix: str = "") -> Path:
    """Where a batch lies."""
    return folder / condition.model / f"{condition.name}{suffix}-{batch:03d}.parquet"


def read(folder: Path, condition: plan.Condition, suffix: str = "") -> list[Written]:
    """The texts of a condition that are there.

    Raises:
        SystemExit: A file holds other texts than the plan says.
    """
    found: list[Written] = []
    for b, wanted in enumerate(condition.batches()):
        path = part(folder, condition, b, suffix)
        if path.is_file():
            texts = load([path])
            if [(t.prompt, t.repetition) for t in texts] != wanted:
                raise SystemExit(f"{path} holds texts of another plan; delete it and start again")
            found += [replace(t, kind=condition.prompts) for t in texts]
    return found


def read_all(conditions: Sequence[plan.Condition], folder: Path) -> Texts:
    """Every text that was drawn."""
    out: Texts = {}
    for c in conditions:
        out[c.model, c.name] = read(folder, c)
        if c.sampling == "warm":
            out[c.model, c.name + OF_MODEL] = read(folder, c, OF_MODEL)
    return out


def generate(
    conditions: Sequence[plan.Condition], assets: Path, folder: Path, quick: bool, say: Say
) -> None:
    """Draw what is not drawn yet, all conditions in turn."""
    from flowgauge.models import load_model

    models: dict[str, Any] = {}
    prompts = {k: data.prompts(k, assets, quick) for k in {c.prompts for c in conditions}}
    for condition, b in plan.interleaved(list(conditions)):
        path = part(folder, condition, b)
        if path.is_file():
            continue
        lm = models.setdefault(condition.model, None) or load_model(condition.model)
        models[condition.model] = lm
        start = time.monotonic()
        texts = condition.batches()[b]
        drawn = _draw(condition, texts, prompts[condition.prompts], lm)
        if condition.sampling == "warm":
            again = score([g.tokens for g in drawn], lm)
            both = [_written(*x) for x in zip(texts, drawn, again, strict=True)]
            save(both, part(folder, condition, b, OF_MODEL))
        save([_written(t, g, g.scores) for t, g in zip(texts, drawn, strict=True)], path)
        tokens, took = sum(len(g.steps) for g in drawn), time.monotonic() - start
        say(f"{condition.model} {condition.name} {b}: {tokens} tokens, {took:.0f} s")


def _draw(
    condition: plan.Condition,
    texts: Sequence[tuple[int, int]],
    prompts: Sequence[data.Prompt],
    lm: Any,
) -> list[Generated]:
    return generate_many(
        [prompts[i].record for i, _ in texts],
        lm,
        sampling=plan.SAMPLINGS[condition.sampling],
        seeds=[plan.SEED_STEP * i + r for i, r in texts],
        settings=GenerateSettings(
            reference=Omit(),
            law=plan.LAWS[condition.sampling],
            max_tokens=condition.max_tokens,
        ),
    )


def _written(which: tuple[int, int], g: Generated, scores: TokenScores) -> Written:
    ids = g.tokens.response_ids
    return from_scores(
        scores,
        prompt=which[0],
        repetition=which[1],
        text=g.record.response,
        has_end="ended it" in g.stopped_by,
        ids=ids,
        ends=g.tokens.offsets[:, 1],
    )


def tabular(sampling: str, texts: int) -> list[Written]:
    """Texts of a random table under its own laws, drawn anew each time (cheap, same seed)."""
    from flowgauge.models import TabularModel

    lm = TabularModel.random(sources=4, vocabulary=5, length=6, seed=0)
    drawn = generate_many(
        [str(i % 4) for i in range(texts)],
        lm,
        sampling=plan.SAMPLINGS[sampling],
        seeds=list(range(texts)),
        settings=GenerateSettings(law=plan.LAWS[sampling], max_tokens=6),
    )
    return [_written((i, 0), g, g.scores) for i, g in enumerate(drawn)]


def tokens_of(texts: Sequence[Written]) -> int:
    """How many tokens some texts have."""
    return int(np.sum([len(t.ids) for t in texts], dtype=np.int64))
