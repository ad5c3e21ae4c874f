"""Numbers by layer, small enough for a page: running sums over layers, rounded and packed.

A layer holds the difference of two rounded running sums. Whatever layers side by side are summed,
the sum is within one step of the true one; rounding each layer alone would be off by half a step a
layer. Small effects become zeros, which the compression makes vanish.
"""

import base64
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """An array (layer, row, column) as text.

    Attributes:
        step: What a whole number stands for [nats].
        shape: Of the array.
        bits: 16 or 32: width of the little-endian integers.
        data: Base64 of the zlib-compressed integers.
    """

    step: float
    shape: tuple[int, ...]
    bits: int
    data: str

    def as_json(self) -> dict[str, Any]:
        """For a data block of the page."""
        return {"step": self.step, "shape": self.shape, "bits": self.bits, "data": self.data}


def round_by_layer(values: npt.NDArray[np.floating[Any]], step: float) -> npt.NDArray[np.int32]:
    """Whole steps of each layer, so that sums of layers side by side stay within one step.

    Args:
        values: (layer, row, column) [nats].
        step: Size of a step [nats].

    Example:
        >>> round_by_layer(np.full((4, 1, 1), 0.3), 1.0).ravel().tolist()
        [0, 1, 0, 0]
    """
    running = np.zeros(values.shape[1:])
    before = np.zeros(values.shape[1:], dtype=np.int32)
    out = np.empty(values.shape, dtype=np.int32)
    for layer, more in enumerate(values):
        running += more
        now = np.rint(running / step).astype(np.int32)
        out[layer] = now - before
        before = now
    return out


def pack(values: npt.NDArray[np.floating[Any]], step: float) -> Packed:
    """An array (layer, row, column) [nats] rounded to `step` and packed.

    Example:
        >>> pack(np.zeros((2, 3, 4)), 0.001).shape
        (2, 3, 4)
    """
    steps = round_by_layer(values, step)
    bits = 16 if not steps.size or abs(steps).max() < 2**15 else 32
    raw = steps.astype(f"<i{bits // 8}").tobytes()
    data = base64.b64encode(zlib.compress(raw, 6)).decode("ascii")
    return Packed(step=step, shape=values.shape, bits=bits, data=data)


def pack_within(
    values: npt.NDArray[np.floating[Any]], limit: int, *, finest: float, coarsest: float
) -> Packed | None:
    """The same with the finest step that takes at most `limit` characters; None if none does.

    Args:
        values: (layer, row, column) [nats].
        limit: Most characters.
        finest: First step tried; each next one is twice as large [nats].
        coarsest: No step above this is tried [nats].

    Example:
        >>> pack_within(np.ones((2, 3, 4)), 10, finest=0.001, coarsest=0.01) is None
        True
    """
    step = finest
    while step <= coarsest:
        packed = pack(values, step)
        if len(packed.data) <= limit:
            return packed
        step *= 2
    return None
