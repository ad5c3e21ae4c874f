"""Walks over rows of (row, vocab) log laws a few at a time and solves each block (theory §5).

A block keeps what all multipliers share: r, p and the alphabet of merged tokens. Checks ride along,
so that a bad row costs no pass of its own. Few rows and columns at a time, so that everything stays
in the cache. Private to `step.py`; array API, no torch import.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from array_api_compat import array_namespace, is_array_api_obj

from flowgauge.errors import DistributionError, SettingsError, ShapeError
from flowgauge.math.validate import check_log_distribution
from flowgauge.rate.alphabet import SYMBOLS, Alphabet, merged_alphabet, own_alphabet
from flowgauge.rate.kernel import FLOOR, SymbolLaw, log_ratio, normalised_law, symbol_law

Array = Any

#: Elements of one block: some rows of a short vocabulary, one row of a long one.
BLOCK_ELEMENTS = 131_072
#: Columns worked on at once: a handful of float32 temporaries of this length fit an L2 cache.
COLUMNS = 65536
#: Passes over the vocabulary before a row is given back as not converged.
MAX_PASSES = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Two arrays of log laws brought to (row, vocab); `batch` is the shape the rows came in."""

    log_p: Array
    log_m: Array
    batch: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A few rows and what every multiplier needs of them; divergence is KL(p‖m) per row [nats]."""

    start: int
    stop: int
    r: Array
    p: Array
    log_p: Array
    log_m: Array
    divergence: Array
    alphabet: Alphabet


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """What the law of each row amounts to, float64: Σq, KL(q‖m), KL(p‖q), certificate."""

    mass: Array
    rate: Array
    distortion: Array
    gap: Array


def as_rows(log_p: Array, log_m: Array) -> Rows:
    """Both laws as (row, vocab); `log_m` may be one law (vocab,) for all rows."""
    arrays = is_array_api_obj(log_p) and is_array_api_obj(log_m)
    if not arrays or isinstance(log_p, np.ndarray) != isinstance(log_m, np.ndarray):
        raise ShapeError(
            f"log_p is {type(log_p).__name__}, log_m is {type(log_m).__name__}: two numpy "
            "arrays or two torch tensors of floating point were needed"
        )
    xp = array_namespace(log_p, log_m)
    shape_p, shape_m = tuple(log_p.shape), tuple(log_m.shape)
    if not shape_p or 0 in shape_p or shape_m not in (shape_p, shape_p[-1:]):
        raise ShapeError(
            f"log_p has shape {shape_p}, log_m {shape_m}: log_m must have the shape of log_p or be "
            "one law (vocab,) for all rows, and no axis may be empty"
        )
    if log_p.dtype != log_m.dtype or log_p.dtype not in (xp.float32, xp.float64):
        raise ShapeError(
            f"log_p has dtype {log_p.dtype}, log_m {log_m.dtype}: both must be float32 or both "
            "float64"
        )
    flat_p = xp.reshape(log_p, (-1, shape_p[-1]))
    return Rows(
        log_p=flat_p,
        log_m=xp.broadcast_to(log_m, flat_p.shape)
        if log_m.ndim == 1
        else xp.reshape(log_m, flat_p.shape),
        batch=shape_p[:-1],
    )


def as_multipliers(multiplier: Any, rows: Rows) -> Array:
    """Multipliers as float64 (sweep…, row), after checking them."""
    xp = array_namespace(rows.log_p)
    values = xp.asarray(multiplier, dtype=xp.float64, device=rows.log_p.device)
    if not bool(xp.all((values > 0) & (values < xp.inf))):
        raise SettingsError(
            f"multiplier = {multiplier} is not usable: λ = −dR/dD must be positive and finite. "
            "λ → 0 gives q = m, λ → ∞ gives q = p."
        )
    count = rows.log_p.shape[0]
    try:
        lead = tuple(values.shape[: max(0, values.ndim - len(rows.batch))])
        values = xp.broadcast_to(values, (*lead, *rows.batch))
    except (ValueError, RuntimeError) as error:
        raise ShapeError(
            f"multiplier has shape {tuple(values.shape)}, the rows {rows.batch}: it must broadcast "
            "against the rows, e.g. a number, one per row, or (sweep, 1) for several per row"
        ) from error
    return xp.reshape(values, (*lead, count))


def blocks(rows: Rows) -> Iterator[Block]:
    """The rows, a few at a time."""
    count, vocab = rows.log_p.shape
    size = max(1, BLOCK_ELEMENTS // vocab)
    for start in range(0, count, size):
        yield _block(rows, start, min(count, start + size))


def _block(rows: Rows, start: int, stop: int) -> Block:
    xp = array_namespace(rows.log_p)
    log_p, log_m = rows.log_p[start:stop, :], rows.log_m[start:stop, :]
    p, log_p = _normalised(log_p, "log_p", start)
    m, log_m = _normalised(log_m, "log_m", start)
    r = log_ratio(log_p, log_m)
    _check_support(r, start)
    return Block(
        start=start,
        stop=stop,
        r=r,
        p=p,
        log_p=log_p,
        log_m=log_m,
        divergence=xp.sum(xp.astype(p * r, xp.float64), axis=-1),
        alphabet=merged_alphabet(r, p, m) if r.shape[-1] > SYMBOLS else own_alphabet(r, log_m),
    )


def symbol_laws(block: Block, multiplier: Array) -> SymbolLaw:
    """The solution on the block's symbols for all its multipliers (sweep, row) at once."""
    alphabet = block.alphabet
    return normalised_law(alphabet.r, alphabet.m, block.divergence, multiplier)


def solve(
    block: Block, law: SymbolLaw, multiplier: Array, out: Array | None
) -> tuple[Sums, Array, int]:
    """One multiplier per row: sums, which rows converged, passes over the vocabulary.

    Each pass measures the true Σq and corrects `a` by the symbols' slope, which is right to about
    1e-6: float32 is done after one pass, float64 after two or three.
    """
    xp = array_namespace(block.r)
    tolerance = max(16.0 * float(xp.finfo(block.r.dtype).eps), 1e-12)
    passes = 1
    while True:
        sums = evaluate(block, law, multiplier, out)
        converged = xp.abs(sums.mass - 1.0) <= tolerance
        if passes == MAX_PASSES or bool(xp.all(converged)):
            return sums, converged, passes
        a = law.a + xp.log(sums.mass) / law.mass_slope
        law, _ = symbol_law(block.alphabet.r, block.alphabet.m, a, multiplier)
        passes += 1


def evaluate(block: Block, law: SymbolLaw, multiplier: Array, out: Array | None) -> Sums:
    """The law of one multiplier per row over the vocabulary: to `out` (row, vocab), and its sums.

    The gap is that of Frank and Wolfe, Σ q t − min t with t = s − λ p/q, the gradient of the
    objective at q: however q came about, no law lies lower than its objective minus this.
    """
    xp = array_namespace(block.r)
    lam = xp.astype(multiplier, block.r.dtype)[:, None]
    nu = xp.astype(law.a - xp.log(multiplier), block.r.dtype)[:, None]
    mass = rate = distortion = xp.zeros_like(multiplier)
    lowest = xp.full_like(multiplier, xp.inf)
    tables = _tables(block, law)
    for start in range(0, block.r.shape[-1], COLUMNS):
        piece = slice(start, start + COLUMNS)
        r = block.r[:, piece]
        s = _tokens(block, tables, piece)
        for _ in range(_corrections(block)):
            s -= _correction(s + nu, lam * xp.exp(r - s))
        log_q = block.log_m[:, piece] + s
        if out is not None:
            out[:, piece] = log_q
        q = xp.exp(log_q)
        u = r - s
        mass = mass + _total(xp, q)
        rate = rate + _total(xp, q * s)
        distortion = distortion + _total(xp, block.p[:, piece] * u)
        s -= lam * xp.exp(u)
        lowest = xp.minimum(lowest, xp.astype(xp.min(s, axis=-1), xp.float64))
    gap = xp.maximum(rate - multiplier - mass * lowest, xp.zeros_like(mass))
    return Sums(mass=mass, rate=rate, distortion=distortion, gap=gap)


def _tables(block: Block, law: SymbolLaw) -> tuple[Array, Array]:
    xp = array_namespace(block.r)
    return xp.astype(law.s, block.r.dtype), xp.astype(law.slope, block.r.dtype)


def _tokens(block: Block, tables: tuple[Array, Array], piece: slice) -> Array:
    """The s of some tokens: their symbol's, carried to their own r by the Taylor series of ω."""
    xp = array_namespace(block.r)
    s, slope = tables
    index, offset = block.alphabet.index, block.alphabet.offset
    if index is None or offset is None:
        return xp.asarray(s[:, piece], copy=True)
    distance = offset[:, piece]
    if index.shape[0] > offset.shape[-1]:  # several rows: their index is not contiguous in columns
        index = xp.reshape(index, offset.shape)[:, piece]
        index = xp.reshape(index, (-1,))
    else:
        index = index[piece]
    s = xp.reshape(xp.take(xp.reshape(s, (-1,)), index, axis=0), distance.shape)
    slope = xp.reshape(xp.take(xp.reshape(slope, (-1,)), index, axis=0), distance.shape)
    s += distance
    s -= _inverse_series(distance * slope, 1.0 - slope)
    return s


def _inverse_series(step: Array, share: Array) -> Array:
    """Root t of share (e^t − 1) + (1 − share) t = step to third order, for small steps."""
    bend = share * 0.5
    bend -= 1.0 / 6.0
    bend *= step
    bend -= 0.5
    bend *= share
    bend *= step
    bend += 1.0
    bend *= step
    return bend


def _correction(value: Array, w: Array) -> Array:
    """What to take off s so that s + ν = λ p/q, given both sides; error of fourth order."""
    one = 1.0 + w
    return _inverse_series((value - w) / one, w / one)


def _corrections(block: Block) -> int:
    """Correction steps needed after the Taylor series to reach the dtype's round-off."""
    xp = array_namespace(block.r)
    eps = float(xp.finfo(block.r.dtype).eps)
    error, steps = block.alphabet.width, 0
    error = min(0.3 * error**4, error)
    while error > eps and steps < 8:
        error = min(0.3 * error**4, 0.3 * error)
        steps += 1
    return steps


def _total(xp: Any, values: Array) -> Array:
    return xp.astype(xp.sum(values, axis=-1), xp.float64)


def _normalised(log_p: Array, name: str, start: int) -> tuple[Array, Array]:
    """Probabilities and logs that sum to 1 to round-off.

    float32 log-softmax over 262,144 tokens is off by some 1e-5, which λ would magnify. The full
    check with its message runs only where the sum is off by more than that.
    """
    xp = array_namespace(log_p)
    # logits passed by mistake must reach the message, not overflow
    p = xp.exp(xp.minimum(log_p, xp.ones_like(log_p[:, :1])))
    mass = xp.sum(p, axis=-1, keepdims=True)
    limit = 1e-6 if p.dtype == xp.float64 else 1e-4
    if not bool(xp.all(xp.abs(mass - 1.0) <= limit)):
        check_log_distribution(log_p, name if start == 0 else f"{name}[{start}:]")
    p /= mass
    return p, log_p - xp.log(mass)


def _check_support(r: Array, start: int) -> None:
    xp = array_namespace(r)
    worst = xp.max(r, axis=-1)
    if bool(xp.any(worst > -0.5 * FLOOR)):
        row = int(xp.argmax(worst))
        token = int(xp.argmax(r[row, :]))
        raise DistributionError(
            f"log_m is −inf at token {token} of row {start + row}, where log_p is finite: KL(q‖m) "
            "and KL(p‖q) cannot both be finite. Smooth m, or give both laws the same support."
        )
