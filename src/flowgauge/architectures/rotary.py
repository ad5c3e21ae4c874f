"""Rotary positions: turn queries and keys, so that their product knows the distance (RoPE).

    here              source (Su et al. 2021, §3.2)   paper V
    base              10000 of Θ = {base^(−2k/d)}      –
    angles            m θ_k                            –
    turn              R_m x                            –
    matrix(distance)  R_mᵀ R_n = R_{n−m}, m − n = distance   the part of B that depends on i − j

The source pairs neighbouring entries; the models people use pair entry k with k + d/2. So do we.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from flowgauge.errors import SettingsError, ShapeError


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotary:
    """Rotation of pairs of entries by angles that grow with the position.

    Args:
        base: Slowest turn: pair k of d/2 turns by base^(−2k/d) radians a position. Above 0.

    Raises:
        SettingsError: The base is not a positive number.

    References:
        [su:21], §3.2; docs/paper_index.md, section 8.

    Example:
        >>> x = torch.tensor([[1.0, 0.0], [1.0, 0.0]], dtype=torch.float64)
        >>> Rotary().turn(x, torch.tensor([0, 1])).round(decimals=4).tolist()
        [[1.0, 0.0], [0.5403, 0.8415]]
    """

    base: float = 10_000.0

    def __post_init__(self) -> None:
        if not 0 < self.base < float("inf"):
            raise SettingsError(f"base = {self.base}; a finite number above 0 is needed")

    def turn(self, x: Tensor, positions: Tensor) -> Tensor:
        """R_m x for each position m.

        Args:
            x: (..., time, d) with an even d.
            positions: (time,) whole numbers, negative ones turn back; or (batch, time), a row for
                each of x (batch, head, time, d).

        Returns:
            (..., time, d), of the same lengths as x.

        Raises:
            ShapeError: d is odd, or there is not one position per time.
        """
        by_row = positions.ndim == 2 and x.ndim == 4 and len(positions) in (1, len(x))
        if x.shape[-1] % 2 or positions.shape[-1:] != x.shape[-2:-1] or positions.ndim > 1 + by_row:
            raise ShapeError(
                f"x has shape {tuple(x.shape)} and positions {tuple(positions.shape)}; "
                "(..., time, d) with an even d and (time,) were needed"
            )
        angles = self._angles(positions, x.shape[-1])
        if by_row:
            angles = angles[:, None]
        cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
        first, second = x.chunk(2, dim=-1)
        return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1)

    def matrix(self, distance: int, like: Tensor) -> Tensor:
        """R_{−distance}, which stands between a query and a key that is `distance` earlier.

        Args:
            distance: Position of the query minus that of the key.
            like: (..., d) tensor whose d, dtype and device are taken over.

        Returns:
            (d, d).
        """
        identity = torch.eye(like.shape[-1], dtype=like.dtype, device=like.device)
        back = torch.full((like.shape[-1],), -distance, device=like.device)
        return self.turn(identity, back).T

    def _angles(self, positions: Tensor, d: int) -> Tensor:
        # float64: at position 10⁵ a float32 angle is off by 4e-3 radians
        k = torch.arange(0, d, 2, dtype=torch.float64, device=positions.device)
        return positions.to(torch.float64)[..., None] * self.base ** (-k / d)
