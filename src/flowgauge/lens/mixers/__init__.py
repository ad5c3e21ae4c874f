"""Mixers: one adapter a kind, found by the class of the module; `register` adds your own."""

from typing import Any

from flowgauge.errors import ModelError
from flowgauge.lens.mixers.adapter import Adapter as Adapter
from flowgauge.lens.mixers.adapter import Join as Join
from flowgauge.lens.mixers.attention import ProjectedAttention
from flowgauge.lens.mixers.family import (
    MemberAttention,
    MemberLinearAttention,
    MemberMamba,
    MemberMamba2,
)
from flowgauge.lens.mixers.gpt2 import FusedAttention
from flowgauge.lens.mixers.mamba import SelectiveScan
from flowgauge.lens.mixers.mamba2 import StateSpaceDuality
from flowgauge.lens.mixers.mixing import Mixing as Mixing

#: Families whose attention has `v_proj`, `o_proj` and nothing between; each is tested.
PROJECTED = (
    "Llama", "Mistral", "Mixtral", "Qwen2", "Qwen2Moe", "Qwen3", "Qwen3Moe", "Gemma", "Gemma2",
    "Gemma3", "Granite", "Cohere", "Olmo2", "SmolLM3",
)  # fmt: skip
_KNOWN: dict[str, Adapter] = {
    **{f"{family}Attention": ProjectedAttention() for family in PROJECTED},
    "GPT2Attention": FusedAttention(),
    "MambaMixer": SelectiveScan(),
    "Mamba2Mixer": StateSpaceDuality(),
    # Our own have short names that others may use too, so the module counts.
    "flowgauge.architectures.attention.Attention": MemberAttention(),
    "flowgauge.architectures.linear_attention.LinearAttention": MemberLinearAttention(),
    "flowgauge.architectures.mamba.Mamba": MemberMamba(),
    "flowgauge.architectures.mamba2.Mamba2": MemberMamba2(),
}

__all__ = ["PROJECTED", "Adapter", "Join", "Mixing", "find_mixer", "register"]


def register(mixer: type, adapter: Adapter) -> None:
    """Read modules of this class with this adapter from now on.

    The lens compares what an adapter reads with what the module puts out, every time; an adapter
    that is wrong about its module raises `ModelError`.

    Example:
        >>> class MyAttention: ...
        >>> register(MyAttention, ProjectedAttention())
        >>> del _KNOWN["MyAttention"]
    """
    _KNOWN[mixer.__name__] = adapter


def find_mixer(layer: Any) -> tuple[Any, Adapter]:
    """The mixer of a layer and the adapter that reads it.

    Raises:
        ModelError: No child of the layer is of a known class, or several are; says which classes
            are known and how another is added.
    """
    children = list(layer.children())
    found = [
        (child, _KNOWN[name])
        for child in children
        for name in [next((n for n in _names(child) if n in _KNOWN), "")]
        if name
    ]
    if len(found) == 1:
        return found[0]
    seen = ", ".join(type(child).__name__ for child in children) or "nothing"
    raise ModelError(
        f"{type(layer).__name__} holds {len(found)} mixers that the lens can read, one was needed; "
        f"it holds {seen}. Known are {', '.join(sorted(_KNOWN))}. To add one, subclass "
        "flowgauge.lens.mixers.Adapter (its `read` returns the weights, values and output matrix) "
        "and call flowgauge.lens.mixers.register(its class, your adapter)"
    )


def _names(child: Any) -> list[str]:
    """Names of a module's classes, the most special first, each alone and with its module."""
    classes = type(child).__mro__
    return [n for c in classes for n in (c.__name__, f"{c.__module__}.{c.__name__}")]
