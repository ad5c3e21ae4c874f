"""Members of flowgauge's own family, read with the adapters of the published modules.

A member computes its weights itself, so what the adapters ask of a transformers module is handed
to them: query and key of an attention, sizes of a state space member under their names there.
"""

from types import SimpleNamespace
from typing import Any

import torch

from flowgauge.architectures.linear_attention import feature_map
from flowgauge.architectures.mamba2 import EPSILON
from flowgauge.lens.mixers.adapter import Adapter, matrix
from flowgauge.lens.mixers.attention import ProjectedAttention
from flowgauge.lens.mixers.mamba import SelectiveScan
from flowgauge.lens.mixers.mamba2 import StateSpaceDuality
from flowgauge.lens.mixers.mixing import Mixing
from flowgauge.models.attention import Seen


class MemberAttention(Adapter):
    """Softmax attention: shared key heads, rotary positions and window as the member has them."""

    def read(self, mixer: Any, states: torch.Tensor, seen: Seen | None) -> Mixing:
        """Values are W_V x_j."""
        positions = torch.arange(len(states), device=states.device)
        q, k, _ = mixer.project(states[None].to(mixer.q_proj.weight.dtype), positions)
        own = Seen(
            layer=0, query=q, key=k, mask=None, scaling=mixer.config.size**-0.5,
            window=mixer.config.window, more={},
        )  # fmt: skip
        return ProjectedAttention().read(mixer, states, own)


class MemberLinearAttention(Adapter):
    """Linear attention: π = φ(q)·φ(k) over its sum up to the position."""

    def read(self, mixer: Any, states: torch.Tensor, seen: Seen | None) -> Mixing:
        """Values are W_V x_j; one head's π exists at a time."""
        q, k = (
            feature_map(states @ matrix(projection).T).unflatten(-1, (mixer.config.heads, -1))
            for projection in (mixer.q_proj, mixer.k_proj)
        )

        def weights(head: int, times: slice) -> torch.Tensor:
            products = q[times, head] @ k[:, head].T
            at = torch.arange(len(states), device=states.device)
            products = products.masked_fill(at > at[times, None], 0.0)
            tiny = torch.finfo(products.dtype).tiny ** 0.5
            return products / products.sum(-1, keepdim=True).clamp(min=tiny)

        return Mixing(
            heads=mixer.config.heads,
            weights=weights,
            values=(states @ matrix(mixer.v_proj).T)[None],
            out=matrix(mixer.o_proj),
        )


class MemberMamba(Adapter):
    """Mamba."""

    def read(self, mixer: Any, states: torch.Tensor, seen: Seen | None) -> Mixing:
        """As `SelectiveScan` reads the published module, whose parameters have the same names."""
        sizes = {"ssm_state_size": mixer.config.state, "time_step_rank": mixer.rank}
        return SelectiveScan().read(_named(mixer, **sizes), states, seen)


class MemberMamba2(Adapter):
    """Mamba-2."""

    def read(self, mixer: Any, states: torch.Tensor, seen: Seen | None) -> Mixing:
        """As `StateSpaceDuality` reads the published module."""
        config, inner = mixer.config, mixer.inner
        norm = SimpleNamespace(
            weight=mixer.norm.weight,
            group_size=inner // config.groups,
            variance_epsilon=EPSILON,
        )
        published = _named(
            mixer,
            norm=norm,
            intermediate_size=inner,
            n_groups=config.groups,
            ssm_state_size=config.state,
            conv_dim=inner + 2 * config.groups * config.state,
            num_heads=config.heads,
            head_dim=inner // config.heads,
            time_step_limit=(0.0, float("inf")),
        )
        return StateSpaceDuality().read(published, states, seen)


def _named(mixer: Any, **more: Any) -> SimpleNamespace:
    """The parts of a member, and what a published module has besides."""
    own = dict(mixer.named_children()) | dict(mixer.named_parameters(recurse=False))
    return SimpleNamespace(**(own | more))
