"""What looks inside the prompted passes while they are scored: small protocols.

A probe is handed to `score`; for each group of records it opens a tap that rides along with the
passes and afterwards says what it saw. Nothing is computed twice.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any, Protocol

from flowgauge.models.protocol import LanguageModel, Pass, Tap
from flowgauge.records import Pointers, Tokens


class PointerTap(Tap, Protocol):
    """A tap whose rows are records, and which knows their pointers after the passes."""

    def pointers(self, record: int) -> Pointers:
        """What was seen of one record."""
        ...


class Probe(Protocol):
    """Opens a tap for a group of records."""

    def tap(self, tokens: Sequence[Tokens], lm: LanguageModel) -> PointerTap:
        """A tap for these records, numbered in this order."""
        ...


@dataclass(frozen=True, slots=True)
class Taps:
    """Several taps on the same passes.

    Args:
        taps: Each sees every pass; entered in this order, left in the other.
    """

    taps: tuple[Tap, ...]

    @contextmanager
    def watch(self, model: Any, here: Pass) -> Iterator[None]:
        """Enter all of them around one pass."""
        with ExitStack() as stack:
            for tap in self.taps:
                stack.enter_context(tap.watch(model, here))
            yield


@dataclass(frozen=True, slots=True)
class Renumbered:
    """A tap that is told the record behind each row; rows of the reference law are left out.

    Args:
        tap: Told record numbers.
        contexts: Context behind each row of the batch; the first `records` are prompted ones.
        records: How many records there are.
    """

    tap: Tap
    contexts: tuple[int, ...]
    records: int

    def watch(self, model: Any, here: Pass) -> AbstractContextManager[None]:
        """Pass on the rows that are prompted, if there are any."""
        contexts = tuple(self.contexts[row] for row in here.rows)
        if all(c >= self.records for c in contexts):
            return nullcontext()
        return self.tap.watch(model, replace(here, rows=contexts))
