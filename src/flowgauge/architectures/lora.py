"""Low-rank adaptation: a member whose linear maps are changed by a matrix of rank r.

    here        source (Hu et al. 2021, §4.1)   paper V
    base        W_0, frozen                     a map inside A_ij
    down, up    A (r, in), B (out, r)           –
    change      ΔW = (α/r) B A                  the map's change
    rank        r                               bound of rank ΔA_ij, see below

For an attention A_ij = Σ_h π^h_ij W_O^h W_V^h the change of A_ij has rank at most r when v_proj or
o_proj alone is a target, 2r when both are: ΔW_V of all heads ends in one (r, width) matrix, ΔW_O of
all heads begins with one (width, r) matrix. A changed q_proj or k_proj moves the weights π, so the
bound is lost for A_ij; it is B_h that changes by rank r (2r for both). Key or value heads may be
shared.
"""

import copy
from collections.abc import Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from flowgauge.errors import SettingsError

Member = TypeVar("Member", bound=nn.Module)


class LowRankLinear(nn.Module):
    """x ↦ W x + (α/r) B (A x) + bias, with W and the bias frozen. B starts at 0: no change.

    Reads like the linear map it stands for: `weight` is the changed W, `bias` the bias.

    Args:
        base: The map that is changed; taken over, its parameters are frozen.
        rank: r, between 1 and the smaller side of W.
        alpha: α, the change is multiplied by α/r.
        generator: Draws A.

    Raises:
        SettingsError: The rank does not fit.

    References:
        [hu:21], §4.1.

    Example:
        >>> base = nn.Linear(4, 3, bias=False)
        >>> low = LowRankLinear(base, rank=2, alpha=4.0, generator=torch.Generator().manual_seed(0))
        >>> bool((low.weight == base.weight).all()), low.change().shape
        (True, torch.Size([3, 4]))
    """

    def __init__(
        self, base: nn.Linear, rank: int, alpha: float, generator: torch.Generator
    ) -> None:
        super().__init__()
        rows, columns = base.weight.shape
        if not 1 <= rank <= min(rows, columns):
            raise SettingsError(
                f"{rank = } for a map of {rows} × {columns}; 1 ≤ rank ≤ {min(rows, columns)} is "
                "needed"
            )
        self.base, self.scale = base.requires_grad_(False), alpha / rank
        drawn = torch.randn(rank, columns, generator=generator) / columns**0.5
        self.down = nn.Parameter(drawn.to(base.weight))
        self.up = nn.Parameter(base.weight.new_zeros(rows, rank))

    @property
    def weight(self) -> Tensor:
        """W + ΔW: (out, in)."""
        return self.base.weight + self.change()

    @property
    def bias(self) -> Tensor | None:
        """The bias of the base map, unchanged."""
        return self.base.bias

    def change(self) -> Tensor:
        """ΔW = (α/r) B A: (out, in), of rank at most r."""
        return self.scale * self.up @ self.down

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) to (..., out), the change as two thin products."""
        return self.base(x) + self.scale * linear(linear(x, self.down), self.up)

    def merged(self) -> nn.Linear:
        """A plain linear map with the changed weight; trainable."""
        plain = copy.deepcopy(self.base).requires_grad_(True)
        with torch.no_grad():
            plain.weight.copy_(self.weight)
        return plain


def with_lora(
    member: Member, rank: int, alpha: float, targets: Sequence[str], *, seed: int = 0
) -> Member:
    """A copy of a member whose target maps carry a trainable change of rank r, all else frozen.

    The member that came in is left as it was. The copy equals it until it is trained.

    Args:
        member: Any module; members of the family keep all three forms.
        rank: r ≥ 1.
        alpha: The change is multiplied by alpha / rank.
        targets: Names of linear maps, whole ("layers.0.q_proj") or their last part ("q_proj").
        seed: Of the draw of A.

    Returns:
        The copy.

    Raises:
        SettingsError: A target names no linear map (shows those there are), or the rank does not
            fit.

    References:
        [hu:21]; docs/paper_index.md, section 8.

    Example:
        >>> from flowgauge.architectures import Attention, AttentionConfig
        >>> attention = Attention(AttentionConfig(width=8, heads=2))
        >>> adapted = with_lora(attention, rank=2, alpha=4.0, targets=["v_proj"])
        >>> [name for name, p in adapted.named_parameters() if p.requires_grad]
        ['v_proj.down', 'v_proj.up']
    """
    adapted = copy.deepcopy(member).requires_grad_(False)
    linears = {n: m for n, m in adapted.named_modules() if type(m) is nn.Linear and n}
    generator = torch.Generator().manual_seed(seed)
    for target in targets:
        if not any(_is_named(name, target) for name in linears):
            there = ", ".join(linears) or "none"
            raise SettingsError(f"target {target!r} names no linear map; there are: {there}")
    for name, base in linears.items():
        if any(_is_named(name, target) for target in targets):
            _replace(adapted, name, LowRankLinear(base, rank, alpha, generator))
    return adapted


def merge(adapted: Member) -> Member:
    """A copy with every change added into its map: plain linear maps again, all trainable.

    Args:
        adapted: What `with_lora` gave.

    Raises:
        SettingsError: There is no change to merge.

    Example:
        >>> from flowgauge.architectures import FeedForward
        >>> block = FeedForward(4, 8)
        >>> merged = merge(with_lora(block, rank=1, alpha=1.0, targets=["up_proj"]))
        >>> type(merged.up_proj) is nn.Linear
        True
    """
    merged = copy.deepcopy(adapted)
    changed = {n: m for n, m in merged.named_modules() if isinstance(m, LowRankLinear)}
    if not changed:
        raise SettingsError("there is no low-rank change to merge; make one with with_lora first")
    for name, low_rank in changed.items():
        _replace(merged, name, low_rank.merged())
    return merged.requires_grad_(True)


def _is_named(name: str, target: str) -> bool:
    return name == target or name.rpartition(".")[2] == target


def _replace(root: nn.Module, name: str, new: nn.Module) -> None:
    parent, _, last = name.rpartition(".")
    setattr(root.get_submodule(parent), last, new)
