"""One text token by token, whoever draws it: characters, steps, columns, what the monitors say.

token and its columns → characters → step → monitors → whether it goes on
"""

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np

from flowgauge.errors import RecordError
from flowgauge.live.event import Event
from flowgauge.live.monitor import Monitor
from flowgauge.live.pieces import Detokenizer, Pieces
from flowgauge.live.step import Meter, Step
from flowgauge.records import TokenScores

END_TOKEN = "the model ended it"
MOST_TOKENS = "the limit of tokens was reached"


class WatchedText:
    """A text at work, with everything measured on the way.

    Args:
        lm: Its tokenizer.
        monitors: It has fresh ones of its own.
        before: The last ids that stand before it, for the space that may begin it.

    Attributes:
        ids: The tokens so far.
        steps: What is known of each token; an end token is the last and has no characters of its
            own.
        columns: (1,) columns of each token.
        events: What the monitors said.
        monitors: Those of this text, for their states.
        pieces: The characters of the tokens.
        stopped_by: Why it ended, in words; "" while it goes on.
    """

    def __init__(
        self, lm: Detokenizer, monitors: Sequence[Monitor], before: Sequence[int] = ()
    ) -> None:
        self.monitors = tuple(m.fresh() for m in monitors)
        self.ids: list[int] = []
        self.steps: list[Step] = []
        self.columns: list[TokenScores] = []
        self.events: list[Event] = []
        self.pieces = Pieces(lm, before)
        self.stopped_by = ""
        self._meter = Meter()

    @property
    def text(self) -> str:
        """What is written so far; the last characters once they are complete or it has ended."""
        return self.pieces.text

    def add(
        self,
        token: int,
        columns: TokenScores,
        row: int,
        *,
        end_ids: Sequence[int] = (),
        limit: str = "",
    ) -> list[Event]:
        """Take one token.

        Args:
            token: Its id.
            columns: (row,) columns of several texts.
            row: The one of this text.
            end_ids: Tokens that end it.
            limit: Why no token may follow this one; "" where one may.

        Returns:
            What the monitors say of it; the step stands last in `steps`.

        Raises:
            DistributionError: The token has probability 0 under both laws.
        """
        self.ids.append(token)
        self.columns.append(_row(columns, row))
        is_end = token in end_ids
        piece = "" if is_end else self.pieces.add(token)
        if is_end or limit:
            piece += self.pieces.end()
            self.stopped_by = END_TOKEN if is_end else limit
        step = self._meter.enter(token, piece, **_numbers(self.columns[-1]))
        self.steps.append(step)
        said = [e for m in self.monitors if (e := m.observe(step)) is not None]
        self.events += said
        for event in said:
            if event.stops and not self.stopped_by:
                self.stopped_by = f"the monitor {event.monitor} stopped it"
        return said

    def end(self, reason: str) -> None:
        """Nothing more is taken in, so the last step gets what is left; the first reason stands."""
        if self.stopped_by:
            return
        self.stopped_by = reason
        rest = self.pieces.end()
        if rest:
            self.steps[-1] = replace(self.steps[-1], text=self.steps[-1].text + rest)

    @property
    def scores(self) -> TokenScores:
        """Columns (time,) of the tokens so far [nats].

        Raises:
            RecordError: There is no token yet.
        """
        if not self.columns:
            raise RecordError("no token was taken in yet, so there are no columns; one was needed")
        rows: dict[str, Any] = {
            n: np.concatenate([getattr(c, n) for c in self.columns]) for n in _NAMES
        }
        return TokenScores(orders=self.columns[0].orders, **rows)


#: Columns with an axis of tokens.
_NAMES = tuple(f.name for f in fields(TokenScores) if f.name not in ("orders", "pointers"))


def _row(columns: TokenScores, i: int) -> TokenScores:
    rows: dict[str, Any] = {n: getattr(columns, n)[i : i + 1] for n in _NAMES}
    return TokenScores(orders=columns.orders, **rows)


def _numbers(columns: TokenScores) -> dict[str, Any]:
    """What a step takes of a one-row result."""
    names = ("log_p", "log_q", "drift", "variance", "entropy_p", "entropy_q")
    return {
        **{n: float(getattr(columns, n)[0]) for n in names},
        "log_moments": columns.log_moments[0],
    }
