"""A model's copy heads, found once without labels and kept in the user's cache.

On random tokens repeated twice, a copy head looks from each place of the second copy to the place
after its first occurrence: at the token it is about to write. The mean attention that a head pays
there is its induction score [olsson:22]; the heads with the largest are the copy heads.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from flowgauge.models.protocol import Batch, LanguageModel, Pass
from flowgauge.records import FloatArray

#: More heads add nothing (experiments/ragtruth/README.md).
MOST_HEADS = 16
#: A model whose best head has a lower score has no copy heads; a lower head is none of them.
MIN_BEST, MIN_SCORE = 0.2, 0.1
#: Random tokens of one copy, and how many such texts are averaged.
COPY_TOKENS, TEXTS = 48, 4
#: Kept with what was found: another method finds anew.
METHOD = [MOST_HEADS, MIN_BEST, MIN_SCORE, COPY_TOKENS, TEXTS]


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyHeads:
    """The copy heads of one model.

    Attributes:
        heads: (layer, head) of each, best first; empty when the model has none.
        scores: Their induction scores, 0…1.
        best: The best score of any head; 0 without attention.
        why_none: Why there are none, in words; empty when there are some.
    """

    heads: tuple[tuple[int, int], ...]
    scores: tuple[float, ...]
    best: float
    why_none: str = ""


class _Induction:
    """A tap that takes every head's attention from the second copy to the place it repeats."""

    def __init__(self) -> None:
        self.by_layer: dict[int, FloatArray] = {}

    @contextmanager
    def watch(self, model: Any, here: Pass) -> Iterator[None]:
        from flowgauge.models.attention import Seen, watched_attention

        def look(seen: Seen) -> None:
            n = seen.query.shape[2]
            # Fed: [start] r_1 … r_T r_1 … r_T; the query at the second r_j looks for r_{j+1}.
            queries = np.arange(n - COPY_TOKENS, n - 1)
            keys = queries - COPY_TOKENS + 1 - (n - seen.key.shape[2])
            found = np.zeros(seen.query.shape[1])
            for head in range(len(found)):
                for row in range(seen.query.shape[0]):
                    weights = seen.weights(row, head, slice(n - COPY_TOKENS, n - 1))
                    at = weights.cpu().numpy()[np.arange(len(keys)), keys]
                    found[head] += at.mean() / seen.query.shape[0]
            self.by_layer[seen.layer] = found

        with watched_attention(model, look):
            yield


def induction_scores(lm: LanguageModel) -> dict[int, FloatArray]:
    """Induction score of every head: layer → (heads,), 0…1; empty without attention.

    The same random tokens are used every time, so the scores are a property of the model.

    Args:
        lm: Any model; one that shows no attention gives an empty result.

    Example:
        >>> from flowgauge.models import TabularModel
        >>> induction_scores(TabularModel.random(sources=2, vocabulary=3, length=2, seed=0))
        {}
    """
    rng = np.random.default_rng(0)
    first = [] if lm.bos_id is None else [lm.bos_id]
    room = (lm.context_length or 2 * COPY_TOKENS + 1) >= 2 * COPY_TOKENS + 1
    if not room or lm.vocabulary_size <= COPY_TOKENS:
        return {}
    rows = []
    for _ in range(TEXTS):
        copied = rng.choice(lm.vocabulary_size, COPY_TOKENS, replace=False)
        rows.append(np.array([*first, *copied, *copied], dtype=np.int64))
    tap = _Induction()
    none = np.zeros(0, dtype=np.int64)
    for row in rows:
        here = _Induction()
        lm.states(Batch(none, (row,), (1,)), here)
        for layer, found in here.by_layer.items():
            tap.by_layer[layer] = tap.by_layer.get(layer, 0.0) + found / TEXTS
    return tap.by_layer


def find_copy_heads(lm: LanguageModel) -> CopyHeads:
    """The heads with the largest induction scores, at most `MOST_HEADS`, if the best is one."""
    ranked = sorted(
        ((float(score), layer, head)
         for layer, found in induction_scores(lm).items() for head, score in enumerate(found)),
        key=lambda x: (-x[0], x[1], x[2]),
    )  # fmt: skip
    best = ranked[0][0] if ranked else 0.0
    chosen = [r for r in ranked[:MOST_HEADS] if best >= MIN_BEST and r[0] >= MIN_SCORE]
    why = ""
    if not ranked:
        why = f"{lm.name} shows no attention to look at"
    elif not chosen:
        why = (
            f"{lm.name} has no copy heads: its best induction score is {best:.2f}, at least "
            f"{MIN_BEST} is needed"
        )
    return CopyHeads(
        heads=tuple((layer, head) for _, layer, head in chosen),
        scores=tuple(round(score, 4) for score, _, _ in chosen),
        best=round(best, 4),
        why_none=why,
    )


def copy_heads(lm: LanguageModel) -> CopyHeads:
    """The model's copy heads, from the user's cache or found now (seconds).

    Example:
        >>> from flowgauge.models import TabularModel
        >>> world = TabularModel.random(sources=2, vocabulary=3, length=2, seed=0)
        >>> copy_heads(world).why_none
        'tabular shows no attention to look at'
    """
    from flowgauge.models.presets import cache_folder

    file = cache_folder() / "copy_heads" / f"{lm.fingerprint}.json"
    known = _read(file)
    if known is not None:
        return known
    found = find_copy_heads(lm)
    if found.best == 0.0:  # quick to find out again, and no model's property worth keeping
        return found
    file.parent.mkdir(parents=True, exist_ok=True)
    half = file.with_suffix(".tmp")
    kept = {"model": lm.name, "method": METHOD, **asdict(found)}
    half.write_text(json.dumps(kept), encoding="utf-8")
    half.replace(file)
    return found


def _read(file: Any) -> CopyHeads | None:
    """What the cache holds; a damaged or older file is found anew."""
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
        if data["method"] != METHOD:
            return None
        return CopyHeads(
            heads=tuple((int(layer), int(head)) for layer, head in data["heads"]),
            scores=tuple(map(float, data["scores"])),
            best=float(data["best"]),
            why_none=str(data["why_none"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
