"""One layer of the family: a mixer and its Ψ, each behind a norm, each added to what came in.

    x ← x + mixer(norm(x))             the member: Σ_j A_ij u_j with u = norm(x)
    x ← x + feed_forward(norm(x))      Ψ; absent where feed_forward = 0, as in Mamba

Weights at the start: maps have entries of variance 1 / (length of what comes in), those that lead
back into the sum 1 / (2 · layers) of that (Radford et al. 2019, §2.3); the state space members keep
the rates, steps and convolution of their sources.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from transformers import initialization as init

from flowgauge.architectures.attention import Attention, AttentionConfig
from flowgauge.architectures.family.config import FamilyConfig
from flowgauge.architectures.linear_attention import LinearAttention, LinearAttentionConfig
from flowgauge.architectures.mamba import Mamba, MambaConfig
from flowgauge.architectures.mamba2 import Mamba2, Mamba2Config
from flowgauge.architectures.moe import FeedForward, MixtureConfig, MixtureOfExperts, RouterLoad
from flowgauge.architectures.rotary import Rotary
from flowgauge.architectures.selective import first_steps
from flowgauge.architectures.tvvar import TVVAR

#: How a mixer is run: the mixer and u (batch, time, width) to what it puts out, the same shape.
Mix = Callable[[Any, Tensor], Tensor]


#: Maps whose output is added to the residual stream.
LEAD_BACK = ("o_proj", "out_proj", "down_proj")


class Block(nn.Module):
    """A mixer, then a feed-forward block, with norms before and residuals around both.

    Args:
        config: Sizes.
        mixer: A member of the family, or any module from (batch, time, width) to the same.

    Example:
        >>> config = FamilyConfig(width=8, mixers=["mamba"])
        >>> Block(config, mixer_of(config, "mamba"))(torch.zeros(1, 3, 8)).shape
        torch.Size([1, 3, 8])
    """

    def __init__(self, config: FamilyConfig, mixer: nn.Module) -> None:
        super().__init__()
        self.mixer_norm = nn.RMSNorm(config.width, eps=config.norm_eps)
        self.mixer = mixer
        self.feed_forward = feed_forward_of(config)
        if self.feed_forward is not None:
            self.feed_forward_norm = nn.RMSNorm(config.width, eps=config.norm_eps)
        for name, part in self.named_modules():
            part.leads_back = name.rpartition(".")[2] in LEAD_BACK

    def forward(
        self,
        x: Tensor,
        mix: Mix | None = None,
        loads: list[RouterLoad] | None = None,
        mask: Tensor | None = None,
    ) -> Tensor:
        """(batch, time, width) to the same.

        Args:
            x: What the layer below put out.
            mix: Runs the mixer in another way, on a cache for one; None: `mixer(u)`.
            loads: A mixture of experts appends how it was loaded.
            mask: (batch, time) positions that count in the load; None: all.
        """
        u = self.mixer_norm(x)
        x = x + (self.mixer(u) if mix is None else mix(self.mixer, u))
        if self.feed_forward is None:
            return x
        u = self.feed_forward_norm(x)
        if loads is not None and isinstance(self.feed_forward, MixtureOfExperts):
            loads.append(self.feed_forward.load(u if mask is None else u[mask]))
        return x + self.feed_forward(u)


def mixer_of(config: FamilyConfig, name: str) -> TVVAR:
    """A new mixer of the kind that a layer names.

    Args:
        config: Sizes.
        name: One of `config.MIXERS`.

    Example:
        >>> type(mixer_of(FamilyConfig(), "linear_attention")).__name__
        'LinearAttention'
    """
    width = config.width
    if name == "attention":
        rotary = None if config.rotary_base is None else Rotary(base=config.rotary_base)
        return Attention(
            AttentionConfig(
                width=width,
                heads=config.heads,
                kv_heads=config.kv_heads,
                window=config.window,
                rotary=rotary,
            )
        )
    if name == "linear_attention":
        return LinearAttention(LinearAttentionConfig(width=width, heads=config.heads))
    if name == "mamba":
        return Mamba(MambaConfig(width=width, expand=config.expand, state=config.state_size))
    heads = config.expand * width // config.head_width
    return Mamba2(
        Mamba2Config(width=width, heads=heads, expand=config.expand, state=config.state_size)
    )


def feed_forward_of(config: FamilyConfig) -> FeedForward | MixtureOfExperts | None:
    """A new Ψ: one feed-forward block, a mixture of experts, or None where there is none."""
    if not config.feed_forward:
        return None
    if config.experts == 1:
        return FeedForward(config.width, config.feed_forward)
    return MixtureOfExperts(
        MixtureConfig(
            width=config.width,
            hidden=config.feed_forward,
            experts=config.experts,
            top_k=config.experts_per_token,
        )
    )


def first_weights(module: nn.Module, layers: int) -> None:
    """Draw the first weights of one module; those of its children are drawn on their own.

    Parents come after their children. Weights that were loaded stay as they are.

    Args:
        module: Any module of a block; others are left alone.
        layers: Number of layers of the model.
    """
    if isinstance(module, nn.Linear):
        # transformers passes modules without weights of their own by, so a map must know itself.
        terms = 2 * layers if getattr(module, "leads_back", False) else 1
        init.normal_(module.weight, std=(terms * module.in_features) ** -0.5)
        if module.bias is not None:
            init.zeros_(module.bias)
    elif isinstance(module, Mamba | Mamba2):
        _first_state_space(module)


def _first_state_space(module: Mamba | Mamba2) -> None:
    init.kaiming_uniform_(module.conv1d.weight, a=math.sqrt(5))
    init.zeros_(module.conv1d.bias)
    init.ones_(module.D)
    if isinstance(module, Mamba):
        rates = torch.arange(1.0, module.config.state + 1).log().repeat(module.inner, 1)
        init.uniform_(module.dt_proj.weight, -(module.rank**-0.5), module.rank**-0.5)
        init.copy_(module.dt_proj.bias, first_steps(module.inner))
    else:
        rates = torch.arange(1.0, module.config.heads + 1).log()
        init.copy_(module.dt_bias, first_steps(module.config.heads))
        init.ones_(module.norm.weight)
    init.copy_(module.A_log, rates)
