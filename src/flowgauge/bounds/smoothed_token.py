"""The token-level compression bound with prediction smoothing of Lotfi et al. (theory §9).

Mixing the model with the uniform law, p_α = (1 − α) p + α/V, caps the loss of any token at
log(V/α): its range becomes Δ = log(1 + (1 − α)V/α). Azuma's inequality for the martingale of
E_k − ℓ_k then gives mean E ≤ mean ℓ_α + Δ √((L + log 1/δ)/(2m)) for a text of fixed length m.
Derived here as above; the smoothing and the charge for the grid of α are those of the authors'
public code. The theorem's own wording was not at hand.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from flowgauge.errors import SettingsError
from flowgauge.math.validate import as_floats, check_log_probabilities, is_count

#: Smoothing weights tried by default; their number is charged.
ALPHAS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class SmoothedTokenBound:
    """The best bound of the α grid.

    Attributes:
        value: Bound on the mean expected loss of the smoothed model [nats per token].
        mean_loss: Its mean training loss [nats per token].
        alpha: Smoothing weight chosen.
        loss_range: Δ of that α [nats].
        code_length_nats: The compressed size that was charged, without the grid [nats].
        delta: Probability that the bound is wrong.
        vocabulary: V.
    """

    value: float
    mean_loss: float
    alpha: float
    loss_range: float
    code_length_nats: float
    delta: float
    vocabulary: int

    @property
    def is_vacuous(self) -> bool:
        """Whether the bound is no better than guessing, log V."""
        return not self.value < np.log(self.vocabulary)


def smoothed_token_bound(
    log_p: npt.ArrayLike,
    vocabulary: int,
    code_length_nats: float,
    delta: float = 0.05,
    alphas: tuple[float, ...] = ALPHAS,
) -> SmoothedTokenBound:
    """Compression bound on the expected loss of a smoothed model [nats per token].

    Holds with probability 1 − δ for all models of the code and all α of the grid, at one length
    fixed before; `generalisation_bound` holds at every length and needs no smoothing, but knows
    the logits' ranges. It speaks of p_α, not of the unsmoothed model.

    Args:
        log_p: (time,) log-probability of each token written under the unsmoothed model; −inf is
            legal [nats].
        vocabulary: V, 2 or more.
        code_length_nats: L, length of the model in a prefix code [nats].
        delta: δ in (0, 1).
        alphas: Smoothing weights in (0, 1), fixed before the text was seen.

    Returns:
        `SmoothedTokenBound` with the best α.

    Raises:
        SettingsError: V, δ, L or an α outside its range.
        DistributionError: log_p holds NaN or a value above 0.

    References:
        [lotfi:24] token-level bound with prediction smoothing.

    Example:
        >>> import numpy as np
        >>> bound = smoothed_token_bound(np.full(100_000, -2.0), 1000, 500.0)
        >>> bound.alpha, round(bound.value, 3), bound.is_vacuous
        (0.05, 2.546, False)
    """
    values = check_log_probabilities(log_p, "log_p")
    grid = as_floats(alphas, "alphas").ravel()
    sound = is_count(vocabulary, 2) and 0 < delta < 1 and 0 <= code_length_nats < np.inf
    if not (sound and len(values)):
        raise SettingsError(
            f"vocabulary = {vocabulary}, delta = {delta}, code_length_nats = {code_length_nats}, "
            f"{len(values)} tokens: V ≥ 2, 0 < δ < 1, a finite length ≥ 0 and a token are needed"
        )
    if not (grid.size and bool(np.all((grid > 0) & (grid < 1)))):
        raise SettingsError(f"alphas = {alphas}: numbers strictly between 0 and 1 are needed")
    price = code_length_nats + np.log(len(grid) / delta)
    rows = []
    for alpha in grid:
        loss = float(-np.log((1.0 - alpha) * np.exp(values) + alpha / vocabulary).mean())
        width = float(np.log1p((1.0 - alpha) * vocabulary / alpha))
        rows.append((loss + width * float(np.sqrt(price / (2 * len(values)))), loss, alpha, width))
    value, loss, alpha, width = min(rows)
    return SmoothedTokenBound(
        value=value,
        mean_loss=loss,
        alpha=float(alpha),
        loss_range=width,
        code_length_nats=float(code_length_nats),
        delta=delta,
        vocabulary=vocabulary,
    )
