"""How learnt critics and densities are fitted: settings and the cut into three splits.

Rows arrive shuffled: the first are fitted to, the next stop the fit early, the last are evaluated
    and seen by nothing before. No torch here; the loop itself is in `networks`.
"""

import math
from dataclasses import dataclass

from flowgauge.errors import SettingsError, ShapeError
from flowgauge.math.validate import is_count


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """Settings of a fit by Adam with early stopping.

    Args:
        hidden: Widths of the hidden layers.
        learning_rate: Of Adam.
        batch_size: Pairs of one step.
        max_steps: Past this the best fit so far is used and `converged` is False.
        check_every: Steps between two looks at the validation split.
        patience: Looks without improvement after which the fit stops.
        validation_fraction: Share of rows that stop the fit.
        evaluation_fraction: Share of rows that are evaluated.

    Raises:
        SettingsError: A setting is outside its range; shows all of them.

    Example:
        >>> Training(max_steps=500).split_sizes(1000)
        (500, 200, 300)
    """

    hidden: tuple[int, ...] = (64, 64)
    learning_rate: float = 2e-3
    batch_size: int = 128
    max_steps: int = 3000
    check_every: int = 20
    patience: int = 10
    validation_fraction: float = 0.2
    evaluation_fraction: float = 0.3

    def __post_init__(self) -> None:
        counts = (*self.hidden, self.max_steps, self.check_every, self.patience)
        shares = (self.validation_fraction, self.evaluation_fraction)
        whole = all(is_count(count) for count in counts) and is_count(self.batch_size, 2)
        if not whole or not 0 < self.learning_rate < math.inf:
            raise SettingsError(
                f"{self}: widths, steps and patience of at least 1, a batch of at least 2 and a "
                "positive learning rate are needed"
            )
        if not (min(shares) > 0 and sum(shares) < 1):
            raise SettingsError(
                f"{self}: both fractions must be positive and sum to less than 1, to leave rows "
                "to fit to"
            )

    def split_sizes(self, n: int) -> tuple[int, int, int]:
        """Numbers of rows to fit to, to stop by and to evaluate; each at least 10."""
        validation = int(n * self.validation_fraction)
        evaluation = int(n * self.evaluation_fraction)
        sizes = (n - validation - evaluation, validation, evaluation)
        if min(sizes) < 10:
            raise ShapeError(
                f"{n} rows make splits of {sizes} to fit, stop and evaluate: each needs at least "
                "10, so bring at least 50 rows, or change the fractions"
            )
        return sizes
