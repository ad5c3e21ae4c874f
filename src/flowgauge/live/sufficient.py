"""Information sufficiency: the source has told enough, or has stopped telling (Corollary 3).

    τ = min{j : F_j ≥ nats}      Wald: E F_τ = E A_τ, so τ is about nats / mean drift

The forecast from the drifts so far stands beside each token; when τ comes, what was forecast early
and at half of the way is told with it, so that its error is seen.
"""

import math
from collections.abc import Mapping
from typing import Self

from flowgauge.anytime import StoppingForecast
from flowgauge.errors import SettingsError, UnreachableError
from flowgauge.live.event import Action, Event, note
from flowgauge.live.monitor import Monitor
from flowgauge.live.step import Step
from flowgauge.math.validate import is_count


class Sufficient(Monitor):
    """Says once that the flow reached `nats`, and once that the drift stayed low [nats].

    A measurement, no test: it has no null and no false-alarm rate, and a flow that is large enough
    does not make an answer complete or right. `Grounded` is the test. Where both sayings come at
    one token the flow is said first, the drift at the next one if it is still low.

    Args:
        nats: Flow to be reached, above 0.
        epsilon: Drift below which a token counts as quiet [nats per token].
        window: So many quiet tokens running make the second saying; the first forecast that is
            kept is made after as many.
        action: What is done with an event.

    Raises:
        SettingsError: `nats` or `epsilon` is no finite number above 0, or `window` no count.

    References:
        [wald:44]; [bai:25] III-D, Corollary 3.

    Example:
        >>> import numpy as np
        >>> monitor = Sufficient(nats=2.5, window=2)
        >>> p, q = np.log([0.9, 0.1]), np.log([0.3, 0.7])
        >>> event = [monitor.update(p, q, token=0) for _ in range(3)][-1]
        >>> event.values["tokens"], round(event.values["predicted_tokens_at_window"], 2)
        (3, 3.15)
    """

    name = "sufficient"

    def __init__(
        self, nats: float, epsilon: float = 0.01, window: int = 16, *, action: Action = note
    ) -> None:
        super().__init__(action=action)
        if not 0 < epsilon < math.inf or not is_count(window):
            raise SettingsError(
                f"epsilon = {epsilon}, window = {window!r}; a finite number of nats above 0 and a "
                "number of tokens, 1 or more, are needed"
            )
        self._forecast = StoppingForecast(nats)
        self.epsilon, self.window = float(epsilon), int(window)
        self._predictions: list[float] = []
        self._flow, self._quiet, self._is_finite = 0.0, 0, True
        self._told_flow = self._told_quiet = False

    @property
    def nats(self) -> float:
        """Flow to be reached [nats]."""
        return self._forecast.threshold

    @property
    def promise(self) -> str:
        """That there is none, and what the forecast is."""
        return (
            "No null and no false-alarm rate: it measures when the flow reaches "
            f"{self.nats:g} nats or the drift stays below {self.epsilon:g} for {self.window} "
            "tokens. The forecast is Wald's expectation for texts drawn from P, exact up to the "
            "overshoot if the drift is constant."
        )

    def observe(self, step: Step) -> Event | None:
        """Take one token in; an event where the flow suffices or the drift has stayed low."""
        self._predictions.append(self._predict(step.drift))
        self._flow = step.flow
        self._quiet = self._quiet + 1 if step.drift < self.epsilon else 0
        if self._flow >= self.nats and not self._told_flow:
            self._told_flow = True
            return self._tell_flow(step)
        if self._quiet >= self.window and not self._told_quiet:
            self._told_quiet = True
            return self._tell(
                step.position,
                f"The source has stopped telling: the drift stayed below {self.epsilon:g} nats for "
                f"{self._quiet} tokens up to token {step.position}; the flow is {self._flow:.3g} "
                f"nats. {self.promise}",
                flow_nats=self._flow,
                quiet_tokens=self._quiet,
                tokens=len(self._predictions),
                predicted_tokens=self._predictions[-1],
            )
        return None

    def fresh(self) -> Self:
        """The same settings, nothing seen."""
        return type(self)(self.nats, self.epsilon, self.window, action=self.action)

    @property
    def state(self) -> Mapping[str, float]:
        """flow_nats, the flow to be reached, forecast τ (inf where there is none), quiet tokens."""
        return {
            "flow_nats": self._flow,
            "threshold_nats": self.nats,
            "predicted_tokens": self._predictions[-1] if self._predictions else math.inf,
            "quiet_tokens": self._quiet,
        }

    def _predict(self, drift: float) -> float:
        """Tokens to `nats` from the mean drift so far; inf where it is 0 or infinite."""
        self._is_finite = self._is_finite and math.isfinite(drift)
        if not self._is_finite:
            return math.inf  # an infinite mean drift makes no forecast
        try:
            return self._forecast.update(drift).tokens
        except UnreachableError:
            return math.inf

    def _tell_flow(self, step: Step) -> Event:
        tokens = len(self._predictions)
        after = {"predicted_tokens_at_window": self.window, "predicted_tokens_at_half": tokens // 2}
        kept = {k: self._predictions[n - 1] for k, n in after.items() if 0 < n <= tokens}
        forecasts = ", ".join(f"{kept[k]:.3g} after {after[k]}" for k in kept)
        return self._tell(
            step.position,
            f"The source has told enough: the flow reached {step.flow:.3g} nats at token "
            f"{step.position} ({self.nats:g} were asked for), {tokens} tokens. "
            f"{f'Forecast of that number: {forecasts}. ' if kept else ''}{self.promise}",
            flow_nats=step.flow,
            tokens=tokens,
            **kept,
        )
