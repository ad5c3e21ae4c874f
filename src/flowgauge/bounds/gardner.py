"""How many random patterns a perceptron can store (theory §9; paper theorem 8)."""

import numpy as np
from scipy.special import ndtr

from flowgauge.errors import SettingsError


def gardner_capacity(kappa: float) -> float:
    """Critical patterns per weight at margin κ, α_c = 1/∫_{−κ}^∞ (t+κ)² φ(t) dt [no unit].

    The large-dimension limit for random inputs and labels and a spherical perceptron. Not the
    capacity of a deep network, nor of structured data. The integral is
    (1 + κ²) Φ(κ) + κ φ(κ). For κ < 0 the formula is only an upper bound (replica symmetry breaks),
    so it is refused.

    Args:
        kappa: Margin κ ≥ 0 for weights of length √N.

    Returns:
        α_c.

    Raises:
        SettingsError: κ is negative or not finite.

    References:
        [gardner:88]; [cover:65] for α_c(0) = 2.

    Example:
        >>> [round(gardner_capacity(kappa), 3) for kappa in (0.0, 0.5, 1.0)]
        [2.0, 0.961, 0.52]
    """
    if not 0 <= kappa < np.inf:
        raise SettingsError(
            f"kappa = {kappa}: a finite margin of 0 or more is needed; below 0 the formula is no "
            "longer exact"
        )
    square = float(kappa) * float(kappa)  # ∞ where κ**2 would be an OverflowError
    density = np.exp(-0.5 * square) / np.sqrt(2.0 * np.pi)
    return float(1.0 / ((1.0 + square) * ndtr(kappa) + kappa * density))
