"""The step of directed rate–distortion that meets a distortion (theory §5).

Its own file because it searches λ; the law comes from `step.py`'s solver. Must not import torch.
"""

from typing import Any

from array_api_compat import array_namespace

from flowgauge.errors import ShapeError, UnreachableError
from flowgauge.rate.blocks import Block, Sums, as_rows, blocks, solve, symbol_laws
from flowgauge.rate.kernel import multiplier_for
from flowgauge.rate.step import RateDistortionStep

Array = Any

#: Searches of λ on the symbols, each corrected by what the full vocabulary said.
SEARCHES = 6


def rate_distortion_at(log_p: Array, log_m: Array, distortion: Any) -> RateDistortionStep:
    """Law q of least KL(q‖m) with KL(p‖q) ≤ D, per row [nats].

    The form of `rate_distortion_step` that takes the distortion instead of the multiplier.
    D = 0 gives q = p with multiplier ∞; D ≥ KL(p‖m) gives q = m, rate 0, multiplier 0.

    Args:
        log_p: (…, vocab) true law [nats]; −inf is legal.
        log_m: (…, vocab) or (vocab,) reference law [nats], same dtype; finite where log_p is.
        distortion: D ≥ 0 [nats]: a number or one per row.

    Returns:
        `RateDistortionStep`; `converged` also says that D was met, to 1e-9 in float64 and 1e-5
        in float32.

    Raises:
        UnreachableError: D is negative or not finite; shows it.
        DistributionError, ShapeError: as `rate_distortion_step`.

    References:
        [bai:25] section III-B, equation 11.

    Example:
        >>> import numpy as np
        >>> log_p, log_m = np.log([0.7, 0.3]), np.log([0.2, 0.8])
        >>> step = rate_distortion_at(log_p, log_m, 0.1)
        >>> round(float(step.distortion), 9), bool(step.rate < 0.25)
        (0.1, True)
        >>> float(rate_distortion_at(log_p, log_m, 9.0).rate)
        0.0
    """
    rows = as_rows(log_p, log_m)
    xp = array_namespace(log_p)
    target = _targets(xp, distortion, rows.batch, rows.log_p)
    out = xp.empty_like(rows.log_p)
    rate, reached, gap, lam = (xp.zeros_like(target) for _ in range(4))
    converged = target < 0
    most = 0
    for block in blocks(rows):
        piece = slice(block.start, block.stop)
        lam[piece], sums, converged[piece], passes = _meet(block, target[piece], out[piece, :])
        rate[piece], reached[piece], gap[piece] = sums.rate, sums.distortion, sums.gap
        most = max(most, passes)
    return RateDistortionStep(
        log_q=xp.reshape(out, log_p.shape),
        rate=xp.reshape(rate, rows.batch),
        distortion=xp.reshape(reached, rows.batch),
        gap=xp.reshape(gap, rows.batch),
        multiplier=xp.reshape(lam, rows.batch),
        converged=xp.reshape(converged, rows.batch),
        iterations=most,
    )


def _targets(xp: Any, distortion: Any, batch: tuple[int, ...], like: Array) -> Array:
    values = xp.asarray(distortion, dtype=xp.float64, device=like.device)
    if not bool(xp.all((values >= 0) & (values < xp.inf))):
        raise UnreachableError(
            f"distortion = {distortion}: KL(p‖q) is 0 or more and finite, so no law has it. "
            "D = 0 gives q = p."
        )
    try:
        values = xp.broadcast_to(values, batch)
    except (ValueError, RuntimeError) as error:
        raise ShapeError(
            f"distortion has shape {tuple(values.shape)}, the rows {batch}: a number or one per "
            "row was needed"
        ) from error
    return xp.asarray(xp.reshape(values, (-1,)), copy=True)


def _meet(block: Block, target: Array, out: Array) -> tuple[Array, Sums, Array, int]:
    """λ, sums, converged, passes of a block; rows outside (0, KL(p‖m)) are set by hand.

    The symbols' distortion differs from the tokens' by about 1e-6: the search is repeated with the
    target shifted by the difference that the last pass measured.
    """
    xp = array_namespace(block.r)
    whole = block.divergence
    at_m, at_p = target >= whole, target <= 0
    usual = ~(at_m | at_p)
    safe = xp.where(usual, target, 0.5 * xp.clip(whole, 1e-300, None))
    tolerance = 1e-9 if block.r.dtype == xp.float64 else 1e-5
    shifted, passes = safe, 0
    for _ in range(SEARCHES):
        alphabet = block.alphabet
        lam = multiplier_for(alphabet.r, alphabet.m, xp.clip(whole, 1e-300, None), shifted, None)
        law = symbol_laws(block, lam[None, :]).at(0)
        sums, converged, more = solve(block, law, lam, out)
        passes += more
        miss = xp.abs(sums.distortion - safe)
        if bool(xp.all((miss <= 1e-3 * tolerance) | ~usual)):
            break
        shifted = xp.clip(shifted + (safe - sums.distortion), 1e-3 * safe, whole * (1 - 1e-12))
    zero = xp.zeros_like(whole)
    _overwrite(block, out, at_m, at_p)
    sums = Sums(
        mass=sums.mass,
        rate=xp.where(at_m, zero, xp.where(at_p, whole, sums.rate)),
        distortion=xp.where(at_m, whole, xp.where(at_p, zero, sums.distortion)),
        gap=xp.where(usual, sums.gap, zero),
    )
    lam = xp.where(at_m, zero, xp.where(at_p, zero + xp.inf, lam))
    return lam, sums, ~usual | (converged & (miss <= tolerance)), passes


def _overwrite(block: Block, out: Array, at_m: Array, at_p: Array) -> None:
    """Set q = m or q = p, exactly, in the rows at the ends of the curve."""
    for row in range(out.shape[0]):
        if bool(at_m[row]):
            out[row, :] = block.log_m[row, :]
        elif bool(at_p[row]):
            out[row, :] = block.log_p[row, :]
