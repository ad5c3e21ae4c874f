"""Which texts loop, and from where: an exact rule on the tokens, applied after the fact.

A text loops if its tail is a block of at least MIN_BLOCK tokens written COPIES times running. Its
onset is the first token of the second copy: up to there nothing has been repeated. A last copy cut
off by the limit of tokens counts as tail. A text that repeats a block as often but goes on to
something else is neither looping nor ordinary and is left out; so nothing here is judged by taste.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from e2_semantic_flow.written import Written
from flowgauge.records import IntArray

MIN_BLOCK = 4
COPIES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    """A loop at the end of a text.

    Attributes:
        onset: First token of the second copy.
        block: Tokens of a block.
    """

    onset: int
    block: int


def block_of(period: int) -> int:
    """Tokens of the shortest block of at least MIN_BLOCK that repeats with this period.

    Example:
        >>> [block_of(p) for p in (1, 3, 4, 7)]
        [4, 6, 4, 7]
    """
    return period * -(-MIN_BLOCK // period)


def find_loop(ids: Sequence[int] | IntArray) -> Loop | None:
    """The loop that a text ends in; the shortest period counts.

    Example:
        >>> find_loop([9, 1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4])
        Loop(onset=5, block=4)
        >>> find_loop([1, 2, 3, 4, 1, 2, 3, 4, 5]) is None
        True
    """
    tokens = np.asarray(ids)
    n = len(tokens)
    for period in range(1, n // COPIES + 1):
        block = block_of(period)
        differ = np.flatnonzero(tokens[period:] != tokens[:-period])
        start = int(differ[-1]) + 1 if len(differ) else 0  # from here on the text has this period
        if n - start >= COPIES * block:
            return Loop(onset=start + block, block=block)
    return None


def repeats_somewhere(ids: Sequence[int] | IntArray) -> bool:
    """Whether a block stands COPIES times running anywhere.

    Example:
        >>> repeats_somewhere([1, 2, 3, 4] * 3 + [5]), repeats_somewhere([1, 2, 3, 4] * 2 + [5])
        (True, False)
    """
    tokens = np.asarray(ids)
    for period in range(1, len(tokens) // COPIES + 1):
        same = np.concatenate(([False], tokens[period:] == tokens[:-period], [False]))
        edges = np.flatnonzero(same[1:] != same[:-1])
        runs = edges[1::2] - edges[::2]
        if len(runs) and runs.max() + period >= COPIES * block_of(period):
            return True
    return False


def written_ids(text: Written) -> IntArray:
    """Tokens of a text without its end token."""
    return text.ids[:-1] if text.has_end else text.ids


@dataclass(frozen=True, slots=True, kw_only=True)
class Sorted:
    """Texts by what they do.

    Attributes:
        looping: Texts with their loops.
        ordinary: Texts that repeat no block anywhere.
        left_out: How many repeat a block but go on to something else.
    """

    looping: tuple[tuple[Written, Loop], ...]
    ordinary: tuple[Written, ...]
    left_out: int

    @property
    def texts(self) -> int:
        """All of them."""
        return len(self.looping) + len(self.ordinary) + self.left_out


def sort(texts: Sequence[Written]) -> Sorted:
    """Looping, ordinary, neither."""
    loops = [(t, find_loop(written_ids(t))) for t in texts]
    rest = [t for t, loop in loops if loop is None]
    ordinary = tuple(t for t in rest if not repeats_somewhere(written_ids(t)))
    return Sorted(
        looping=tuple((t, loop) for t, loop in loops if loop is not None),
        ordinary=ordinary,
        left_out=len(rest) - len(ordinary),
    )
