"""The text is driven by its source: exp(flow) against "drawn from Q", watched at every token.

    e_j = exp(F_j)      null: every token was drawn from Q      P(sup e_j ≥ 1/alpha) ≤ alpha

Ville's inequality pays for looking at each token, so the first crossing may be acted upon.
"""

from flowgauge.anytime import EProcess
from flowgauge.anytime.decide import NULL_REFERENCE
from flowgauge.live.event import Action, note
from flowgauge.live.null_monitor import NullMonitor
from flowgauge.live.step import Step


class Grounded(NullMonitor):
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
    null = NULL_REFERENCE
    finding = "Driven by the source"

    def __init__(self, alpha: float = 0.01, *, action: Action = note) -> None:
        super().__init__(alpha, action=action)
        self._process = EProcess()

    def _evidence(self, step: Step) -> float:
        return self._process.update(step.density)
