"""The same rate–distortion problem on fewer symbols: tokens of like log-ratio merged (theory §5).

q/m depends on a token through r = log p/m alone, and smoothly. So a vocabulary of 262,144 is
solved on at most 2,048 symbols, and each token's answer is read off its symbol by a Taylor step in
the distance from it. Private to `blocks.py`; array API plus `bincount`, no torch import.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from array_api_compat import array_namespace

from flowgauge.rate.kernel import FLOOR

Array = Any

#: Symbols of a merged alphabet; a shorter vocabulary is its own alphabet.
SYMBOLS = 2048
#: Log-ratios further than this below the largest count as p = 0: there p is below e^−900 m.
SPREAD = 900.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Alphabet:
    """Symbols of a few rows.

    Attributes:
        r, m: (row, symbol) log-ratio and reference mass, float64.
        index: (row · vocab,) position of each token's symbol in the flattened (row, symbol), int32;
            None where every token is its own symbol.
        offset: (row, vocab) a token's r minus its symbol's; None likewise.
        width: Largest |offset| there can be [nats].
    """

    r: Array
    m: Array
    index: Array | None = None
    offset: Array | None = None
    width: float = 0.0


def own_alphabet(r: Array, log_m: Array) -> Alphabet:
    """Every token is its own symbol."""
    xp = array_namespace(r)
    return Alphabet(r=xp.astype(r, xp.float64), m=xp.exp(xp.astype(log_m, xp.float64)))


def merged_alphabet(r: Array, p: Array, m: Array) -> Alphabet:
    """Tokens within a small step of r become one symbol; those of p = 0 are a symbol of their own.

    A symbol's r is the log-ratio of its two masses, so the error in Σq is of second order in the
    step, about 1e-6 for the spread of language models.
    """
    xp = array_namespace(r)
    rows = r.shape[0]
    is_zero = xp.astype(r < 0.5 * FLOOR, r.dtype)
    top = xp.max(r, axis=-1, keepdims=True)
    bottom = xp.min(r - 2.0 * FLOOR * is_zero, axis=-1, keepdims=True)
    bottom = xp.maximum(bottom, top - SPREAD)
    step = (top - bottom) * (1.0 / (SYMBOLS - 2)) + 1e-6
    position = xp.maximum((r - bottom) / step, xp.full_like(step, -1.0))
    position += 1.0
    flat = xp.astype(xp.minimum(position, xp.full_like(step, SYMBOLS - 1.0)), xp.int32)
    flat += SYMBOLS * xp.reshape(xp.arange(rows, dtype=xp.int32, device=r.device), (rows, 1))
    flat = xp.reshape(flat, (-1,))
    mass_p, mass_m = (_masses(xp, flat, mass, rows) for mass in (p, m))
    symbol_r = _symbol_log_ratio(xp, mass_p, mass_m, bottom, step)
    own = xp.take(xp.reshape(xp.astype(symbol_r, r.dtype), (-1,)), flat, axis=0)
    # the minimum is for tokens beyond SPREAD; at their symbol an offset has no effect
    offset = xp.minimum(r - xp.reshape(own, r.shape), step)
    return Alphabet(r=symbol_r, m=mass_m, index=flat, offset=offset, width=float(xp.max(step)))


def _masses(xp: Any, flat: Array, mass: Array, rows: int) -> Array:
    # bincount is no part of the array API; numpy and torch agree on its signature
    total = xp.bincount(flat, xp.reshape(mass, (-1,)), rows * SYMBOLS)
    return xp.reshape(xp.astype(total, xp.float64), (rows, SYMBOLS))


def _symbol_log_ratio(xp: Any, mass_p: Array, mass_m: Array, bottom: Array, step: Array) -> Array:
    """Log-ratio of masses, kept inside its bin where a mass underflowed or is empty."""
    tiny = float(np.finfo(np.float64).tiny)
    ratio = xp.log(xp.clip(mass_p, tiny, None)) - xp.log(xp.clip(mass_m, tiny, None))
    bins = xp.arange(SYMBOLS, dtype=xp.float64, device=ratio.device)[None, :] - 1.0
    edge = xp.astype(bottom, xp.float64) + bins * xp.astype(step, xp.float64)
    ratio = xp.minimum(xp.maximum(ratio, edge), edge + xp.astype(step, xp.float64))
    ratio[:, 0] = FLOOR
    return ratio
