"""Ψ as a mixture of experts: which expert answers is a latent variable given the position.

    here            source                                        paper V
    x               input of the block                            x_i, inside Ψ
    FeedForward     SwiGLU (Shazeer 2020, Eq. 6)                  Ψ with one expert
    router_law      softmax of W_g x (Shazeer 2017; Fedus 2021, Eq. 1)   p(e | x) before the choice
    expert_law      softmax over the top k (Jiang 2024, §2.1)     p(e | x), e latent
    balance_loss    E Σ_e f_e P_e (Fedus 2021, Eq. 4–6)           –

Ψ(x) = Σ_e p(e | x) f_e(x) is the mean over e; positions do not meet, so this is no TV-VAR member.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import silu

from flowgauge.errors import SettingsError, ShapeError


class FeedForward(nn.Module):
    """SwiGLU: W_down (silu(W_gate x) ⊙ W_up x), without biases; the mixture of one expert.

    Args:
        width: Length of x.
        hidden: Length between the maps.

    References:
        [shazeer:20], Eq. 6.

    Example:
        >>> FeedForward(4, 8)(torch.zeros(2, 4)).tolist() == [[0.0] * 4] * 2
        True
    """

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        if min(width, hidden) < 1:
            raise SettingsError(f"{width = }, {hidden = }; both must be at least 1")
        self.gate_proj = nn.Linear(width, hidden, bias=False)
        self.up_proj = nn.Linear(width, hidden, bias=False)
        self.down_proj = nn.Linear(hidden, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(..., width) to (..., width)."""
        return self.down_proj(silu(self.gate_proj(x)) * self.up_proj(x))


@dataclass(frozen=True, slots=True, kw_only=True)
class MixtureConfig:
    """Sizes of a mixture of experts.

    Args:
        width: Length of x.
        hidden: Length inside an expert.
        experts: Number of experts.
        top_k: Experts that answer for one x.

    Raises:
        SettingsError: A size below 1, or more experts to choose than there are.

    Example:
        >>> MixtureConfig(width=4, hidden=8, experts=2, top_k=3)
        Traceback (most recent call last):
        flowgauge.errors.SettingsError: top_k = 3 of experts = 2; 1 ≤ top_k ≤ experts is needed
    """

    width: int
    hidden: int
    experts: int
    top_k: int = 2

    def __post_init__(self) -> None:
        if min(self.width, self.hidden) < 1:
            raise SettingsError(f"{self}: every size must be at least 1")
        if not 1 <= self.top_k <= self.experts:
            raise SettingsError(
                f"top_k = {self.top_k} of experts = {self.experts}; 1 ≤ top_k ≤ experts is needed"
            )


class MixtureOfExperts(nn.Module):
    """Ψ(x) = Σ_e p(e | x) f_e(x) over the k likeliest experts of each x.

    Only the experts chosen are computed. No expert has a capacity: no x is dropped.

    Args:
        config: Sizes.

    References:
        [shazeer:17]; [fedus:22]; [jiang:24]; docs/paper_index.md, section 8.

    Example:
        >>> block = MixtureOfExperts(MixtureConfig(width=4, hidden=8, experts=3))
        >>> law = block.expert_law(torch.randn(5, 4))
        >>> (law > 0).sum(-1).tolist(), law.sum(-1).round(decimals=5).tolist()
        ([2, 2, 2, 2, 2], [1.0, 1.0, 1.0, 1.0, 1.0])
    """

    def __init__(self, config: MixtureConfig) -> None:
        super().__init__()
        self.config = config
        self.gate = nn.Linear(config.width, config.experts, bias=False)
        self.experts = nn.ModuleList(
            FeedForward(config.width, config.hidden) for _ in range(config.experts)
        )

    def router_law(self, x: Tensor) -> Tensor:
        """Softmax over all experts, before the choice: (..., experts).

        Raises:
            ShapeError: x is not (..., width).
        """
        if x.ndim < 1 or x.shape[-1] != self.config.width:
            raise ShapeError(f"x has shape {tuple(x.shape)}; (..., {self.config.width}) was needed")
        return self.gate(x).softmax(-1)

    def expert_law(self, x: Tensor) -> Tensor:
        """p(e | x): the router's law kept on its k likeliest experts, sums to 1: (..., experts)."""
        law = self.router_law(x)
        top, chosen = law.topk(self.config.top_k, dim=-1)
        kept = top / top.sum(-1, keepdim=True)
        return torch.zeros_like(law).scatter(-1, chosen, kept)

    def forward(self, x: Tensor) -> Tensor:
        """(..., width) to (..., width)."""
        law = self.expert_law(x).flatten(0, -2)
        rows = x.reshape(-1, self.config.width)
        mixed = torch.zeros_like(rows)
        for e, expert in enumerate(self.experts):
            (chosen,) = law[:, e].nonzero(as_tuple=True)
            answer = law[chosen, e, None] * expert(rows[chosen])
            mixed = mixed.index_add(0, chosen, answer)
        return mixed.reshape(x.shape)

    def load(self, x: Tensor) -> "RouterLoad":
        """How the router spreads these x over the experts; differentiable through its law."""
        return router_load(self.router_law(x), self.config.top_k)


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterLoad:
    """How a batch of positions falls on the experts.

    Attributes:
        share: (experts,) share of the positions that reach each expert; sums to k.
        mean_probability: (experts,) mean of the router's law; sums to 1.
        load_entropy_nats: Entropy of share / k [nats]; log E when all experts work alike.
        router_entropy_nats: Mean entropy of the router's law at one position [nats].
        balance_loss: E Σ_e share_e mean_probability_e; k when balanced. Its gradient runs through
            mean_probability alone.
    """

    share: Tensor
    mean_probability: Tensor
    load_entropy_nats: Tensor
    router_entropy_nats: Tensor
    balance_loss: Tensor


def router_load(law: Tensor, top_k: int) -> RouterLoad:
    """Load statistics of a router's law.

    Args:
        law: (..., experts) softmax over all experts, at least one position.
        top_k: Experts chosen for each position.

    Raises:
        ShapeError: No position.
        SettingsError: Not 1 ≤ top_k ≤ experts.

    References:
        [fedus:22], Eq. 4–6, with k choices counted as Mixtral does.

    Example:
        >>> load = router_load(torch.tensor([[0.75, 0.25], [0.75, 0.25]]), top_k=1)
        >>> load.share.tolist(), load.balance_loss.item(), load.load_entropy_nats.item()
        ([1.0, 0.0], 1.5, 0.0)
    """
    if law.ndim < 2 or not law.numel():
        raise ShapeError(
            f"law has shape {tuple(law.shape)}; (..., experts) with at least one position was "
            "needed"
        )
    rows = law.flatten(0, -2)
    positions, experts = rows.shape
    if not 1 <= top_k <= experts:
        raise SettingsError(f"{top_k = } of {experts = }; 1 ≤ top_k ≤ experts is needed")
    chosen = rows.topk(top_k, dim=-1).indices.flatten()
    share = chosen.bincount(minlength=experts).to(law.dtype) / positions
    mean = rows.mean(0)
    return RouterLoad(
        share=share,
        mean_probability=mean,
        load_entropy_nats=_entropy(share / top_k),
        router_entropy_nats=_entropy(rows.detach()).mean(),
        balance_loss=experts * (share * mean).sum(),
    )


def _entropy(law: Tensor) -> Tensor:
    return torch.special.entr(law).sum(-1)
