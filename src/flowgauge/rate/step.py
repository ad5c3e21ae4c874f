"""One step of directed rate–distortion: a law p, a reference m, a multiplier (theory §5).

Three doors on the same solver: `rate_distortion_step` gives the law itself,
`rate_distortion_sweep` only the numbers for many multipliers, `rate_distortion_at` meets a target
distortion. Rows are batch; numpy or torch, float32 or float64. Must not import torch.
"""

from dataclasses import dataclass
from math import prod
from typing import Any

from array_api_compat import array_namespace

from flowgauge.errors import ShapeError
from flowgauge.rate.blocks import Rows, as_multipliers, as_rows, blocks, solve, symbol_laws

Array = Any

#: Elements of the symbols' laws solved at once: several multipliers while they fit the cache.
SYMBOL_ELEMENTS = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class RateDistortionStep:
    """The optimal law q of each row and what it costs.

    Attributes:
        log_q: (…, vocab) log-probabilities of q [nats], in the dtype that came.
        rate: (…) KL(q‖m) [nats], float64 like all below.
        distortion: (…) KL(p‖q) [nats].
        gap: (…) certificate: no law of this distortion has a rate below `rate − gap`. Round-off of
            the dtype at the optimum, so of the order 1e-6 (1 + λ) in float32.
        multiplier: (…) λ = −dR/dD; 0 where q = m, ∞ where q = p.
        converged: (…) whether Σ q = 1 (and the target, if there is one) was met to round-off.
        iterations: Largest number of passes over the vocabulary that a row took.
    """

    log_q: Array
    rate: Array
    distortion: Array
    gap: Array
    multiplier: Array
    converged: Array
    iterations: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RateDistortionSweep:
    """The numbers of `RateDistortionStep` without its laws, shape (sweep, …)."""

    rate: Array
    distortion: Array
    gap: Array
    multiplier: Array
    converged: Array
    iterations: int


def rate_distortion_step(log_p: Array, log_m: Array, multiplier: Any) -> RateDistortionStep:
    """Law q that minimises KL(q‖m) + λ KL(p‖q), per row [nats].

    q = λp / W(λ p/m e^ν) with Lambert's W and ν from Σ q = 1: the cheapest way, in information
    added to the reference m, to stay within distortion KL(p‖q) of p. It is one step: m is held
    fixed. The rate is not I(S→U) unless m is the mean of the q of all sources
    (`rate_distortion_curve` alternates to that).

    Args:
        log_p: (…, vocab) true or full-precision law [nats], float32 or float64; −inf is legal.
            Detach tensors from autograd first.
        log_m: (…, vocab) or (vocab,) reference law [nats], same dtype; finite where log_p is.
        multiplier: λ > 0: a number, or an array that broadcasts against the rows; (sweep, 1)
            solves several λ per row, sharing the work, and puts the sweep axis first.

    Returns:
        `RateDistortionStep`, one entry per row (and multiplier).

    Raises:
        DistributionError: A row does not sum to 1, holds NaN, or m is 0 where p is not.
        ShapeError: Shapes or dtypes that do not fit each other; shows them.
        SettingsError: λ is 0, negative, infinite or NaN.

    References:
        [bai:25] section III-B, theorem 1; docs/paper_index.md section 5.

    Example:
        >>> import numpy as np
        >>> step = rate_distortion_step(np.log([0.7, 0.2, 0.1]), np.log([0.2, 0.3, 0.5]), 1.0)
        >>> np.exp(step.log_q).round(4)
        array([0.432 , 0.2694, 0.2986])
        >>> bool(step.rate + step.distortion < 0.42), bool(step.gap < 1e-12)
        (True, True)
    """
    rows = as_rows(log_p, log_m)
    lam = as_multipliers(multiplier, rows)
    xp = array_namespace(log_p)
    out = xp.empty((*lam.shape, rows.log_p.shape[-1]), dtype=log_p.dtype, device=log_p.device)
    sweep = _run(rows, lam, out)
    lead = tuple(lam.shape[:-1])
    return RateDistortionStep(
        log_q=xp.reshape(out, (*lead, *rows.batch, out.shape[-1])),
        rate=sweep.rate,
        distortion=sweep.distortion,
        gap=sweep.gap,
        multiplier=sweep.multiplier,
        converged=sweep.converged,
        iterations=sweep.iterations,
    )


def rate_distortion_sweep(log_p: Array, log_m: Array, multipliers: Any) -> RateDistortionSweep:
    """Rate and distortion of the optimal q of every row at every multiplier [nats].

    The numbers of `rate_distortion_step` where the laws themselves are not wanted: nothing of
    vocabulary size is kept.

    Args:
        log_p: (…, vocab) true law [nats].
        log_m: (…, vocab) or (vocab,) reference law [nats], same dtype.
        multipliers: (sweep,) values of λ > 0.

    Returns:
        `RateDistortionSweep`, arrays (sweep, …).

    Raises:
        DistributionError, ShapeError, SettingsError: as `rate_distortion_step`.

    References:
        [bai:25] section III-B, theorem 1.

    Example:
        >>> import numpy as np
        >>> sweep = rate_distortion_sweep(np.log([0.7, 0.3]), np.log([0.2, 0.8]), [0.5, 1.0, 2.0])
        >>> sweep.rate.round(4), sweep.distortion.round(4)
        (array([0.0611, 0.1356, 0.2487]), array([0.2528, 0.1489, 0.0686]))
    """
    rows = as_rows(log_p, log_m)
    xp = array_namespace(log_p)
    values = xp.asarray(multipliers, dtype=xp.float64, device=log_p.device)
    if values.ndim != 1 or values.shape[0] == 0:
        raise ShapeError(f"multipliers has shape {tuple(values.shape)}: a list (sweep,) was needed")
    lam = as_multipliers(xp.reshape(values, (-1,) + (1,) * len(rows.batch)), rows)
    return _run(rows, lam, None)


def _run(rows: Rows, lam: Array, out: Array | None) -> RateDistortionSweep:
    """Every block at every multiplier; `lam` is (sweep…, row), `out` (sweep…, row, vocab)."""
    xp = array_namespace(rows.log_p)
    lead = tuple(lam.shape[:-1])
    lam = xp.reshape(lam, (-1, lam.shape[-1]))
    laws = None if out is None else xp.reshape(out, (*lam.shape, -1))
    rate, distortion, gap = (xp.zeros_like(lam) for _ in range(3))
    converged = lam < 0
    most = 0
    for block in blocks(rows):
        piece = slice(block.start, block.stop)
        size = max(1, SYMBOL_ELEMENTS // prod(block.alphabet.r.shape))
        for first in range(0, lam.shape[0], size):
            symbols = symbol_laws(block, lam[first : first + size, piece])
            for k in range(first, min(first + size, lam.shape[0])):
                law = None if laws is None else laws[k, piece, :]
                sums, ok, passes = solve(block, symbols.at(k - first), lam[k, piece], law)
                rate[k, piece], distortion[k, piece] = sums.rate, sums.distortion
                gap[k, piece], converged[k, piece] = sums.gap, ok
                most = max(most, passes)
    shape = (*lead, *rows.batch)
    return RateDistortionSweep(
        rate=xp.reshape(rate, shape),
        distortion=xp.reshape(distortion, shape),
        gap=xp.reshape(gap, shape),
        multiplier=xp.reshape(lam, shape),
        converged=xp.reshape(converged, shape),
        iterations=most,
    )
