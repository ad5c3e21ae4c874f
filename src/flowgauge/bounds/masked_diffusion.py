"""Likelihood bounds of masked diffusion (LLaDA; theory §8, last bullet).

A masked-diffusion model predicts each hidden token from the visible ones: log p(x_i | x_visible).
Three forms of its bound on log p(x), equal in expectation:

    continuous time   E_t (1/t) E_mask Σ_masked log p(x_i|visible), each token masked with prob. t
    random order      mean over the orders σ of Σ_i log p(x_σ(i) | x_σ(<i))
    k masked          E_k (N/k) E_mask Σ_masked log p(x_i|visible), exactly k of N tokens masked

Each is exact by enumeration of all masks for N ≤ 8 and an unbiased estimate by sampling beyond.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import Protocol

import numpy as np
import numpy.typing as npt

from flowgauge.errors import DistributionError, SettingsError, ShapeError
from flowgauge.math.validate import as_floats, is_count
from flowgauge.records import FloatArray

BoolArray = npt.NDArray[np.bool_]
#: (time,) which tokens are masked → (time,) log p(x_i | visible); only masked entries are read.
Predictor = Callable[[BoolArray], FloatArray]

#: Longest text whose masks are all enumerated.
LONGEST_EXACT = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskedDiffusionElbo:
    """A lower bound on log p(x) in expectation.

    Attributes:
        value: The bound, exact or estimated [nats].
        standard_error: Of the estimate; 0 where it is exact [nats].
        draws: Masks (or orders) drawn; 0 where all were enumerated.
        form: Name of the form.
    """

    value: float
    standard_error: float
    draws: int
    form: str


class ElboForm(Protocol):
    """One way to write the bound."""

    @property
    def name(self) -> str:
        """What the result calls it."""
        ...

    def exact(self, predictor: Predictor, length: int) -> float:
        """The bound by enumeration [nats]."""
        ...

    def draw(self, predictor: Predictor, length: int, rng: np.random.Generator) -> float:
        """One unbiased draw [nats]."""
        ...


@dataclass(frozen=True, slots=True)
class ContinuousTime:
    """Each token masked with probability t, t uniform, weight 1/t: the training loss of LLaDA."""

    name: str = "continuous time"

    def exact(self, predictor: Predictor, length: int) -> float:
        """Sum over masks; the integral over t by Gauss–Legendre, exact for these polynomials."""
        nodes, weights = np.polynomial.legendre.leggauss(length)
        t, share = 0.5 * (nodes + 1.0), 0.5 * weights
        total = 0.0
        for mask in _masks(length):
            count = int(mask.sum())
            chance = float(share @ (t ** (count - 1) * (1.0 - t) ** (length - count)))
            total += chance * _masked_sum(predictor, mask)
        return total

    def draw(self, predictor: Predictor, length: int, rng: np.random.Generator) -> float:
        """One t and one mask."""
        t = 1.0 - rng.random()
        mask = rng.random(length) < t
        return _masked_sum(predictor, mask) / t if mask.any() else 0.0


@dataclass(frozen=True, slots=True)
class RandomOrder:
    """Tokens revealed one at a time in a random order: any-order autoregression."""

    name: str = "random order"

    def exact(self, predictor: Predictor, length: int) -> float:
        """Mean over all orders, as a sum over sets: k visible come first in k!(N−k)!/N! of them."""
        total = 0.0
        for mask in _masks(length):
            hidden = int(mask.sum())
            total += _masked_sum(predictor, mask) / (hidden * comb(length, hidden))
        return total

    def draw(self, predictor: Predictor, length: int, rng: np.random.Generator) -> float:
        """One whole order: N passes of the model."""
        mask = np.ones(length, dtype=bool)
        total = 0.0
        for position in rng.permutation(length):
            total += float(_predicted(predictor, mask)[position])
            mask[position] = False
        return total


@dataclass(frozen=True, slots=True)
class KMasked:
    """Exactly k tokens masked, k uniform on 1..N, weight N/k: less variance than random t."""

    name: str = "k masked"

    def exact(self, predictor: Predictor, length: int) -> float:
        """Mean over k of the mean over masks of that size."""
        total = 0.0
        for count in range(1, length + 1):
            inner = sum(_masked_sum(predictor, mask) for mask in _masks(length, count))
            total += inner / comb(length, count) * length / count
        return total / length

    def draw(self, predictor: Predictor, length: int, rng: np.random.Generator) -> float:
        """One k and one mask."""
        count = int(rng.integers(1, length + 1))
        mask = np.zeros(length, dtype=bool)
        mask[rng.permutation(length)[:count]] = True
        return _masked_sum(predictor, mask) * length / count


def masked_diffusion_elbo(
    predictor: Predictor,
    length: int,
    form: ElboForm = KMasked(),
    draws: int = 0,
    rng: np.random.Generator | None = None,
) -> MaskedDiffusionElbo:
    """Lower bound on log p(x) of a masked-diffusion model, exact or sampled [nats].

    The bound is on the likelihood of the order mixture, Σ_σ Π p(x_σ(i)|x_σ(<i))/N!, which
    differs from the likelihood under any one sampling schedule. Where the predictor is consistent
    with one joint law the bound is that law's log p(x).

    Args:
        predictor: (time,) boolean mask → (time,) log-probabilities of the true tokens at masked
            positions given the visible ones [nats]; other entries are ignored.
        length: N, tokens in the text, 1 or more.
        form: `ContinuousTime()`, `RandomOrder()` or `KMasked()` (default).
        draws: 0 enumerates all 2^N − 1 masks, for N ≤ 8; otherwise how many to draw, 2 or more.
        rng: Needed with draws.

    Returns:
        `MaskedDiffusionElbo`.

    Raises:
        SettingsError: N > 8 without draws, draws without rng, or a single draw.
        DistributionError: The predictor gave NaN or a value above 0.
        ShapeError: The predictor's answer has another length.

    References:
        [nie:25] LLaDA, equations 3, 6 and 14; [ou:25] for the equality of the forms.

    Example:
        >>> import numpy as np
        >>> independent = lambda mask: np.log([0.5, 0.25])
        >>> round(masked_diffusion_elbo(independent, 2).value, 6) == round(float(np.log(0.125)), 6)
        True
    """
    if not (is_count(length) and is_count(draws, 0)) or draws == 1:
        raise SettingsError(
            f"length = {length}, draws = {draws}: length ≥ 1 and draws = 0 (enumerate) or ≥ 2 are "
            "needed"
        )
    if draws == 0:
        if length > LONGEST_EXACT:
            raise SettingsError(
                f"length = {length} has {2 ** min(length, 60) - 1} masks; enumeration ends at "
                f"{LONGEST_EXACT}. Pass draws=… and rng=…"
            )
        value = form.exact(predictor, length)
        return MaskedDiffusionElbo(value=value, standard_error=0.0, draws=0, form=form.name)
    if rng is None:
        raise SettingsError(f"draws = {draws} without rng: pass rng=np.random.default_rng(seed)")
    values = np.array([form.draw(predictor, length, rng) for _ in range(draws)])
    mean = float(values.mean())
    error = float(values.std(ddof=1) / np.sqrt(draws)) if np.isfinite(mean) else np.inf
    return MaskedDiffusionElbo(value=mean, standard_error=error, draws=draws, form=form.name)


def _masks(length: int, count: int | None = None) -> list[BoolArray]:
    """All masks with at least one masked token, or those with exactly `count`."""
    counts = range(1, length + 1) if count is None else [count]
    masks = []
    for size in counts:
        for chosen in combinations(range(length), size):
            mask = np.zeros(length, dtype=bool)
            mask[list(chosen)] = True
            masks.append(mask)
    return masks


def _masked_sum(predictor: Predictor, mask: BoolArray) -> float:
    return float(_predicted(predictor, mask)[mask].sum())


def _predicted(predictor: Predictor, mask: BoolArray) -> FloatArray:
    values = as_floats(predictor(mask.copy()), "the answer of the predictor")
    if values.shape != mask.shape:
        raise ShapeError(
            f"the predictor answered with shape {values.shape} to a mask of shape {mask.shape}; "
            "one log-probability per position was needed"
        )
    wrong = mask & ~(values <= 1e-6)
    if wrong.any():
        first = int(np.argmax(wrong))
        raise DistributionError(
            f"the predictor gave {values[first]} at masked position {first}: log-probabilities are "
            "≤ 0 or −inf"
        )
    return values
