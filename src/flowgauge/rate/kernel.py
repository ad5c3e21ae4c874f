"""The one unknown of a rate–distortion step and the law it gives (theory §5; array API, no torch).

minimise KL(q‖m) + λ KL(p‖q) over laws q. With r = log p − log m the stationary law is

    log q = log m + s,   s = ω − ν,   ω + log ω = r + a,   a = ν + log λ,   Σ q = 1,

so ω is Wright's omega (Lambert's W in logs), p/q = ω/λ, and ν = λ − rate at the solution.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from array_api_compat import array_namespace

from flowgauge.math.wright_omega import wright_omega

Array = Any

#: Stands for −∞ in r: finite, so that 0 · r is 0 and not NaN.
FLOOR = -1e30


@dataclass(frozen=True, slots=True, kw_only=True)
class SymbolLaw:
    """The stationary law on the symbols of an alphabet, (…, row, symbol) and (…, row), float64.

    Attributes:
        s: log q − log m [nats].
        slope: ds/dr subtracted from 1, that is 1/(1 + ω).
        a: ν + log λ.
        mass_slope: −d log Σq / da.
    """

    s: Array
    slope: Array
    a: Array
    mass_slope: Array

    def at(self, sweep: int) -> "SymbolLaw":
        """The laws of one position of the leading axis."""
        return SymbolLaw(
            s=self.s[sweep],
            slope=self.slope[sweep],
            a=self.a[sweep],
            mass_slope=self.mass_slope[sweep],
        )


def log_ratio(log_p: Array, log_m: Array) -> Array:
    """Ratio r = log p − log m, with p = 0 at FLOOR and m = 0 < p near −FLOOR; never NaN."""
    xp = array_namespace(log_p)
    floor = xp.asarray(FLOOR, dtype=log_p.dtype, device=log_p.device)
    return xp.maximum(log_p - xp.maximum(log_m, floor), floor)


def symbol_law(r: Array, m: Array, a: Array, multiplier: Array) -> tuple[SymbolLaw, Array]:
    """The law of given `a`, and its log Σq; r and m (row, symbol), a and λ (…, row), float64."""
    xp = array_namespace(r)
    shift = a[..., None]
    # below this ω = e^y is lost beside 1, so y need not go lower (and p = 0 stays finite)
    lowest = float(np.log(np.finfo(np.float64).eps)) - 1.0
    clamped = xp.maximum(r, lowest - shift)
    w = wright_omega(clamped + shift)
    s = clamped - xp.log(w) + xp.log(multiplier)[..., None]
    q = m * xp.exp(s)
    slope = 1.0 / (1.0 + w)
    mass = xp.sum(q, axis=-1)
    law = SymbolLaw(s=s, slope=slope, a=a, mass_slope=xp.sum(q * slope, axis=-1) / mass)
    return law, xp.log(mass)


def normalised_law(r: Array, m: Array, divergence: Array, multiplier: Array) -> SymbolLaw:
    """The law whose Σq is 1, by Newton on log Σq in `a`.

    log Σq is convex and falling in `a` with slope in (−1, 0), and ν ≥ max(0, λ − KL(p‖m)): from
    that end Newton rises monotonically to the root. The ceiling ν ≤ λ guards against round-off.
    """
    xp = array_namespace(r)
    log_lam = xp.log(multiplier)
    a = xp.maximum(multiplier - divergence, xp.zeros_like(multiplier)) + log_lam
    ceiling = multiplier + log_lam
    for _ in range(64):
        law, log_mass = symbol_law(r, m, a, multiplier)
        moved = xp.minimum(a + log_mass / law.mass_slope, ceiling)
        # the error after a step is about its square
        done = bool(xp.all(xp.abs(moved - a) <= 1e-8 * (1.0 + xp.abs(a))))
        a = moved
        if done:
            break
    return symbol_law(r, m, a, multiplier)[0]


def distortion_and_slope(
    r: Array, m: Array, law: SymbolLaw, multiplier: Array
) -> tuple[Array, Array]:
    """KL(p‖q) per row and d rate / dλ = −λ d distortion / dλ, on the symbols."""
    xp = array_namespace(r)
    u = r - law.s
    q = m * xp.exp(law.s)
    p = m * xp.exp(r)
    distortion = xp.sum(p * u + (q - p), axis=-1)
    excess = 1.0 - xp.exp(u)
    weighted = q * law.slope
    return distortion, xp.sum(weighted * excess, axis=-1) / xp.sum(weighted, axis=-1)


def multiplier_for(
    r: Array, m: Array, divergence: Array, target: Array, weights: Array | None
) -> Array:
    """λ per row at which the distortion is `target`, strictly between 0 and the divergence.

    With `weights` (row,) the rows share one λ and Σ weights · distortion is met. Newton on the
    logarithm of the distortion in log λ, inside a bracket that every evaluation narrows.
    """
    xp = array_namespace(r)
    whole = divergence if weights is None else xp.sum(weights * divergence)
    x = xp.log(xp.sqrt(whole / target) - 1.0 + 1e-12)
    low, high = xp.full_like(x, -60.0), xp.full_like(x, 60.0)
    floor = xp.full_like(x, 1e-300)
    for _ in range(100):
        lam = xp.broadcast_to(xp.exp(x), divergence.shape)
        law = normalised_law(r, m, divergence, lam)
        distortion, slope = distortion_and_slope(r, m, law, lam)
        if weights is not None:
            distortion, slope = xp.sum(weights * distortion), xp.sum(weights * slope)
        excess = distortion - target
        low, high = xp.where(excess > 0, x, low), xp.where(excess > 0, high, x)
        step = xp.log(xp.maximum(distortion, floor) / target) * distortion
        step = step / xp.maximum(slope, floor)
        # a row that is there must not move again while others search on
        done = (xp.abs(step) <= 1e-13 * (1.0 + xp.abs(x))) | (xp.abs(excess) <= 1e-15)
        if bool(xp.all(done)):
            break
        inside = (x + step > low) & (x + step < high)
        x = xp.where(done, x, xp.where(inside, x + step, 0.5 * (low + high)))
    return xp.broadcast_to(xp.exp(x), divergence.shape)
