"""A loop seen by its words: the end of the text is one block of tokens, several times running.

    … a b c a b c a b c        length 3, copies 3

No law is looked at. On real loops this finds more than a dead drift does (experiments/
e2_semantic_flow), and it cannot speak before the text has repeated itself.
"""

from collections.abc import Mapping
from typing import Self

from flowgauge.errors import SettingsError
from flowgauge.live.event import Action, Event, note
from flowgauge.live.monitor import Monitor
from flowgauge.live.step import Step
from flowgauge.math.validate import is_count

#: Longest block that is looked for [tokens].
MOST_LENGTH = 128


class Repetition(Monitor):
    """Says that the text has begun to turn in circles, once for each circle.

    It is exact about repetition and says nothing about its reason: a refrain or a table repeats
    too. Neither law is used.

    Args:
        length: Fewest tokens of a block; a shorter period counts by as many of its copies as
            make such a block.
        copies: How often it must stand running.
        action: What is done with an event.

    Raises:
        SettingsError: `length` is no count up to 128, or `copies` is below 2.

    Example:
        >>> import numpy as np
        >>> monitor, law = Repetition(length=2, copies=2), np.log([0.5, 0.5])
        >>> [monitor.update(law, law, token) is not None for token in (0, 0, 1, 0, 1, 0)]
        [False, False, False, False, True, False]
    """

    name = "repetition"

    def __init__(self, length: int = 4, copies: int = 3, *, action: Action = note) -> None:
        super().__init__(action=action)
        if not is_count(length) or length > MOST_LENGTH or not is_count(copies) or copies < 2:
            raise SettingsError(
                f"length = {length!r} and copies = {copies!r} came; a block of 1 to {MOST_LENGTH} "
                "tokens and at least 2 copies are needed"
            )
        self.length, self.copies = int(length), int(copies)
        self._tokens: list[int] = []
        #: For each period, how many tokens running are equal to the one so far before.
        self._runs = [0] * (MOST_LENGTH + 1)
        self._is_looping = False

    @property
    def promise(self) -> str:
        """What it takes to speak."""
        return (
            f"No null: it speaks exactly where a block of at least {self.length} tokens stands "
            f"{self.copies} times running."
        )

    def observe(self, step: Step) -> Event | None:
        """Take one token in; an event where the block has come so often."""
        tokens = self._tokens
        for period in range(1, min(len(tokens), MOST_LENGTH) + 1):
            equal = tokens[-period] == step.token
            self._runs[period] = self._runs[period] + 1 if equal else 0
        tokens.append(step.token)
        was_looping, found = self._is_looping, self._period()
        self._is_looping = found is not None
        if was_looping or found is None:
            return None
        return self._tell(
            step.position,
            f"The text repeats itself: at token {step.position} its last {found} tokens have "
            f"stood {1 + self._runs[found] // found} times running. {self.promise}",
            length_tokens=found,
            copies=self.copies,
        )

    def _period(self) -> int | None:
        """The shortest period that is repeated often enough."""
        for period in range(1, MOST_LENGTH + 1):
            blocks = -(-self.length // period) * period  # whole periods that make a block
            if self._runs[period] >= blocks * self.copies - period:
                return period
        return None

    def fresh(self) -> Self:
        """The same settings, nothing seen."""
        return type(self)(self.length, self.copies, action=self.action)

    @property
    def state(self) -> Mapping[str, float]:
        """Tokens running that repeat earlier ones, at the best period, and the fewest needed."""
        needed = float(self.length * (self.copies - 1))
        return {"repeated_tokens": float(max(self._runs)), "threshold_tokens": needed}
