"""What every monitor is: something that reads steps and sometimes says something.

    log_p_row, log_q_row, token  --update-->  Step  --observe-->  Event or None

Somebody's own loop calls `update`; flowgauge's loops reduce the rows once and call `observe` of
each monitor.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Self

from flowgauge.live.event import Action, Event, note
from flowgauge.live.step import Meter, Step


class Monitor(ABC):
    """Reads a text token by token; a text needs a monitor of its own (`fresh`).

    Args:
        action: What is done with an event: `note`, `stop` or a function from the event to whether
            the text should end.
    """

    #: As events and pages call it.
    name: str

    def __init__(self, *, action: Action = note) -> None:
        self.action = action
        self._meter = Meter()

    @property
    @abstractmethod
    def promise(self) -> str:
        """The null hypothesis or the false-alarm rate in words."""

    @abstractmethod
    def observe(self, step: Step) -> Event | None:
        """Take one token in; what there is to say, if anything."""

    @abstractmethod
    def fresh(self) -> Self:
        """A monitor with the same settings that has seen nothing."""

    @property
    @abstractmethod
    def state(self) -> Mapping[str, float]:
        """What a display shows now: numbers by names with their units."""

    def update(self, log_p_row: Any, log_q_row: Any, token: int) -> Event | None:
        """Take the two laws and the token drawn under them; what there is to say, if anything.

        Args:
            log_p_row: (vocab,) log-probabilities or logits of the prompted law, numpy or torch.
            log_q_row: (vocab,) the same of the reference law.
            token: The id that was written.

        Raises:
            ShapeError, DistributionError: As `Meter.read` says.
        """
        return self.observe(self._meter.read(log_p_row, log_q_row, token))

    def _tell(self, position: int, words: str, **values: float) -> Event:
        event = Event(monitor=self.name, position=position, words=words, values=values)
        return replace(event, stops=bool(self.action(event)))
