"""A change inside a text: it followed the prompted law P up to somewhere and does not any more.

    R_j(λ) = e_j(λ) (1 + R_{j−1}(λ))      e_j(λ) = exp(λ ı_j − ψ_j(λ))      R_j = mean over λ

Null: every token is drawn from P. Then E[e_j(λ) | past] ≤ 1, so E[R_j(λ) | past] ≤ 1 + R_{j−1}(λ)
for each λ; the mean over a fixed grid keeps the inequality, E[R_j | past] ≤ 1 + R_{j−1}. R_j − j
is therefore a supermartingale that starts at 0, and E R_j ≤ j: a mean of e-detectors is one.

Let N be the first j with R_j ≥ c. At min(N, t) the supermartingale gives
c P(N ≤ t) ≤ E R_min(N,t) ≤ E min(N, t) ≤ t. Hence P(N ≤ t) ≤ t/c, and with t → ∞, E N ≥ c: either
an alarm is sure to come and E N ≥ c, or it may never come and E N is infinite. After an alarm R
starts at 0; each alarm throws away at least c, so the mean number of alarms by t is at most t/c.
"""

import math
from collections.abc import Mapping
from typing import Self

import numpy as np
import numpy.typing as npt

from flowgauge.anytime import ShiryaevRoberts
from flowgauge.anytime.decide import NULL_PROMPTED
from flowgauge.anytime.tilted import tilted_increments
from flowgauge.errors import DistributionError, SettingsError, ShapeError
from flowgauge.live.event import Action, Event, note
from flowgauge.live.monitor import Monitor
from flowgauge.live.step import Step
from flowgauge.math import log_mean_exp


class TiltedShiryaevRoberts:
    """Mean of Shiryaev–Roberts e-detectors over a λ grid, fed one token at a time, log R [nats].

    Not an e-process: its mean grows by 1 per token.

    Args:
        orders: (order,) the λ grid, fixed before the first token.

    Attributes:
        log_r: log R after the tokens so far; −∞ before the first.

    Example:
        >>> detector = TiltedShiryaevRoberts([-1.0, 1.0])
        >>> round(detector.update(-0.5, [0.0, 0.3]), 4), round(detector.update(-0.5, [0.0, 0.3]), 4)
        (0.0479, 0.9199)
    """

    __slots__ = ("_parts", "log_r", "orders")

    def __init__(self, orders: npt.ArrayLike) -> None:
        self.orders = np.asarray(orders, dtype=np.float64)
        self._parts = [ShiryaevRoberts() for _ in self.orders]
        self.log_r = -math.inf

    def update(self, density: float, log_moments: npt.ArrayLike) -> float:
        """Take one token in; log R after it [nats].

        Args:
            density: log P/Q of the token written; ±∞ is legal [nats].
            log_moments: (order,) ψ(λ) of its law [nats].

        Raises:
            ShapeError: There is not one log moment per order.
            DistributionError: The density or a log moment is NaN.
        """
        psi = np.asarray(log_moments, dtype=np.float64)
        if psi.shape != self.orders.shape:
            raise ShapeError(f"log_moments has shape {psi.shape}, {self.orders.shape} was needed")
        if math.isnan(density) or np.isnan(psi).any():
            raise DistributionError(f"density = {density} or log_moments = {psi} holds NaN")
        ratios = tilted_increments(density, psi, self.orders)
        logs = [part.update(float(x)) for part, x in zip(self._parts, ratios, strict=True)]
        self.log_r = float(log_mean_exp(np.array(logs)))
        return self.log_r

    @property
    def leading_order(self) -> float:
        """The λ whose detector stands highest: below 0 towards Q, above 0 away from it."""
        return float(self.orders[np.argmax([part.log_r for part in self._parts])])


class Change(Monitor):
    """Says at which token a text is found to have left the prompted law; may say so again [nats].

    The token of the alarm is not the token of the change, which lies before it. It does not say
    that the text is wrong from there on. While a model draws each token from the very P that is
    read nothing changes, and every alarm is a false one.

    Args:
        average_run_length: Mean number of tokens to a false alarm, at least.
        action: What is done with an event.

    Raises:
        SettingsError: The run length is not finite, or below 1.

    References:
        [shin:22]; [roberts:66].

    Example:
        >>> import numpy as np
        >>> monitor = Change(average_run_length=100)
        >>> p, q = np.log([0.9, 0.1]), np.log([0.1, 0.9])
        >>> text = ([0] * 9 + [1]) * 2 + [1] * 5
        >>> [j for j, token in enumerate(text) if monitor.update(p, q, token)]
        [21, 24]
    """

    name = "change"

    def __init__(self, average_run_length: float = 1000, *, action: Action = note) -> None:
        super().__init__(action=action)
        if not 1 <= average_run_length < math.inf:
            raise SettingsError(
                f"average_run_length = {average_run_length}; a finite number of tokens, 1 or more, "
                "is needed: the mean run to a false alarm, such as 1000"
            )
        self.average_run_length = float(average_run_length)
        self._detector: TiltedShiryaevRoberts | None = None  # its λ grid comes with the steps
        self._tokens = 0

    @property
    def promise(self) -> str:
        """The null hypothesis and the mean run to a false alarm."""
        return (
            f"Null: {NULL_PROMPTED}. While it holds, the mean run to an alarm is at least "
            f"{self.average_run_length:g} tokens, and the chance of an alarm within t tokens at "
            f"most t/{self.average_run_length:g}."
        )

    def observe(self, step: Step) -> Event | None:
        """Take one token in; an event where R reaches the average run length.

        Raises:
            ShapeError: The step has another number of log moments than those before it.
            DistributionError: The density or a log moment is NaN.
        """
        if self._detector is None:
            self._detector = TiltedShiryaevRoberts(step.orders)
        log_r = self._detector.update(step.density, step.log_moments)
        self._tokens += 1
        if log_r < math.log(self.average_run_length):
            return None
        order, tokens = self._detector.leading_order, self._tokens
        self._detector, self._tokens = None, 0
        return self._tell(
            step.position,
            f"A change inside the text: log R reached {log_r:.3g} nats at token {step.position}, "
            f"{tokens} tokens after the start or the last alarm (log "
            f"{self.average_run_length:g} = {math.log(self.average_run_length):.3g} was needed); "
            f"the text moved {'towards' if order < 0 else 'away from'} the reference law. Null: "
            f"{NULL_PROMPTED}; mean run to a false alarm at least {self.average_run_length:g} "
            "tokens.",
            log_r_nats=log_r,
            average_run_length=self.average_run_length,
            run_tokens=tokens,
            leading_order=order,
        )

    def fresh(self) -> Self:
        """The same run length, nothing seen."""
        return type(self)(self.average_run_length, action=self.action)

    @property
    def state(self) -> Mapping[str, float]:
        """log_r_nats now (−inf before a token) and the threshold that it has to reach."""
        log_r = -math.inf if self._detector is None else self._detector.log_r
        return {"log_r_nats": log_r, "threshold_nats": math.log(self.average_run_length)}
