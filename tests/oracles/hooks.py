"""Laws of a text by one whole pass each, without caches or padding, and the sampler by hand."""

import numpy as np
import torch

from flowgauge.records import ORDERS


def logits_of(lm, prefix, response):
    """(time, vocab) float64 logits before each response token."""
    ids = torch.tensor([[*map(int, prefix), *map(int, response)]])
    with torch.inference_mode():
        out = lm._model(ids).logits[0, len(prefix) - 1 : -1]
    return out.double().numpy()


def sampled(logits, so_far, sampling):
    """Log-probabilities (vocab,) that a token is drawn from; transformers' order, one at a time."""
    x = logits.copy()
    for token in {int(t) for t in so_far}:
        factor = sampling.repetition_penalty
        x[token] = x[token] * factor if x[token] < 0 else x[token] / factor
    if sampling.temperature == 0:
        x[x < x.max()] = -np.inf
        return normalised(x)
    x = x / sampling.temperature
    if sampling.top_k:
        x[x < np.sort(x)[-sampling.top_k]] = -np.inf
    if sampling.top_p < 1:
        order = np.argsort(-x, kind="stable")
        mass = np.cumsum(np.exp(normalised(x))[order])
        x[order[1:][mass[:-1] >= sampling.top_p]] = -np.inf
    if sampling.min_p:
        x[np.exp(normalised(x)) < sampling.min_p * np.exp(normalised(x)).max()] = -np.inf
    return normalised(x)


def normalised(x):
    """Logits as log-probabilities."""
    return x - x.max() - np.log(np.exp(x - x.max()).sum())


def rows(lm, prompt, reference, response, sampling=None):
    """(log P, log Q), each (time, vocab); the model's own laws where no sampling is given."""
    p, q = logits_of(lm, prompt, response), logits_of(lm, reference, response)
    if sampling is None:
        return np.array([normalised(x) for x in p]), np.array([normalised(x) for x in q])
    changed = [sampled(x, [*prompt, *response[:j]], sampling) for j, x in enumerate(p)]
    return np.array(changed), np.array([normalised(x / (sampling.temperature or 1)) for x in q])


def numbers(log_p, log_q, tokens):
    """Every number of each token by its definition."""
    found = {n: [] for n in ("log_p", "log_q", "drift", "variance", "entropy_p", "entropy_q")}
    moments = []
    for p, q, token in zip(log_p, log_q, tokens, strict=True):
        can = p > -np.inf
        weight, ratio = np.exp(p[can]), p[can] - q[can]
        drift = weight @ ratio
        found["log_p"].append(p[token])
        found["log_q"].append(q[token])
        found["drift"].append(drift)
        found["variance"].append(weight @ (ratio - drift) ** 2)
        found["entropy_p"].append(-(weight @ p[can]))
        found["entropy_q"].append(-(np.exp(q) @ q))
        moments.append([np.log(weight @ np.exp(order * ratio)) for order in ORDERS])
    return {**{n: np.array(v) for n, v in found.items()}, "log_moments": np.array(moments)}
