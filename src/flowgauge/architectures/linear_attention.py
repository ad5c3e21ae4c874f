"""Linear attention: attention whose weights are a ratio of inner products, so that it is recurrent.

    here              source (Katharopoulos et al. 2020)    paper V
    u                 x                                     u_j
    feature_map       φ(x) = elu(x) + 1 (Eq. 7)             –
    weights           φ(Q_i)ᵀφ(K_j) / Σ_j φ(Q_i)ᵀφ(K_j)     π^h_ij
    coefficients      Eq. 8 with V = W_V u and W_O          A_ij = Σ_h π^h_ij W_O^h W_V^h
    the state         S_i, Z_i side by side (Eq. 10–11)     –
    chunk             – (our blocking of Eq. 9)             –

No softmax and no positions; no biases, so the form has no constant.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from flowgauge.architectures.tvvar import TVVAR, State, check_explicit, check_input, check_mask
from flowgauge.errors import SettingsError


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearAttentionConfig:
    """Sizes of a linear attention.

    Args:
        width: Length of one u_j, a multiple of heads.
        heads: Heads.
        chunk: Positions multiplied as one block; changes time and memory, not the result.

    Raises:
        SettingsError: Sizes that do not divide, or are below 1.

    Example:
        >>> LinearAttentionConfig(width=8, heads=3)
        Traceback (most recent call last):
        flowgauge.errors.SettingsError: width = 8 is no multiple of heads = 3; choose another number
        of heads
    """

    width: int
    heads: int
    chunk: int = 64

    def __post_init__(self) -> None:
        if min(self.width, self.heads, self.chunk) < 1:
            raise SettingsError(f"{self}: every size must be at least 1")
        if self.width % self.heads:
            raise SettingsError(
                f"width = {self.width} is no multiple of heads = {self.heads}; choose another "
                "number of heads"
            )


class LinearAttention(TVVAR):
    """A_ij = Σ_h π^h_ij W_O^h W_V^h with π^h_ij = φ(q_i)·φ(k_j) / Σ_{l≤i} φ(q_i)·φ(k_l).

    Weights are positive and sum to 1, as those of softmax attention, but cannot be as sharp. A
    normaliser below 1e−19 (float32; all projections below about −22) counts as 1e−19: weights then
    fade to 0 rather than become NaN.

    Args:
        config: Sizes.

    References:
        [katharopoulos:20]; docs/paper_index.md, section 8.

    Example:
        >>> attention = LinearAttention(LinearAttentionConfig(width=4, heads=2))
        >>> attention.weights(torch.ones(1, 3, 4))[0, 0].round(decimals=2).tolist()[1]
        [0.5, 0.5, 0.0]
    """

    def __init__(self, config: LinearAttentionConfig) -> None:
        super().__init__()
        self.config, self.width = config, config.width
        self.q_proj = nn.Linear(config.width, config.width, bias=False)
        self.k_proj = nn.Linear(config.width, config.width, bias=False)
        self.v_proj = nn.Linear(config.width, config.width, bias=False)
        self.o_proj = nn.Linear(config.width, config.width, bias=False)

    def weights(self, u: Tensor) -> Tensor:
        """π^h_ij: (batch, head, time, time), rows sum to 1. Written out, for looking.

        Raises:
            ShapeError: u is not (batch, time, width).
        """
        check_input(u, self.width)
        q, k, _ = self._project(u)
        products = (q @ k.transpose(-1, -2)).tril()
        return products / _positive(products.sum(-1, keepdim=True))

    def coefficients(self, u: Tensor) -> Tensor:
        """A_ij = Σ_h π^h_ij W_O^h W_V^h: (batch, time, time, width, width)."""
        check_explicit(u, self.width)
        w_o = self.o_proj.weight.unflatten(1, (self.config.heads, -1))
        w_v = self.v_proj.weight.unflatten(0, (self.config.heads, -1))
        through = torch.einsum("vhd,hdw->hvw", w_o, w_v)
        return torch.einsum("bhij,hvw->bijvw", self.weights(u), through)

    def parallel(self, u: Tensor) -> Tensor:
        """Blocks of `chunk` positions; memory of time · (chunk + d²/chunk) a head."""
        return self.extend(self.initial_state(len(u)), u)[1]

    def initial_state(self, batch: int) -> State:
        """Σ φ(k_j) (v_j, 1)ᵀ of nothing: (batch, head, d, d + 1) zeros."""
        d = self.width // self.config.heads
        return (self.k_proj.weight.new_zeros(batch, self.config.heads, d, d + 1),)

    def step(self, state: State, u_i: Tensor) -> tuple[State, Tensor]:
        """One position, in time and memory that do not grow."""
        q, k, v = self._project(u_i[:, None])
        total = state[0] + k.transpose(-1, -2) @ v
        return (total,), self._out(q @ total)[:, 0]

    def extend(self, state: State, u: Tensor, mask: Tensor | None = None) -> tuple[State, Tensor]:
        """Several positions from a sum on, block by block; a masked one adds nothing to it."""
        _, time, _ = check_input(u, self.width)
        check_mask(mask, u)
        chunk = min(self.config.chunk, time)
        q, k, v = self._project(u)
        if mask is not None:
            k = k * mask[:, None, :, None]
        q, k, v = (  # (batch, head, block, chunk, d); zeros behind the end add nothing
            pad(x, (0, 0, 0, -time % chunk)).unflatten(2, (-1, chunk)) for x in (q, k, v)
        )
        inside = (q @ k.transpose(-1, -2)).tril() @ v
        upto = state[0][:, :, None] + (k.transpose(-1, -2) @ v).cumsum(2)
        before = torch.cat((state[0][:, :, None], upto[:, :, :-1]), dim=2)
        out = (inside + q @ before).flatten(2, 3)[:, :, :time]
        return (upto[:, :, -1],), self._out(out)

    def _project(self, u: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """φ(q), φ(k) and (v, 1) as (batch, head, time, d or d + 1).

        The 1 makes the last column of every sum the normaliser.
        """
        q, k, v = (
            projection(u).unflatten(-1, (self.config.heads, -1)).transpose(1, 2)
            for projection in (self.q_proj, self.k_proj, self.v_proj)
        )
        return feature_map(q), feature_map(k), pad(v, (0, 1), value=1.0)

    def _out(self, sums: Tensor) -> Tensor:
        mixed = sums[..., :-1] / _positive(sums[..., -1:])
        return self.o_proj(mixed.transpose(1, 2).flatten(2))


def feature_map(x: Tensor) -> Tensor:
    """φ(x) = elu(x) + 1, above 0.

    Written as exp(min(x, 0)) + max(x, 0): elu(x) + 1 loses every digit of e^x below x = −17 in
    float32, and the weights are ratios of such numbers.

    Example:
        >>> feature_map(torch.tensor([-1.0, 0.0, 2.0]).double()).round(decimals=2).tolist()
        [0.37, 1.0, 3.0]
    """
    return x.clamp(max=0).exp() + x.relu()


def _positive(normaliser: Tensor) -> Tensor:
    # the square root: a gradient divides by the normaliser twice and must not overflow
    return normaliser.clamp(min=torch.finfo(normaliser.dtype).tiny ** 0.5)
