"""Slow ways to what a family member or model gives: position by position, row by row, no cache."""

import numpy as np
import torch

from flowgauge.architectures.family import FamilyConfig, FamilyForCausalLM
from flowgauge.architectures.tvvar import TVVAR


def stepped(member, u, mask):
    """A masked row is the row of what exists, fed step by step: (batch, time, width), NaN else."""
    out = torch.full_like(u, torch.nan)
    for row in range(len(u)):
        state = member.initial_state(1)
        for i in mask[row].nonzero().flatten().tolist():
            state, x = member.step(state, u[row : row + 1, i])
            out[row, i] = x[0]
    return out


def in_pieces(member, u, mask, cuts, extend=None):
    """`extend` over the pieces of u between the cuts; the default is the member's own."""
    run = extend or type(member).extend
    state, out = member.initial_state(len(u)), []
    for start, stop in zip([0, *cuts], [*cuts, u.shape[1]], strict=True):
        state, x = run(
            member, state, u[:, start:stop], None if mask is None else mask[:, start:stop]
        )
        out.append(x)
    return torch.cat(out, dim=1)


def step_by_step(member, state, u, mask):
    """The base class's `extend`."""
    return TVVAR.extend(member, state, u, mask)


def alone(model, ids, mask):
    """Logits (batch, time, vocab), each row by itself and without what is masked; NaN there."""
    out = torch.full((*ids.shape, model.config.vocab_size), torch.nan, dtype=model.dtype)
    for row, exists in enumerate(mask.bool()):
        if exists.any():
            out[row, exists] = model(ids[row : row + 1, exists], use_cache=False).logits[0]
    return out


def greedy(model, ids, mask, length):
    """Greedy continuations (batch, length) without a cache: a full pass for each row and token."""
    rows = [row[exists].tolist() for row, exists in zip(ids, mask.bool(), strict=True)]
    for row in rows:
        for _ in range(length):
            logits = model(torch.tensor([row]), use_cache=False).logits
            row.append(int(logits[0, -1].argmax()))
    return torch.tensor([row[-length:] for row in rows])


#: Stacks that are tested everywhere: each member alone, a window, hybrids, a mixture of experts.
STACKS = {
    "attention": {"mixers": ["attention"] * 2, "kv_heads": 2},
    "window": {"mixers": ["attention"] * 2, "window": 4},
    "linear attention": {"mixers": ["linear_attention"] * 2},
    "mamba": {"mixers": ["mamba"] * 2, "feed_forward": 0},
    "mamba2": {"mixers": ["mamba2"] * 2, "feed_forward": 0},
    "hybrid": {"mixers": ["mamba2", "attention"]},
    "hybrid window": {"mixers": ["attention", "mamba"], "window": 3},
    "experts": {"mixers": ["attention", "linear_attention"], "experts": 3},
}


def config_of(stack, **more):
    """A small config of the stack, with the special tokens of the story tokenizer."""
    sizes = {
        "vocab_size": 512, "width": 32, "heads": 4, "feed_forward": 48, "head_width": 8,
        "state_size": 6, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0,
    }  # fmt: skip
    return FamilyConfig(**{**sizes, **STACKS[stack], **more})


def model_of(stack, dtype=torch.float32, **more):
    """A model with wide random weights, so that laws are far from uniform and the past matters."""
    torch.manual_seed(0)
    model = FamilyForCausalLM(config_of(stack, **more)).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "A_log" in name:
                parameter.sub_(2.0)  # slow forgetting
            elif parameter.ndim == 2:
                parameter.normal_(0, 0.25)
    return model.to(dtype)


def tokens(*shape, seed=0):
    """Random tokens, none of them special."""
    return torch.from_numpy(np.random.default_rng(seed).integers(3, 512, shape))
