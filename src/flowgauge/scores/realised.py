"""Log-likelihoods alone, for tests that compare many sources: no second law, no other column."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch

from flowgauge.models.protocol import LanguageModel
from flowgauge.records import FloatArray
from flowgauge.scores.law import ChangedRows, Law, ModelLaw
from flowgauge.scores.plan import Context
from flowgauge.scores.probe import Taps
from flowgauge.scores.score import PIECE_ROWS, STATES_BYTES, ScoreSettings, run_states

#: Log-softmax of this many numbers at a time stays in the processor's cache.
SLICE_NUMBERS = 2**19


def log_likelihood(
    contexts: Sequence[Context],
    lm: LanguageModel,
    settings: ScoreSettings | None = None,
    law: Law | None = None,
) -> FloatArray:
    """Log P(continuation | prefix) of each context [nats].

    Args:
        contexts: Prefix and continuation ids; an empty continuation has log-likelihood 0.
        lm: The model.
        settings: How passes are batched.
        law: Which law P is; the model's own by default. Contexts are then `law.context(…)`.

    Returns:
        (context,) float64.
    """
    settings, law = settings or ScoreSettings(), law or ModelLaw()
    out = np.zeros(len(contexts))
    order = sorted(range(len(contexts)), key=lambda i: contexts[i].prefix.tolist())
    most = max(1, STATES_BYTES // (4 * lm.state_width))
    group: list[int] = []
    size = 0
    for i in order:
        n = len(contexts[i].continuation)
        if not n:
            continue
        if group and size + n > most:
            out[group] = _sums([contexts[i] for i in group], lm, settings, law)
            group, size = [], 0
        group.append(i)
        size += n
    out[group] = _sums([contexts[i] for i in group], lm, settings, law)
    return out


def _sums(
    contexts: Sequence[Context], lm: LanguageModel, settings: ScoreSettings, law: Law
) -> FloatArray:
    """(context,) log-likelihoods of some contexts whose continuations are not empty."""
    if not contexts:
        return np.zeros(0)
    tap = law.tap(contexts, lm)
    found, where = run_states(contexts, lm, settings, Taps((tap,) if tap else ()), len(contexts))
    states = torch.cat(found)
    lengths = [len(c.continuation) for c in contexts]
    changed = ChangedRows(tap, where, lengths) if tap else None
    ids = torch.from_numpy(np.concatenate([c.continuation for c in contexts]))
    logs = np.empty(len(ids))
    rows = 2 * PIECE_ROWS
    few = max(1, SLICE_NUMBERS // lm.vocabulary_size)
    with torch.inference_mode():
        for start in range(0, len(ids), rows):
            logits = lm.logits(states[start : start + rows])
            if changed:
                changed.change(logits, start)
            for a in range(0, len(logits), few):
                part = logits[a : a + few]
                part = part if part.dtype == torch.float64 else part.float()
                at = slice(start + a, start + a + len(part))
                laws = torch.log_softmax(part, -1)
                logs[at] = laws.gather(1, ids[at, None].to(laws.device))[:, 0].double().cpu()
    ends = np.cumsum([0, *lengths])
    return np.array([logs[a:b].sum() for a, b in pairwise(ends)])
