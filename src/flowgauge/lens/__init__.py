"""Lens: what is read off the inside of the passes that score a response."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flowgauge.lens.induction import CopyHeads as CopyHeads
    from flowgauge.lens.induction import copy_heads as copy_heads
    from flowgauge.lens.induction import induction_scores as induction_scores
    from flowgauge.lens.pointers import SourcePointers as SourcePointers

_HOME = {
    "CopyHeads": "induction",
    "SourcePointers": "pointers",
    "copy_heads": "induction",
    "induction_scores": "induction",
}

__all__ = ["CopyHeads", "SourcePointers", "copy_heads", "induction_scores"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'flowgauge.lens' has no attribute {name!r}")
    return getattr(import_module(f"flowgauge.lens.{_HOME[name]}"), name)
