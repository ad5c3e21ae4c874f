"""Mamba-2 (SSD): per head, π_ij = exp(a Σ_{k=j+1..i} Δ_k) Δ_j C_iᵀ B_j; the norm is in the gate.

The norm behind the scan divides by a scale that the whole row shares; as observed, it is a
coefficient of the row: g_i = SiLU(z_i) ⊙ w / s_i.
"""

from typing import Any

import torch
from torch.nn.functional import silu, softplus

from flowgauge.lens.mixers.adapter import Adapter, bias_of, matrix
from flowgauge.lens.mixers.convolution import lagged
from flowgauge.lens.mixers.mamba import add_skip, elapsed
from flowgauge.lens.mixers.mixing import Mixing, Weights
from flowgauge.models.attention import Seen


class StateSpaceDuality(Adapter):
    """`in_proj` (gate, x B C, dt fused), `conv1d, dt_bias, A_log, D, norm, out_proj`."""

    def read(self, mixer: Any, states: torch.Tensor, seen: Seen | None) -> Mixing:
        """Values are the convolution's parts of x; B and C come of its sum."""
        entering = bias_of(mixer.in_proj)
        fused = states @ matrix(mixer.in_proj).T
        if entering is not None:
            fused = fused + entering
        inner, groups = mixer.intermediate_size, mixer.n_groups * mixer.ssm_state_size
        z, xbc, dt = torch.split(fused, [inner, mixer.conv_dim, mixer.num_heads], -1)
        parts, constant, sums = lagged(mixer.conv1d, xbc)
        u, b, c = torch.split(sums, [inner, groups, groups], -1)
        weights = _weights(mixer, dt, b, c)
        return Mixing(
            heads=mixer.num_heads,
            weights=weights,
            values=parts[..., :inner],
            constant=constant[:, :inner],
            gate=_gate(mixer, _scanned(mixer, weights, u), silu(z)),
            out=matrix(mixer.out_proj),
            bias=bias_of(mixer.out_proj),
        )


def _weights(mixer: Any, dt: torch.Tensor, b: torch.Tensor, c: torch.Tensor) -> Weights:
    dt = softplus(dt + mixer.dt_bias.float()).clamp(*mixer.time_step_limit)
    clock = dt.double().cumsum(0)
    a, skip = -torch.exp(mixer.A_log.float()), mixer.D.float()
    state, sharing = mixer.ssm_state_size, mixer.num_heads // mixer.n_groups

    def weights(head: int, times: slice) -> torch.Tensor:
        of = slice(head // sharing * state, (head // sharing + 1) * state)
        decay = torch.exp(a[head] * elapsed(clock[:, head], times))
        return add_skip(decay * (c[times, of] @ b[:, of].T) * dt[:, head], times, skip[head])

    return weights


def _scanned(mixer: Any, weights: Weights, u: torch.Tensor, rows: int = 64) -> torch.Tensor:
    """(time, channel) what the scan puts out, a few rows at a time."""
    out = torch.empty_like(u)
    width = mixer.head_dim
    for start in range(0, len(u), rows):
        times = slice(start, min(start + rows, len(u)))
        for head in range(mixer.num_heads):
            of = slice(head * width, (head + 1) * width)
            out[times, of] = weights(head, times) @ u[:, of]
    return out


def _gate(mixer: Any, scanned: torch.Tensor, opened: torch.Tensor) -> torch.Tensor:
    """(time, channel) SiLU(z) ⊙ w / s, s the root mean square of each group."""
    size = mixer.norm.group_size
    grouped = (scanned * opened).unflatten(-1, (-1, size))
    mean = grouped.pow(2).mean(-1, keepdim=True) + mixer.norm.variance_epsilon
    scale = mean.sqrt().expand_as(grouped).flatten(-2)
    return opened * mixer.norm.weight.float() / scale
