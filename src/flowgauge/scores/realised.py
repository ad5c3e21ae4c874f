"""Log-likelihoods alone, for tests that compare many sources: no second law, no other column."""

from collections.abc import Sequence

import numpy as np
import torch

from flowgauge.models.protocol import LanguageModel
from flowgauge.records import FloatArray
from flowgauge.scores.plan import Context
from flowgauge.scores.score import PIECE_ROWS, STATES_BYTES, ScoreSettings, run_states

#: Log-softmax of this many numbers at a time stays in the processor's cache.
SLICE_NUMBERS = 2**19


def log_likelihood(
    contexts: Sequence[Context], lm: LanguageModel, settings: ScoreSettings | None = None
) -> FloatArray:
    """Log P(continuation | prefix) of each context [nats].

    Args:
        contexts: Prefix and continuation ids; an empty continuation has log-likelihood 0.
        lm: The model.
        settings: How passes are batched.

    Returns:
        (context,) float64.
    """
    settings = settings or ScoreSettings()
    out = np.zeros(len(contexts))
    order = sorted(range(len(contexts)), key=lambda i: contexts[i].prefix.tolist())
    most = max(1, STATES_BYTES // (4 * lm.state_width))
    group: list[int] = []
    size = 0
    for i in order:
        n = len(contexts[i].continuation)
        if group and size + n > most:
            _fill(group, contexts, lm, settings, out)
            group, size = [], 0
        group.append(i)
        size += n
    _fill(group, contexts, lm, settings, out)
    return out


def _fill(
    group: list[int],
    contexts: Sequence[Context],
    lm: LanguageModel,
    settings: ScoreSettings,
    out: FloatArray,
) -> None:
    group = [i for i in group if len(contexts[i].continuation)]
    if not group:
        return
    states = torch.cat(run_states([contexts[i] for i in group], lm, settings)[0])
    ids = torch.from_numpy(np.concatenate([contexts[i].continuation for i in group]))
    logs = np.empty(len(ids))
    rows = 2 * PIECE_ROWS
    few = max(1, SLICE_NUMBERS // lm.vocabulary_size)
    with torch.inference_mode():
        for start in range(0, len(ids), rows):
            logits = lm.logits(states[start : start + rows])
            for a in range(0, len(logits), few):
                part = logits[a : a + few]
                part = part if part.dtype == torch.float64 else part.float()
                at = slice(start + a, start + a + len(part))
                laws = torch.log_softmax(part, -1)
                logs[at] = laws.gather(1, ids[at, None].to(laws.device))[:, 0].double().cpu()
    ends = np.cumsum([0, *(len(contexts[i].continuation) for i in group)])
    for i, a, b in zip(group, ends, ends[1:], strict=False):
        out[i] = logs[a:b].sum()
