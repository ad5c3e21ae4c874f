"""Generalisation of a language model from its own training tokens (theory §9; paper V-E).

The loss of token k lies in [LSE z − max z, LSE z − min z], an interval the logits z_k fix before
the token is drawn. So for each fixed λ, exp(λ Σ(E_k − ℓ_k) − λ² Σ range_k²/8) is a supermartingale,
E_k being the expected loss given the past: Ville's inequality, a prefix code over models and a
union over a grid of λ bound the mean of E_k for all models and at all times at once.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from flowgauge.errors import DistributionError, SettingsError, ShapeError
from flowgauge.math.validate import as_floats, check_same_shape
from flowgauge.records import FloatArray

#: λ grid fixed before any data: 40 values, two per octave, from 4e-6 to 3.
MULTIPLIERS = tuple(float(value) for value in 3.0 * 2.0 ** (-0.5 * np.arange(40)))


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneralisationBound:
    """What may be said of the expected loss, and at what price.

    Attributes:
        value: Bound on the mean expected loss over all tokens given [nats per token].
        bound: (time,) the same after each token; all hold together with probability 1 − δ.
        mean_loss: Mean training loss [nats per token].
        multiplier: λ of the grid that gave `value`.
        code_length_nats: The compressed size that was charged [nats].
        delta: Probability that any of it is wrong.
    """

    value: float
    bound: FloatArray
    mean_loss: float
    multiplier: float
    code_length_nats: float
    delta: float

    def is_vacuous(self, vocabulary: int) -> bool:
        """Whether the bound is no better than guessing, log V."""
        return not self.value < np.log(vocabulary)


def generalisation_bound(
    losses: npt.ArrayLike,
    logit_ranges: npt.ArrayLike,
    code_length_nats: float,
    delta: float = 0.05,
    multipliers: npt.ArrayLike = MULTIPLIERS,
) -> GeneralisationBound:
    """Upper bound on the mean conditional expected loss, anytime and for all models [nats/token].

    With probability at least 1 − δ over the text, for every model of the code and after every
    token m: mean E ≤ mean ℓ + (L + log(J/δ))/(λm) + λ Σ range²/(8m), J the size of the λ grid. The
    text may be dependent in any way. It bounds the loss at the contexts that occurred, not on new
    documents, and nothing is said of a model whose code was not fixed before the text.

    Args:
        losses: (time,) −log-probability of each token written, in the order of the text [nats].
        logit_ranges: (time,) max z − min z of the logits at each position [nats].
        code_length_nats: L, length of the model in a prefix code: compressed bytes × 8 ln 2.
        delta: δ in (0, 1).
        multipliers: The λ grid, fixed before the text was seen.

    Returns:
        `GeneralisationBound`.

    Raises:
        DistributionError: A loss or range that is negative or not finite; shows the first.
        SettingsError: δ outside (0, 1), a negative code length, or a bad grid.
        ShapeError: losses and ranges of different length, or none.

    References:
        [howard:20] for the time-uniform form; [lotfi:24] for compression bounds on tokens.

    Example:
        >>> import numpy as np
        >>> bound = generalisation_bound(np.full(10_000, 2.0), np.full(10_000, 4.0), 200.0)
        >>> round(bound.value, 2), bound.is_vacuous(50)
        (2.41, False)
    """
    losses, ranges = _check(losses, "losses"), _check(logit_ranges, "logit_ranges")
    check_same_shape(losses=losses, logit_ranges=ranges)
    grid = np.atleast_1d(as_floats(multipliers, "multipliers"))
    if not (0 < delta < 1 and 0 <= code_length_nats < np.inf):
        raise SettingsError(
            f"delta = {delta}, code_length_nats = {code_length_nats}: 0 < delta < 1 and a finite "
            "length of 0 or more are needed"
        )
    if not (grid.ndim == 1 and grid.size and np.all((grid > 0) & (grid < np.inf))):
        raise SettingsError(f"multipliers = {grid}: positive finite numbers are needed")
    price = code_length_nats + np.log(grid.size / delta)
    time = np.arange(1, len(losses) + 1)
    spread = np.cumsum(ranges**2) / 8.0
    # one λ at a time: a (time, λ) table of a long text would not fit
    slack = np.full(len(losses), np.inf)
    for lam in grid:
        slack = np.minimum(slack, (price / lam + lam * spread) / time)
    bound = np.cumsum(losses) / time + slack
    best = grid[int(np.argmin(price / grid + grid * spread[-1]))]
    return GeneralisationBound(
        value=float(bound[-1]),
        bound=bound,
        mean_loss=float(losses.mean()),
        multiplier=float(best),
        code_length_nats=float(code_length_nats),
        delta=delta,
    )


def _check(values: npt.ArrayLike, name: str) -> FloatArray:
    array = as_floats(values, name)
    if array.ndim != 1 or array.size == 0:
        raise ShapeError(f"{name} has shape {array.shape}: a list (time,) was needed, not empty")
    wrong = ~((array >= 0) & (array < np.inf))
    if wrong.any():
        first = int(np.argmax(wrong))
        raise DistributionError(
            f"{name}[{first}] = {array[first]}: losses and ranges are finite and 0 or more"
        )
    return array
