"""What an adapter is: how one kind of mixer is read, and where its output goes."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import torch

from flowgauge.lens.mixers.mixing import Mixing

if TYPE_CHECKING:
    from flowgauge.models.attention import Seen


@dataclass(frozen=True, slots=True)
class Join:
    """How a mixer's output joins the residual stream: `factor · norm(output)`.

    Args:
        norm: Applied to the output first (Gemma 2 and 3), or None.
        factor: Multiplies it (Granite).
    """

    norm: Any = None
    factor: float = 1.0


class Adapter(ABC):
    """Reads one kind of mixer; subclass it and hand it to `register`."""

    #: Whether `read` needs what the attention function was called with.
    needs_attention: ClassVar[bool] = False

    @abstractmethod
    def read(self, mixer: Any, states: torch.Tensor, seen: "Seen | None") -> Mixing:
        """The mixing of one text.

        Args:
            mixer: The module.
            states: (time, width) what it was given, float32.
            seen: Query, key and mask of its attention, where `needs_attention`.
        """

    def join(self, layer: Any) -> Join:
        """Where the output of `layer`'s mixer goes; by default it is added as it stands."""
        return Join()


def matrix(module: Any) -> torch.Tensor:
    """Weight of a linear layer, float32 (out, in)."""
    return module.weight.float()


def bias_of(module: Any) -> torch.Tensor | None:
    """Bias of a linear layer, float32, or None."""
    return None if module.bias is None else module.bias.float()
