"""One token as it is written, and the running sums that make a flow of them.

    row of P, row of Q, token  --Meter.read-->  Step: density, flow, drift, compensator, …

The two laws stand before the token is drawn, so drift, variance and log moments are predictable;
only the density depends on the token. This is what makes the sums martingales (theory §2, §3).
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from array_api_compat import array_namespace

from flowgauge.anytime.e_process import times
from flowgauge.errors import DistributionError, ShapeError
from flowgauge.flow import flow
from flowgauge.math import entropy, kl_divergence, log_moment, relative_varentropy
from flowgauge.records import ORDERS, FloatArray, Flow


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What is known of one token once it is written.

    Attributes:
        position: Its place in the text, from 0.
        token: Its id.
        text: The characters that it adds; "" while a character is not complete.
        log_p, log_q: Its log-probability under both laws [nats].
        density: log P/Q [nats].
        flow: Running sum of the density, this token included; −∞ stays −∞, whatever comes [nats].
        drift: KL(P‖Q) of the two laws it was drawn under [nats].
        compensator: Running sum of the drift [nats].
        variance: Var_P[log P/Q] [nats²].
        entropy_p, entropy_q: Entropies of the two laws [nats].
        log_moments: (order,) ψ(λ) = log E_P[(P/Q)^λ] [nats].
        orders: (order,) the λ grid.
    """

    position: int
    token: int
    text: str
    log_p: float
    log_q: float
    density: float
    flow: float
    drift: float
    compensator: float
    variance: float
    entropy_p: float
    entropy_q: float
    log_moments: FloatArray
    orders: FloatArray


class Meter:
    """Turns rows of two laws into steps, one token at a time.

    Args:
        orders: The λ grid of the log moments.

    Example:
        >>> meter = Meter()
        >>> step = meter.read(np.log([0.9, 0.1]), np.log([0.5, 0.5]), 0)
        >>> round(step.density, 4), round(step.drift, 4), step.flow == step.density
        (0.5878, 0.3681, True)
    """

    __slots__ = ("_compensator", "_flow", "_position", "orders")

    def __init__(self, orders: Iterable[float] = ORDERS) -> None:
        self.orders = np.asarray(tuple(orders), dtype=np.float64)
        self._position, self._flow, self._compensator = 0, 0.0, 0.0

    def read(self, log_p_row: Any, log_q_row: Any, token: int, text: str = "") -> Step:
        """Take one token and the two laws that it was drawn under.

        Args:
            log_p_row: (vocab,) log-probabilities or logits of P, an array of numpy or torch; they
                are normalised here. −inf is a token that cannot come.
            log_q_row: (vocab,) the same of Q.
            token: The id that was written.
            text: Its characters, for displays.

        Raises:
            ShapeError: The rows differ in length or are no rows, or the token is outside them.
            DistributionError: A row holds NaN, or the token has probability 0 under both laws.
        """
        p, q = _normalised(log_p_row, "log_p_row"), _normalised(log_q_row, "log_q_row")
        if p.shape != q.shape or not 0 <= token < len(p):
            raise ShapeError(
                f"log_p_row {p.shape}, log_q_row {q.shape} and token {token} came; two rows "
                "(vocab,) of one vocabulary and a token inside it were needed"
            )
        return self.enter(
            token,
            text,
            log_p=float(p[token]),
            log_q=float(q[token]),
            drift=float(kl_divergence(p, q)),
            variance=float(relative_varentropy(p, q)),
            entropy_p=float(entropy(p)),
            entropy_q=float(entropy(q)),
            log_moments=np.asarray(log_moment(p, q, self.orders)),
        )

    def enter(
        self, token: int, text: str = "", *, log_moments: FloatArray, **numbers: float
    ) -> Step:
        """Take one token whose columns were reduced elsewhere, by the names of `Step`."""
        density = numbers["log_p"] - numbers["log_q"]
        if math.isnan(density):
            raise DistributionError(
                f"token {token} at position {self._position} has probability 0 under both laws, "
                "so their ratio is not defined. Check that the ids are those of this model's "
                "tokenizer."
            )
        self._flow = times(self._flow, density)
        self._compensator += numbers["drift"]
        step = Step(
            position=self._position,
            token=int(token),
            text=text,
            density=density,
            flow=self._flow,
            compensator=self._compensator,
            log_moments=log_moments,
            orders=self.orders,
            **numbers,
        )
        self._position += 1
        return step


def flow_of(steps: Iterable[Step]) -> Flow:
    """The flow of a text from its steps, as `flowgauge.flow.flow` gives it [nats].

    Example:
        >>> meter = Meter()
        >>> laws = np.log([0.9, 0.1]), np.log([0.5, 0.5])
        >>> flow_of([meter.read(*laws, 0), meter.read(*laws, 1)]).flow.round(4)
        array([ 0.5878, -1.0217])
    """
    every = list(steps)
    orders = every[0].orders if every else np.asarray(ORDERS)
    return flow(
        [s.log_p for s in every],
        [s.log_q for s in every],
        [s.drift for s in every],
        [s.variance for s in every],
        log_moments=np.array([s.log_moments for s in every]).reshape(len(every), len(orders)),
        orders=orders,
    )


def _normalised(row: Any, name: str) -> FloatArray:
    """(vocab,) log-probabilities as float64, whatever array came."""
    xp = array_namespace(row) if not isinstance(row, list | tuple) else np
    values = row.detach().cpu().double().numpy() if xp.__name__.endswith("torch") else row
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or not len(array):
        raise ShapeError(f"{name} has the shape {array.shape}; one row (vocab,) was needed")
    top = array.max()
    if not np.isfinite(top):
        raise DistributionError(f"the largest entry of {name} is {top}; a finite one was needed")
    return array - top - np.log(np.exp(array - top).sum())
