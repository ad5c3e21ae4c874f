"""The law with a continuous cache, by its definition: one full pass a law, loops, float64."""

import copy
import math

import torch
from oracles.scores import columns_of, full_laws

STATE_SPACE = ("MambaModel", "Mamba2Model")


def double(model):
    """The model in double precision (some families round within to single)."""
    return copy.deepcopy(model).double()


def hidden_states(model, ids, depth):
    """(token, width) float64 after the layer at that share of the depth, from one full pass."""
    with torch.inference_mode():
        out = model(
            input_ids=torch.as_tensor(ids)[None], use_cache=False, output_hidden_states=True
        )
    layers = len(out.hidden_states) - 1
    layer = max(1, math.floor(depth * layers))
    # Transformers list the embeddings first; the library's state-space models leave them out.
    first = 0 if type(model.base_model).__name__ in STATE_SPACE else 1
    return out.hidden_states[layer - 1 + first][0].double()


def mixed_laws(model, tokens, source, law):
    """(time, vocab) log P′ at the response positions; `source` are positions in the prompt."""
    prompt, response = list(tokens.prompt_ids), list(tokens.response_ids)
    log_p = full_laws(model, tokens.prompt_ids, tokens.response_ids)
    pairs = [(s, prompt[s + 1]) for s in source if s + 1 in set(source)]
    pairs = [(s, following) for s, following in pairs if following < log_p.shape[1]]
    if not pairs:
        return log_p
    h = hidden_states(model, prompt + response, law.depth)
    mean = sum(h[s] for s in source) / len(source)

    def cosine(a, b):
        return float((a @ b) / (a.norm() * b.norm()))

    rows = []
    for j in range(len(response)):
        query = h[len(prompt) - 1 + j] - mean
        weight = [math.exp(law.sharpness * cosine(query, h[s] - mean)) for s, _ in pairs]
        cache = torch.zeros(log_p.shape[1], dtype=torch.float64)
        for w, (_, following) in zip(weight, pairs, strict=True):
            cache[following] += w / sum(weight)
        rows.append(((1 - law.weight) * log_p[j].exp() + law.weight * cache).log())
    return torch.stack(rows)


def mixed_scores(model, tokens, source, law, orders):
    """All columns of one record under P′ against the model's own Q."""
    return columns_of(
        mixed_laws(model, tokens, source, law),
        full_laws(model, tokens.reference_ids, tokens.response_ids),
        tokens.response_ids,
        orders,
    )
