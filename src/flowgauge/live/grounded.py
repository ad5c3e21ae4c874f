"""The text is driven by its source: exp(flow) against "drawn from Q", watched at every token.

    e_j = exp(F_j)      null: every token was drawn from Q      P(sup e_j ≥ 1/alpha) ≤ alpha

Ville's inequality pays for looking at each token, so the first crossing may be acted upon.
"""

import math
from collections.abc import Mapping
from typing import Self

from flowgauge.anytime import EProcess, Ville
from flowgauge.anytime.decide import NULL_REFERENCE
from flowgauge.live.event import Action, Event, note
from flowgauge.live.monitor import Monitor
from flowgauge.live.step import Step


class Grounded(Monitor):
    """Says once, at the first token where it is so, that the source drives the text [nats].

    It does not say that the text is right, nor that all of its tokens come from the source. Until
    it speaks nothing is known: silence is no evidence that the source was ignored. The level is
    exact for the law Q of the steps; where somebody else wrote the text it is evidence relative to
    the observer.

    Args:
        alpha: Chance that it ever speaks about a text drawn from Q.
        action: What is done with the event.

    Raises:
        SettingsError: `alpha` is not between 0 and 1.

    References:
        [ville:39]; [bai:25] III-D.

    Example:
        >>> import numpy as np
        >>> monitor = Grounded(alpha=0.1)
        >>> p, q = np.log([0.9, 0.1]), np.log([0.3, 0.7])
        >>> [monitor.update(p, q, token=0) is not None for _ in range(4)]
        [False, False, True, False]
    """

    name = "grounded"

    def __init__(self, alpha: float = 0.01, *, action: Action = note) -> None:
        super().__init__(action=action)
        self._test = Ville(alpha)
        self._process, self._told = EProcess(), False

    @property
    def alpha(self) -> float:
        """Level of the test [probability]."""
        return self._test.alpha

    @property
    def promise(self) -> str:
        """The null hypothesis and the level."""
        return (
            f"Null: {NULL_REFERENCE}. If it holds, this speaks with chance {self.alpha:g} at most."
        )

    def observe(self, step: Step) -> Event | None:
        """Take one token in; the event at the first crossing of log(1/alpha).

        Raises:
            DistributionError: The density is NaN.
        """
        log_e = self._process.update(step.density)
        if not self._test.update(log_e).rejects or self._told:
            return None
        self._told = True
        return self._tell(
            step.position,
            f"Driven by the source: log e reached {log_e:.3g} nats at token {step.position} "
            f"(log 1/alpha = {-math.log(self.alpha):.3g} was needed) against the null that "
            f"{NULL_REFERENCE}, at level {self.alpha:g}.",
            log_e_nats=log_e,
            alpha=self.alpha,
        )

    def fresh(self) -> Self:
        """The same level, nothing seen."""
        return type(self)(self.alpha, action=self.action)

    @property
    def state(self) -> Mapping[str, float]:
        """log_e_nats now and the threshold that it has to reach."""
        return {"log_e_nats": self._process.log_e, "threshold_nats": -math.log(self.alpha)}
