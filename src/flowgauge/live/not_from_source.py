"""The text was not drawn from the prompted law: the λ mixture against P, watched at every token.

    e_j = mean over λ of exp(λF_j − Σ ψ_i(λ))      null: every token was drawn from P

λ < 0 sees texts that ignore the source, λ > 0 those that copy it more closely than P would.
"""

import math
from collections.abc import Mapping
from typing import Self

from flowgauge.anytime import TiltedEProcess, Ville
from flowgauge.anytime.decide import NULL_PROMPTED
from flowgauge.live.event import Action, Event, note
from flowgauge.live.monitor import Monitor
from flowgauge.live.step import Step


class NotFromSource(Monitor):
    """Says once, at the first token where it is so, that the text does not follow P [nats].

    It does not say that the text is wrong, nor what it follows instead. While a model draws each
    token from the very P that is read, the null is true and this speaks with chance `alpha` at
    most; it is meant for texts that are edited, forced, drawn from another law or written by
    somebody else.

    Args:
        alpha: Chance that it ever speaks about a text drawn from P.
        action: What is done with the event.

    Raises:
        SettingsError: `alpha` is not between 0 and 1.

    References:
        [howard:20] for the mixture; [ville:39]; docs/paper_index.md, section 3.

    Example:
        >>> import numpy as np
        >>> monitor = NotFromSource(alpha=0.1)
        >>> p, q = np.log([0.9, 0.1]), np.log([0.3, 0.7])
        >>> [monitor.update(p, q, token=1) is not None for _ in range(4)]
        [False, True, False, False]
    """

    name = "not_from_source"

    def __init__(self, alpha: float = 0.01, *, action: Action = note) -> None:
        super().__init__(action=action)
        self._test = Ville(alpha)
        self._process: TiltedEProcess | None = None  # its λ grid comes with the first step
        self._told = False

    @property
    def alpha(self) -> float:
        """Level of the test [probability]."""
        return self._test.alpha

    @property
    def promise(self) -> str:
        """The null hypothesis and the level."""
        return (
            f"Null: {NULL_PROMPTED}. If it holds, this speaks with chance {self.alpha:g} at most."
        )

    def observe(self, step: Step) -> Event | None:
        """Take one token in; the event at the first crossing of log(1/alpha).

        Raises:
            ShapeError: The step has another number of log moments than the first one had.
            DistributionError: The density or a log moment is NaN.
        """
        if self._process is None:
            self._process = TiltedEProcess(step.orders)
        log_e = self._process.update(step.density, step.log_moments)
        if not self._test.update(log_e).rejects or self._told:
            return None
        self._told = True
        return self._tell(
            step.position,
            f"Not from this source: log e reached {log_e:.3g} nats at token {step.position} "
            f"(log 1/alpha = {-math.log(self.alpha):.3g} was needed) against the null that "
            f"{NULL_PROMPTED}, at level {self.alpha:g}.",
            log_e_nats=log_e,
            alpha=self.alpha,
        )

    def fresh(self) -> Self:
        """The same level, nothing seen."""
        return type(self)(self.alpha, action=self.action)

    @property
    def state(self) -> Mapping[str, float]:
        """log_e_nats now and the threshold that it has to reach."""
        log_e = 0.0 if self._process is None else self._process.log_e
        return {"log_e_nats": log_e, "threshold_nats": -math.log(self.alpha)}
