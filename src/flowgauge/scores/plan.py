"""Which rows go through the model together: shared prefixes once, equal lengths side by side.

A plan depends on the tokens and the settings alone, so the same rows always give the same numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from flowgauge.models.protocol import Batch
from flowgauge.records import IntArray

#: A shared prefix shorter than this is not worth a pass of its own.
MIN_SHARED = 32
#: A row may be padded by this share of its length to join a batch.
MAX_PADDING = 0.15


@dataclass(frozen=True, slots=True)
class Context:
    """One continuation to score after one prefix."""

    prefix: IntArray
    continuation: IntArray

    @property
    def fed(self) -> IntArray:
        """What the model reads: everything but the last token."""
        return np.concatenate((self.prefix, self.continuation[:-1]))


@dataclass(frozen=True, slots=True)
class PlannedBatch:
    """A batch and the contexts its rows belong to."""

    batch: Batch
    contexts: tuple[int, ...]


def _common(a: IntArray, b: IntArray) -> int:
    n = min(len(a), len(b))
    differ = np.flatnonzero(a[:n] != b[:n])
    return int(differ[0]) if len(differ) else n


def _shared_groups(contexts: Sequence[Context]) -> list[tuple[list[int], int]]:
    """Contexts in lexicographic order, grouped greedily where sharing saves more tokens."""
    order = sorted(range(len(contexts)), key=lambda i: contexts[i].prefix.tolist())
    groups: list[tuple[list[int], int]] = []
    for i in order:
        prefix = contexts[i].prefix
        if groups:
            members, shared = groups[-1]
            common = min(_common(contexts[members[-1]].prefix, prefix), len(prefix) - 1, shared)
            if common >= MIN_SHARED and len(members) * common >= (len(members) - 1) * shared:
                groups[-1] = ([*members, i], common)
                continue
        groups.append(([i], max(len(prefix) - 1, 0)))
    return groups


def _packs(lengths: Sequence[int], batch_tokens: int) -> list[list[int]]:
    """Indices packed by length, longest first, each pack at most `batch_tokens` when padded."""
    packs: list[list[int]] = []
    longest = 0
    for i in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        fits = (
            packs
            and longest * (len(packs[-1]) + 1) <= batch_tokens
            and lengths[i] >= (1 - MAX_PADDING) * longest
        )
        if not fits:
            packs.append([])
            longest = lengths[i]
        packs[-1].append(i)
    return packs


def plan(
    contexts: Sequence[Context], *, batch_tokens: int, share_prefixes: bool
) -> list[PlannedBatch]:
    """Batches that cover every context once.

    Args:
        contexts: What is to be scored; empty continuations are left out.
        batch_tokens: Most tokens (padding included) of one pass.
        share_prefixes: Whether prefixes may be computed once for several rows.
    """
    todo = [i for i, c in enumerate(contexts) if len(c.continuation)]
    alone: list[int] = []
    out: list[PlannedBatch] = []
    if share_prefixes:
        for members, shared in _shared_groups([contexts[i] for i in todo]):
            group = [todo[m] for m in members]
            if len(group) == 1:
                alone += group
                continue
            prefix = contexts[group[0]].prefix[:shared]
            lengths = [len(contexts[i].fed) - shared for i in group]
            out.append(_batch(contexts, prefix, group, _packs(lengths, batch_tokens)))
    else:
        alone = todo
    none = np.zeros(0, dtype=np.int64)
    for pack in _packs([len(contexts[i].fed) for i in alone], batch_tokens):
        out.append(_batch(contexts, none, alone, [pack]))
    return out


def _batch(
    contexts: Sequence[Context], shared: IntArray, group: list[int], packs: list[list[int]]
) -> PlannedBatch:
    members = tuple(group[j] for pack in packs for j in pack)
    rows = tuple(contexts[i].fed[len(shared) :] for i in members)
    keep = tuple(len(contexts[i].continuation) for i in members)
    return PlannedBatch(Batch(shared, rows, keep, tuple(map(len, packs))), members)
