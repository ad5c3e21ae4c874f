"""Mamba's mixer, S6: a state space model whose step and maps look at the tokens.

    here     source (Gu & Dao 2023)      meaning
    inner    D (Algorithm 2)             channels of the values, expand · width
    state    N                           numbers a channel remembers
    rank     rank of s_Δ (§3.6)          width of the way from a token to its steps
    dt       Δ = softplus(bias + s_Δ)    step of each channel
    A        A, diagonal, < 0            −exp(A_log): rates at which a channel forgets
    Ā, B̄     Eq. 4                       exp(Δ A) and, as in the authors' code, Δ B
    b, c     B, C                        maps into and out of the state, one for all channels

In the paper's form (V, Eq. 44) a channel's kernel is C_i · (Π_{k=j+1..i} Ā_k) B̄_j; the whole A_ij
stands in selective.py. Parameters have the names of the authors' code, so `load_state_dict` takes
the weights of a trained mixer.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import silu, softplus

from flowgauge.architectures.scan import decays_between, scan
from flowgauge.architectures.selective import (
    Drive,
    SelectiveMixer,
    first_steps,
    short_convolution,
)
from flowgauge.errors import SettingsError

# States of so many positions are made at a time: they stay in the processor's cache.
PIECE = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class MambaConfig:
    """Sizes of a Mamba mixer.

    Args:
        width: Length of one u_j.
        expand: Inner channels for each of them.
        state: Numbers each inner channel remembers.
        taps: Length of the convolution.
        rank: Width of the way to the steps; width / 16, rounded up, by default.

    Raises:
        SettingsError: A size below 1.

    Example:
        >>> MambaConfig(width=8, state=0)
        Traceback (most recent call last):
        flowgauge.errors.SettingsError: state is 0, at least 1 was needed
    """

    width: int
    expand: int = 2
    state: int = 16
    taps: int = 4
    rank: int | None = None

    def __post_init__(self) -> None:
        for name in ("width", "expand", "state", "taps", "rank"):
            size = getattr(self, name)
            if size is not None and size < 1:
                raise SettingsError(f"{name} is {size}, at least 1 was needed")


class Mamba(SelectiveMixer):
    """Mamba's mixer (S6), without the norm before it and the residual around it.

    Args:
        config: Its sizes.

    References:
        [gu:23] §3, Algorithm 2, Figure 3; paper V, Eq. 44.

    Example:
        >>> from flowgauge.architectures import unroll
        >>> _ = torch.manual_seed(0)
        >>> member, u = Mamba(MambaConfig(width=8)), torch.randn(1, 20, 8)
        >>> torch.allclose(member(u), unroll(member, u), atol=1e-6)
        True
    """

    def __init__(self, config: MambaConfig) -> None:
        super().__init__()
        self.config = config
        self.width, self.inner = config.width, config.expand * config.width
        self.rank = math.ceil(config.width / 16) if config.rank is None else config.rank
        self.in_proj = nn.Linear(self.width, 2 * self.inner, bias=False)
        self.conv1d = short_convolution(self.inner, config.taps)
        self.x_proj = nn.Linear(self.inner, self.rank + 2 * config.state, bias=False)
        self.dt_proj = nn.Linear(self.rank, self.inner)
        nn.init.uniform_(self.dt_proj.weight, -(self.rank**-0.5), self.rank**-0.5)
        self.dt_proj.bias = nn.Parameter(first_steps(self.inner))
        rates = torch.arange(1.0, config.state + 1)
        self.A_log = nn.Parameter(rates.log().repeat(self.inner, 1))
        self.D = nn.Parameter(torch.ones(self.inner))
        self.out_proj = nn.Linear(self.inner, self.width, bias=False)

    def drive(self, u: Tensor, past: Tensor, mask: Tensor | None = None) -> tuple[Drive, Tensor]:
        """Gates, steps and maps of (batch, time, width) tokens after `past`."""
        x, gate = self.in_proj(u).split(self.inner, dim=-1)
        before, past = self.convolve(x, past, mask)
        value = silu(before)
        sizes = [self.rank, self.config.state, self.config.state]
        low, b, c = self.x_proj(value).split(sizes, dim=-1)
        return Drive(before, value, gate, softplus(self.dt_proj(low)), b, c), past

    def mix(self, value: Tensor, drive: Drive, memory: Tensor) -> tuple[Tensor, Tensor]:
        """The selective scan over all positions, piece by piece."""
        rates = -self.A_log.exp()
        return selective_scan(value * drive.dt, drive.dt, rates, drive.b, drive.c, memory)

    def advance(self, memory: Tensor, drive: Drive) -> tuple[Tensor, Tensor]:
        """One position of h = Ā h + B̄ x and y = C h; memory is (batch, inner, state)."""
        dt, b, c = drive.dt[:, 0, :, None], drive.b[:, 0, None], drive.c[:, 0, :, None]
        memory = torch.exp(-dt * self.A_log.exp()) * memory + dt * drive.value[:, 0, :, None] * b
        return memory, (memory @ c).transpose(1, 2)

    def kernel(self, drive: Drive) -> Tensor:
        """C_i · (Π Ā) B̄_k for each channel: (batch, i, k, inner)."""
        log_decay = -drive.dt.transpose(1, 2)[:, :, None] * self.A_log.exp()[..., None]
        decay = decays_between(log_decay)
        return torch.einsum("bin,bdnik,bkn,bkd->bikd", drive.c, decay, drive.b, drive.dt)

    def empty(self, batch: int) -> Tensor:
        """(batch, inner, state) zeros."""
        return self.A_log.new_zeros(batch, *self.A_log.shape)

    def _value_rows(self) -> Tensor:
        return self.in_proj.weight[: self.inner]


def selective_scan(
    x: Tensor, dt: Tensor, rates: Tensor, b: Tensor, c: Tensor, state: Tensor
) -> tuple[Tensor, Tensor]:
    """y_t = C_t h_t with h_t = exp(Δ_t A) h_{t−1} + B_t x_t, each channel by itself.

    Args:
        x: (batch, time, inner) values, already times Δ.
        dt: (batch, time, inner) Δ ≥ 0.
        rates: (inner, state) A < 0.
        b: (batch, time, state) B.
        c: (batch, time, state) C.
        state: (batch, inner, state) h before the first position.

    Returns:
        (batch, time, inner) y, and the h after the last position.

    References:
        [gu:23] Algorithm 2, §3.3.

    Example:
        >>> one = torch.ones(1, 3, 1)
        >>> rates, nothing = torch.tensor([[0.5]]).log(), torch.zeros(1, 1, 1)
        >>> y, h = selective_scan(one, one, rates, one, one, nothing)
        >>> y.flatten().tolist(), h.flatten().tolist()
        ([1.0, 1.5, 1.75], [1.75])
    """
    out = []
    # Split at once: the gradient of each slice would fill a whole tensor with zeros.
    pieces = (t.split(PIECE, dim=1) for t in (x[..., None], dt[..., None], b, c[..., None]))
    for x_now, dt_now, b_now, c_now in zip(*pieces, strict=True):
        h = scan(torch.exp(dt_now * rates), x_now * b_now[:, :, None], state)
        out.append((h @ c_now)[..., 0])
        state = h[:, -1]
    return torch.cat(out, dim=1), state
