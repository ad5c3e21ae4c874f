"""Pointers from whole eager attention matrices, token by token, slow and obvious."""

import numpy as np
import torch


def eager_attention(model, ids):
    """Attention (layer, head, query, key) of one text, as the eager implementation has it."""
    stock = model.config._attn_implementation
    model.set_attn_implementation("eager")
    try:
        with torch.inference_mode():
            out = model(input_ids=torch.from_numpy(ids)[None], output_attentions=True)
    finally:
        model.set_attn_implementation(stock)
    return torch.stack([layer[0] for layer in out.attentions]).double().numpy()


def pointers_of(lm, tokens, heads):
    """(mass, position) of each response token: the definition, one pair of tokens at a time."""
    text = [lm.token_text([int(i)])[0] for i in tokens.prompt_ids]
    written = [lm.token_text([int(i)])[0] for i in tokens.response_ids]
    attention = eager_attention(lm._model, np.concatenate((tokens.prompt_ids, tokens.response_ids)))
    mass, position = [], []
    for j, token in enumerate(written):
        query = len(text) + j - 1
        best = (0.0, -1)
        for layer, head in heads:
            row = attention[layer, head, query]
            same = [
                s
                for s in range(len(text))
                if (
                    text[s].strip().lower() == token.strip().lower()
                    if token.strip() and "\ufffd" not in token
                    else tokens.prompt_ids[s] == tokens.response_ids[j]
                )
            ]
            total = float(sum(row[s] for s in same))
            if total > best[0]:
                best = (total, max(same, key=lambda s: row[s]))
        mass.append(best[0])
        position.append(best[1])
    return np.array(mass), np.array(position)
