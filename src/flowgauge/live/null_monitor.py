"""A null that is watched at every token: what the two monitors of P and of Q have in common.

    log e of the text so far  →  Ville  →  one event at the first crossing of log(1/alpha)

Ville's inequality pays for looking at each token, so the first crossing may be acted upon.
"""

import math
from abc import abstractmethod
from collections.abc import Mapping
from typing import Self

from flowgauge.anytime import Ville
from flowgauge.live.event import Action, Event, note
from flowgauge.live.monitor import Monitor
from flowgauge.live.step import Step


class NullMonitor(Monitor):
    """Says once that its null is rejected [nats].

    Args:
        alpha: Chance that it ever speaks while the null holds.
        action: What is done with the event.

    Raises:
        SettingsError: `alpha` is not between 0 and 1.

    References:
        [ville:39].
    """

    #: The null hypothesis in words, and how the event begins.
    null: str
    finding: str

    def __init__(self, alpha: float = 0.01, *, action: Action = note) -> None:
        super().__init__(action=action)
        self._test, self._log_e, self._told = Ville(alpha), 0.0, False

    @abstractmethod
    def _evidence(self, step: Step) -> float:
        """Log e of the text after this token [nats]."""

    @property
    def alpha(self) -> float:
        """Level of the test [probability]."""
        return self._test.alpha

    @property
    def promise(self) -> str:
        """The null hypothesis and the level."""
        return f"Null: {self.null}. If it holds, this speaks with chance {self.alpha:g} at most."

    def observe(self, step: Step) -> Event | None:
        """Take one token in; the event at the first crossing of log(1/alpha).

        Raises:
            ShapeError: The step has another number of log moments than the first one had.
            DistributionError: The density or a log moment is NaN.
        """
        self._log_e = log_e = self._evidence(step)
        if not self._test.update(log_e).rejects or self._told:
            return None
        self._told = True
        return self._tell(
            step.position,
            f"{self.finding}: log e reached {log_e:.3g} nats at token {step.position} "
            f"(log 1/alpha = {-math.log(self.alpha):.3g} was needed) against the null that "
            f"{self.null}, at level {self.alpha:g}.",
            log_e_nats=log_e,
            alpha=self.alpha,
        )

    def fresh(self) -> Self:
        """The same level, nothing seen."""
        return type(self)(self.alpha, action=self.action)

    @property
    def state(self) -> Mapping[str, float]:
        """log_e_nats now and the threshold that it has to reach."""
        return {"log_e_nats": self._log_e, "threshold_nats": -math.log(self.alpha)}
