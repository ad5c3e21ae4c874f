"""Every column of a record from the model's own full logits, in float64, slow and obvious."""

import numpy as np
import torch

from flowgauge.records import TokenScores


def full_laws(model, prefix, response):
    """(time, vocab) float64 log-laws at the response positions from one full forward pass."""
    ids = torch.from_numpy(np.concatenate((prefix, response)))[None]
    with torch.inference_mode():
        logits = model(input_ids=ids, use_cache=False).logits[0]
    return torch.log_softmax(logits.double(), -1)[len(prefix) - 1 : -1]


def columns_of(log_p, log_q, ids, orders, k=5):
    """Columns from two whole log-laws by their definitions."""
    p, ratio = log_p.exp(), log_p - log_q
    drift = (p * ratio).sum(-1)
    top_p, top_q = log_p.topk(k), log_q.topk(k)
    at = torch.as_tensor(ids)[:, None]
    moments = [torch.logsumexp(log_p + order * ratio, -1) for order in orders]
    return TokenScores(
        log_p=log_p.gather(1, at)[:, 0].numpy(),
        log_q=log_q.gather(1, at)[:, 0].numpy(),
        drift=drift.numpy(),
        variance=(p * (ratio - drift[:, None]) ** 2).sum(-1).numpy(),
        entropy_p=-(p * log_p).sum(-1).numpy(),
        entropy_q=-(log_q.exp() * log_q).sum(-1).numpy(),
        log_moments=torch.stack(moments, 1).numpy(),
        orders=np.array(orders),
        top_p_ids=top_p.indices.numpy(),
        top_p_log=top_p.values.numpy(),
        top_q_ids=top_q.indices.numpy(),
        top_q_log=top_q.values.numpy(),
    )


def scores_of(model, tokens, orders):
    """Columns of one record from two full forward passes."""
    return columns_of(
        full_laws(model, tokens.prompt_ids, tokens.response_ids),
        full_laws(model, tokens.reference_ids, tokens.response_ids),
        tokens.response_ids,
        orders,
    )


COLUMNS = (
    "log_p", "log_q", "drift", "variance", "entropy_p", "entropy_q", "log_moments",
    "top_p_log", "top_q_log",
)  # fmt: skip


def largest_difference(a, b):
    """Largest absolute difference of any column of two `TokenScores`."""
    return max(float(np.abs(getattr(a, n) - getattr(b, n)).max()) for n in COLUMNS)
