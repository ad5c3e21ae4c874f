"""A normalisation as it was at the states it saw: y = w ⊙ (x − m)/s + b, with s taken as observed.

Root-mean-square and layer norms alike, whatever the family calls them: w and b are read off by
probes, s off the states, and a norm that is neither is refused. Nothing is differentiated by a
machine; the Jacobian has a closed form.
"""

from dataclasses import dataclass
from typing import Any

import torch

from flowgauge.errors import ModelError


@dataclass(frozen=True, slots=True)
class ObservedNorm:
    """One norm at some rows of states.

    Args:
        weight: (width,) w.
        bias: (width,) b.
        centred: (rows, width) x − m; m is the row's mean, or 0 for a root-mean-square norm.
        scale: (rows, 1) s.
        centres: Whether m is the mean.
    """

    weight: torch.Tensor
    bias: torch.Tensor
    centred: torch.Tensor
    scale: torch.Tensor
    centres: bool

    @classmethod
    def of(cls, norm: Any, states: torch.Tensor) -> "ObservedNorm":
        """The norm at these states (rows, width).

        Raises:
            ModelError: It is neither a root-mean-square nor a layer norm.
        """
        weight, bias, centres = _probed(norm, states)
        x = states.float()
        centred = x - x.mean(-1, keepdim=True) if centres else x
        scaled = norm(states).float() - bias
        tiny = torch.finfo(torch.float32).tiny
        long = (weight * centred).norm(dim=-1, keepdim=True)
        scale = (long / scaled.norm(dim=-1, keepdim=True).clamp_min(tiny)).clamp_min(tiny)
        off = float((scaled - weight * centred / scale).norm())
        tolerance = 1e-4 if states.dtype in (torch.float32, torch.float64) else 0.03
        if not off <= tolerance * float(scaled.norm()):
            raise ModelError(
                f"{type(norm).__name__} is neither a root-mean-square nor a layer norm: with one "
                f"scale a row it is {off:.2g} off; the lens reads these two alone"
            )
        return cls(weight, bias, centred, scale, centres)

    def image(self, vectors: torch.Tensor) -> torch.Tensor:
        """What the norm makes of parts (…, width) of its one row, without b; parts sum up."""
        if self.centres:
            vectors = vectors - vectors.mean(-1, keepdim=True)
        return vectors * (self.weight / self.scale[0])

    def pulled(self, directions: torch.Tensor) -> torch.Tensor:
        """Directions (rows, width) after the norm as directions before it; s stands still."""
        found = directions * self.weight / self.scale
        return found - found.mean(-1, keepdim=True) if self.centres else found

    def pulled_exactly(self, directions: torch.Tensor) -> torch.Tensor:
        """The same through the whole Jacobian: s moves with x, ∂s/∂x = (x − m)/(width s)."""
        weighted = directions * self.weight
        along = (self.centred * weighted).sum(-1, keepdim=True) / self.scale**2
        found = (weighted - self.centred * (along / self.centred.shape[-1])) / self.scale
        return found - found.mean(-1, keepdim=True) if self.centres else found


def _probed(norm: Any, like: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, bool]:
    """Weight, bias and whether the mean is taken off, from what the norm makes of ±100."""
    width = like.shape[-1]
    # So large that no family's epsilon counts.
    signs = torch.ones(width, dtype=like.dtype, device=like.device)
    signs[1::2] = -1
    bias = norm(torch.zeros_like(signs)[None])[0].float()
    probe = 100 * signs
    found = norm(probe[None])[0].float() - bias
    moved = norm((probe + 50)[None])[0].float() - bias
    centres = bool((moved - found).norm() <= 0.1 * found.norm())
    x = probe.float()
    x = x - x.mean() if centres else x
    return found * x.pow(2).mean().sqrt() / x, bias, centres
