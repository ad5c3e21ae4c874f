"""Which hidden tokens are shown next: orders of unmasking, and which of them a test may rest on.

    order                    looks at                            predictable
    AtRandom                 nothing                             yes
    LeftToRight              nothing                             yes
    LeastEntropy             laws P of hidden tokens             yes
    LargestProbability       laws P of hidden tokens             yes
    LowConfidenceRemasking   the tokens drawn from these laws    no

Predictable: what is shown next depends on the tokens shown so far (and on chance), never on the
value of a token still hidden. Then the token shown is drawn from its law, and every statement of
theory §2 and §3 holds along the order. Low-confidence remasking (Nie 2025, §2.4) draws all hidden
tokens and keeps those that came out most probable: a token that is kept is *not* drawn from its
law but from one sharpened by the choice. Under it exp(−F) has not expectation 1 and the level is
lost, in either direction; no other order of reading repairs that, for the text itself no longer
follows P. Both are shown by enumeration in tests/scores/test_unmasking_level.py.
"""

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch

from flowgauge.errors import SettingsError
from flowgauge.math import entropy
from flowgauge.records import FloatArray, IntArray

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hidden:
    """Some hidden tokens, one of which is to be shown.

    Attributes:
        positions: (hidden,) where they stand, rising.
        log_laws: (hidden, vocab) their laws P given what is visible; None for an order that reads
            no laws [nats].
        log_drawn: (hidden,) log-probability of the token drawn there; None for a predictable order
            [nats].
    """

    positions: IntArray
    log_laws: torch.Tensor | None = None
    log_drawn: FloatArray | None = None


class Order(Protocol):
    """Says which hidden tokens come first."""

    @property
    def name(self) -> str:
        """What results call it."""
        ...

    @property
    def reads_laws(self) -> bool:
        """Whether it looks at the laws of hidden tokens."""
        ...

    @property
    def is_predictable(self) -> bool:
        """Whether it never looks at the value of a hidden token."""
        ...

    def priority(self, hidden: Hidden, rng: np.random.Generator) -> FloatArray:
        """(hidden,) numbers; the largest is shown first, of equal ones the first position."""
        ...


@dataclass(frozen=True, slots=True)
class AtRandom:
    """Every order equally likely, independent of the text: the one for texts somebody wrote."""

    name: str = "at random"
    reads_laws: bool = field(default=False, init=False)
    is_predictable: bool = field(default=True, init=False)

    def priority(self, hidden: Hidden, rng: np.random.Generator) -> FloatArray:
        """Random numbers."""
        return rng.random(len(hidden.positions))


@dataclass(frozen=True, slots=True)
class LeftToRight:
    """As a next-token model reads."""

    name: str = "left to right"
    reads_laws: bool = field(default=False, init=False)
    is_predictable: bool = field(default=True, init=False)

    def priority(self, hidden: Hidden, rng: np.random.Generator) -> FloatArray:
        """Minus the position."""
        return -hidden.positions.astype(np.float64)


@dataclass(frozen=True, slots=True)
class LeastEntropy:
    """The token whose law is surest, before it is drawn."""

    name: str = "least entropy"
    reads_laws: bool = field(default=True, init=False)
    is_predictable: bool = field(default=True, init=False)

    def priority(self, hidden: Hidden, rng: np.random.Generator) -> FloatArray:
        """Minus the entropy of each law [nats]."""
        values: FloatArray = -entropy(_laws(hidden)).numpy()
        return values


@dataclass(frozen=True, slots=True)
class LargestProbability:
    """The token whose law has the likeliest token, before it is drawn."""

    name: str = "largest probability"
    reads_laws: bool = field(default=True, init=False)
    is_predictable: bool = field(default=True, init=False)

    def priority(self, hidden: Hidden, rng: np.random.Generator) -> FloatArray:
        """Largest log-probability of each law [nats]."""
        values: FloatArray = _laws(hidden).amax(-1).numpy()
        return values


@dataclass(frozen=True, slots=True)
class LowConfidenceRemasking:
    """LLaDA's sampler: of the tokens drawn, those with the largest probability are kept.

    Not predictable: texts drawn so do not follow the model's laws, so that no level is promised of
    them. On one pair of positions, where P and Q are (0.6, 0.4) and (0.9, 0.1) at one and fair
    coins at the other, E exp(−F) is 1.3 and not 1 (module docstring).

    References:
        [nie:25], §2.4 and appendix.
    """

    name: str = "low-confidence remasking"
    reads_laws: bool = field(default=True, init=False)
    is_predictable: bool = field(default=False, init=False)

    def priority(self, hidden: Hidden, rng: np.random.Generator) -> FloatArray:
        """Log-probability of the token drawn [nats]."""
        if hidden.log_drawn is None:
            raise SettingsError(
                "low-confidence remasking looks at the tokens drawn, so it is an order of a "
                "sampler alone; read a text in a predictable order, AtRandom() for one"
            )
        return hidden.log_drawn


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmasking:
    """How a response is unmasked: in which order, how many tokens a step, block by block or not.

    Tokens of one step are independent given what was visible before it: their law is the product
    of their marginals, which is not the joint law of any model with dependent tokens.

    Args:
        order: Which come first.
        per_step: Tokens shown by one pass of the model.
        block: Length of blocks that are finished one after the other, left to right; None: one.

    Raises:
        SettingsError: A number below 1.

    Example:
        >>> plan = Unmasking(order=LeftToRight(), per_step=2, block=3)
        >>> [s.tolist() for s in plan.blind_steps(5, np.random.default_rng(0))]
        [[0, 1], [2], [3, 4]]
    """

    order: Order = field(default_factory=AtRandom)
    per_step: int = 1
    block: int | None = None

    def __post_init__(self) -> None:
        if self.per_step < 1 or (self.block is not None and self.block < 1):
            raise SettingsError(
                f"per_step = {self.per_step}, block = {self.block}; at least 1 of each was needed"
            )

    def candidates(self, masked: BoolArray) -> IntArray:
        """Hidden positions that may be shown next: those of the first unfinished block."""
        places = np.flatnonzero(masked)
        if self.block is None or not len(places):
            return places
        return places[places // self.block == places[0] // self.block]

    def choose(self, hidden: Hidden, rng: np.random.Generator) -> IntArray:
        """Places in `hidden` that are shown next, rising."""
        priority = self.order.priority(hidden, rng)
        return np.sort(np.argsort(-priority, kind="stable")[: self.per_step])

    def blind_steps(self, length: int, rng: np.random.Generator) -> list[IntArray]:
        """Positions of every step, for an order that reads no laws.

        Raises:
            SettingsError: The order reads laws.
        """
        if self.order.reads_laws:
            raise SettingsError(
                f"the order {self.order.name!r} reads laws, so its steps cannot be known before"
            )
        masked, steps = np.ones(length, dtype=bool), []
        while masked.any():
            places = self.candidates(masked)
            shown = places[self.choose(Hidden(positions=places), rng)]
            masked[shown] = False
            steps.append(shown)
        return steps


def _laws(hidden: Hidden) -> torch.Tensor:
    if hidden.log_laws is None:
        raise SettingsError("this order reads the laws of hidden tokens, but none were given")
    return hidden.log_laws.double().cpu()
