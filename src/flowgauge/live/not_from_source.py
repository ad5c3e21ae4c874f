"""The text was not drawn from the prompted law: the λ mixture against P, watched at every token.

    e_j = mean over λ of exp(λF_j − Σ ψ_i(λ))      null: every token was drawn from P

λ < 0 sees texts that ignore the source, λ > 0 those that copy it more closely than P would.
"""

from flowgauge.anytime import TiltedEProcess
from flowgauge.anytime.decide import NULL_PROMPTED
from flowgauge.live.event import Action, note
from flowgauge.live.null_monitor import NullMonitor
from flowgauge.live.step import Step


class NotFromSource(NullMonitor):
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
    null = NULL_PROMPTED
    finding = "Not from this source"

    def __init__(self, alpha: float = 0.01, *, action: Action = note) -> None:
        super().__init__(alpha, action=action)
        self._process: TiltedEProcess | None = None  # its λ grid comes with the first step

    def _evidence(self, step: Step) -> float:
        if self._process is None:
            self._process = TiltedEProcess(step.orders)
        return self._process.update(step.density, step.log_moments)
