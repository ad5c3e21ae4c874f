"""Mamba-2's mixer, SSD: one decay per head, so that most of the work is matrix products.

    here     source (Dao & Gu 2024)     meaning
    heads    H                          each with head_dim = expand · width / heads channels (P)
    state    N                          numbers a channel remembers
    groups   G (§7.2)                   heads that share B and C; norms have the same groups
    chunk    Q (§6)                     positions multiplied out at once
    dt, A    Δ, A = −exp(A_log)         step and rate, one number per head
    b, c     B, C ("keys", "queries")   maps into and out of the state, one for each group
    decays   L (Eq. 4)                  Π_{k<l≤i} exp(Δ_l A)

In the paper's form (V, Eq. 44) a head's kernel is (Π_{k=j+1..i} a_k) C_iᵀ B_j Δ_j; the whole A_ij
stands in selective.py. The gated norm before the output map divides by the size of all that came
out at position i: that factor looks at the tokens like a gate does and counts as a coefficient.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import pad, silu, softplus

from flowgauge.architectures.scan import decays_between, scan
from flowgauge.architectures.selective import (
    Drive,
    SelectiveMixer,
    first_steps,
    short_convolution,
)
from flowgauge.errors import SettingsError

EPSILON = 1e-5


@dataclass(frozen=True, slots=True, kw_only=True)
class Mamba2Config:
    """Sizes of a Mamba-2 mixer.

    Args:
        width: Length of one u_j.
        heads: Parts with a decay of their own; divides expand · width.
        expand: Inner channels for each of the width.
        state: Numbers each inner channel remembers.
        groups: Parts of the heads that share B and C; divides heads.
        taps: Length of the convolution.
        chunk: Positions multiplied out at once; changes the time it takes, not the result.

    Raises:
        SettingsError: A size below 1, or sizes that do not divide.

    Example:
        >>> Mamba2Config(width=8, heads=3)
        Traceback (most recent call last):
        flowgauge.errors.SettingsError: expand · width is 16, heads 3; heads that divide it were
        needed
    """

    width: int
    heads: int
    expand: int = 2
    state: int = 64
    groups: int = 1
    taps: int = 4
    chunk: int = 64

    def __post_init__(self) -> None:
        for name in ("width", "heads", "expand", "state", "groups", "taps", "chunk"):
            if getattr(self, name) < 1:
                raise SettingsError(f"{name} is {getattr(self, name)}, at least 1 was needed")
        inner = self.expand * self.width
        if inner % self.heads:
            raise SettingsError(
                f"expand · width is {inner}, heads {self.heads}; heads that divide it were needed"
            )
        if self.heads % self.groups:
            raise SettingsError(
                f"heads is {self.heads}, groups {self.groups}; groups that divide it were needed"
            )


class Mamba2(SelectiveMixer):
    """Mamba-2's mixer (SSD), without the norm before it and the residual around it.

    Steps Δ are not clipped (the source's default limits, 0 and ∞).

    Args:
        config: Its sizes.

    References:
        [dao:24] §5–7, Figure 6; paper V, Eq. 44.

    Example:
        >>> from flowgauge.architectures import unroll
        >>> _ = torch.manual_seed(0)
        >>> member, u = Mamba2(Mamba2Config(width=8, heads=4, chunk=8)), torch.randn(1, 20, 8)
        >>> torch.allclose(member(u), unroll(member, u), atol=1e-6)
        True
    """

    def __init__(self, config: Mamba2Config) -> None:
        super().__init__()
        self.config = config
        self.width, self.inner = config.width, config.expand * config.width
        convolved = self.inner + 2 * config.groups * config.state
        self.in_proj = nn.Linear(self.width, self.inner + convolved + config.heads, bias=False)
        self.conv1d = short_convolution(convolved, config.taps)
        self.dt_bias = nn.Parameter(first_steps(config.heads))
        self.A_log = nn.Parameter(torch.arange(1.0, config.heads + 1).log())
        self.D = nn.Parameter(torch.ones(config.heads))
        self.norm = nn.Module()
        self.norm.weight = nn.Parameter(torch.ones(self.inner))
        self.out_proj = nn.Linear(self.inner, self.width, bias=False)

    def drive(self, u: Tensor, past: Tensor, mask: Tensor | None = None) -> tuple[Drive, Tensor]:
        """Gates, steps and maps of (batch, time, width) tokens after `past`."""
        maps = self.config.groups * self.config.state
        sizes = [self.inner, self.inner + 2 * maps, self.config.heads]
        gate, convolved, dt = self.in_proj(u).split(sizes, dim=-1)
        convolved, past = self.convolve(convolved, past, mask)
        value, b, c = silu(convolved).split([self.inner, maps, maps], dim=-1)
        grouped = (*u.shape[:2], self.config.groups, self.config.state)
        dt = softplus(dt + self.dt_bias)
        before = convolved[..., : self.inner]
        return Drive(before, value, gate, dt, b.reshape(grouped), c.reshape(grouped)), past

    def mix(self, value: Tensor, drive: Drive, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Structured state space duality: products within chunks, a scan between them."""
        x = value.unflatten(-1, (self.config.heads, -1)) * drive.dt[..., None]
        log_decay = -drive.dt * self.A_log.exp()
        y, memory = chunked_ssd(x, log_decay, drive.b, drive.c, memory, self.config.chunk)
        return y.flatten(-2), memory

    def advance(self, memory: Tensor, drive: Drive) -> tuple[Tensor, Tensor]:
        """One position of h = a h + Δ x Bᵀ and y = h C; memory is (batch, heads, P, state)."""
        dt = drive.dt[:, 0]
        x = drive.value[:, 0].unflatten(-1, (self.config.heads, -1)) * dt[..., None]
        b, c = self._to_heads(drive.b)[:, 0], self._to_heads(drive.c)[:, 0]
        a = torch.exp(-dt * self.A_log.exp())[..., None, None]
        memory = a * memory + x[..., None] * b[:, :, None]
        return memory, (memory @ c[..., None]).flatten(1)[:, None]

    def kernel(self, drive: Drive) -> Tensor:
        """(Π a) C_iᵀ B_k Δ_k for each channel: (batch, i, k, inner)."""
        log_decay = -(drive.dt * self.A_log.exp()).transpose(1, 2)
        overlap = torch.einsum("bihn,bkhn->bhik", self._to_heads(drive.c), self._to_heads(drive.b))
        kernel = decays_between(log_decay) * overlap * drive.dt.transpose(1, 2)[:, :, None]
        return self._to_channels(kernel.permute(0, 2, 3, 1))

    def scale(self, y: Tensor, drive: Drive) -> Tensor:
        """silu(z) and the norm's factor: weight / root mean square of y silu(z) in its group."""
        gate = silu(drive.gate)
        grouped = (y * gate).unflatten(-1, (self.config.groups, -1))
        size = grouped.pow(2).mean(-1, keepdim=True).add(EPSILON).rsqrt()
        return (gate.unflatten(-1, (self.config.groups, -1)) * size).flatten(-2) * self.norm.weight

    def skip(self) -> Tensor:
        """D for each inner channel, one number per head."""
        return self._to_channels(self.D)

    def empty(self, batch: int) -> Tensor:
        """(batch, heads, P, state) zeros."""
        heads = self.config.heads
        return self.A_log.new_zeros(batch, heads, self.inner // heads, self.config.state)

    def _value_rows(self) -> Tensor:
        return self.in_proj.weight[self.inner : 2 * self.inner]

    def _to_heads(self, grouped: Tensor) -> Tensor:
        return grouped.repeat_interleave(self.config.heads // self.config.groups, dim=2)

    def _to_channels(self, by_head: Tensor) -> Tensor:
        return by_head.repeat_interleave(self.inner // self.config.heads, dim=-1)


def chunked_ssd(
    x: Tensor, log_decay: Tensor, b: Tensor, c: Tensor, memory: Tensor, chunk: int
) -> tuple[Tensor, Tensor]:
    """y_i = Σ_{k≤i} (Π_{k<l≤i} a_l) (C_iᵀ B_k) x_k for each head, chunk by chunk.

    Within a chunk this is masked attention without a softmax; the state at its end is carried to
    the next one by a scan. Work grows as time · chunk.

    Args:
        x: (batch, time, head, P) values, already times Δ.
        log_decay: (batch, time, head) log a ≤ 0.
        b: (batch, time, group, state) B; groups divide the heads.
        c: (batch, time, group, state) C.
        memory: (batch, head, P, state) what is remembered before the first position.
        chunk: Positions in one chunk.

    Returns:
        (batch, time, head, P) y, and the memory after the last position.

    References:
        [dao:24] §6, Theorem 6.1 and Listing 1.

    Example:
        >>> one = torch.ones(1, 3, 1, 1)
        >>> half = torch.full((1, 3, 1), 0.5).log()
        >>> y, memory = chunked_ssd(one, half, one, one, torch.zeros(1, 1, 1, 1), chunk=2)
        >>> y.flatten().tolist(), memory.flatten().tolist()
        ([1.0, 1.5, 1.75], [1.75])
    """
    time, groups = x.shape[1], b.shape[2]
    chunk = min(chunk, time)
    # (batch, chunks, group, head of it, within, …): the heads of a group share its B and C.
    x, b, c = (_chunks(t, chunk) for t in (x, b, c))
    log_decay = _chunks(log_decay[..., None], chunk)[..., 0]
    x = x.unflatten(2, (groups, -1))
    decays = decays_between(log_decay).unflatten(2, (groups, -1))
    since = log_decay.double().cumsum(-1).to(x.dtype).exp().unflatten(2, (groups, -1))
    b, c = b[:, :, :, None], c[:, :, :, None]
    within = (c @ b.mT * decays) @ x
    left = (x * decays[..., -1, :, None]).mT @ b
    first = memory.unflatten(1, (groups, -1))
    states = scan(since[..., -1, None, None], left, first)
    before = torch.cat([first[:, None], states[:, :-1]], dim=1)
    y = within + since[..., None] * (c @ before.mT)
    y = y.flatten(2, 3).transpose(2, 3).flatten(1, 2)[:, :time]
    return y, states[:, -1].flatten(1, 2)


def _chunks(t: Tensor, chunk: int) -> Tensor:
    """(batch, time, head, n) to (batch, chunks, head, within, n); zeros fill the last chunk."""
    missing = -t.shape[1] % chunk
    return pad(t, (0, 0, 0, 0, 0, missing)).unflatten(1, (-1, chunk)).transpose(2, 3)
