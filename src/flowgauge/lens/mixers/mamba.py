"""Mamba (S6): per channel d, π_ij = Σ_n C_i[n] exp(A[d, n] Σ_{k=j+1..i} Δ_k[d]) Δ_j[d] B_j[n].

dt, B and C are computed anew from the mixer's parameters, whose names are stable; each channel is
a head of its own. The skip D stands on the diagonal. Only one channel's π exists at a time.
"""

from typing import Any

import torch
from torch.nn.functional import silu, softplus

from flowgauge.lens.mixers.adapter import Adapter, bias_of, matrix
from flowgauge.lens.mixers.convolution import lagged
from flowgauge.lens.mixers.mixing import Mixing, Weights
from flowgauge.models.attention import Seen


def add_skip(weights: torch.Tensor, times: slice, skip: torch.Tensor) -> torch.Tensor:
    """π (times, source) with D added where a position looks at itself, and 0 ahead of it."""
    source = weights.shape[1]
    at = torch.arange(source, device=weights.device)
    here = at[times]
    weights = weights.masked_fill(at[None, :] > here[:, None], 0.0)
    weights[torch.arange(len(here), device=weights.device), here] += skip
    return weights


def elapsed(time: torch.Tensor, times: slice) -> torch.Tensor:
    """(times, source) Σ_{k=j+1..i} Δ_k ≥ 0 from its running sum (time,); 0 ahead of i."""
    return (time[times, None] - time[None, :]).clamp_min(0).float()


class SelectiveScan(Adapter):
    """`in_proj, conv1d, x_proj, dt_proj, A_log, D, out_proj`."""

    def read(self, mixer: Any, states: torch.Tensor, seen: Seen | None) -> Mixing:
        """Values are the convolution's parts; the gate is SiLU(z)."""
        entering = bias_of(mixer.in_proj)
        both = states @ matrix(mixer.in_proj).T
        if entering is not None:
            both = both + entering
        x, z = both.chunk(2, dim=-1)
        values, constant, u = lagged(mixer.conv1d, x)
        return Mixing(
            heads=u.shape[1],
            weights=_weights(mixer, u),
            values=values,
            constant=constant,
            gate=silu(z),
            out=matrix(mixer.out_proj),
            bias=bias_of(mixer.out_proj),
        )


def _weights(mixer: Any, u: torch.Tensor) -> Weights:
    state = mixer.ssm_state_size
    low, b, c = torch.split(u @ matrix(mixer.x_proj).T, [mixer.time_step_rank, state, state], -1)
    dt = softplus(low @ matrix(mixer.dt_proj).T + mixer.dt_proj.bias.float())
    # Differences of long sums: single precision would lose the last steps.
    clock = dt.double().cumsum(0)
    a, skip = -torch.exp(mixer.A_log.float()), mixer.D.float()

    def weights(head: int, times: slice) -> torch.Tensor:
        since = elapsed(clock[:, head], times)
        found = torch.zeros_like(since)
        for n in range(state):
            decay = torch.exp(a[head, n] * since)
            found += decay * c[times, n, None] * (dt[:, head] * b[:, n])
        return add_skip(found, times, skip[head])

    return weights
