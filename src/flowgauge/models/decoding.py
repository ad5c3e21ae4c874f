"""Several texts written side by side, one token each a step, whatever stands before them.

    prefixes read one by one  →  caches joined, shorter ones padded on the left  →  one pass a step

Reading the weights is what a step costs on most machines, so two rows (a prompt and its reference)
cost little more than one. Padded keys are masked; each row keeps its own positions, and sliding
windows stay right because distances to earlier keys are unchanged. A model whose caches cannot be
joined in this way is stepped row by row.
"""

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from transformers.cache_utils import DynamicLayer

from flowgauge.errors import RecordError
from flowgauge.models.quiet import quiet_transformers
from flowgauge.records import IntArray

#: Tokens that a cache has room for before it is copied again.
ROOM = 64


class JoinedDecoder:
    """Rows in one batch with one cache.

    Args:
        forward: Function (ids (row, time), keywords) → (states (row, width) of the last position,
            cache).
        prefixes: Ids before each row; none is empty.

    Attributes:
        states: (row, width) of each row's last position.
    """

    def __init__(self, forward: Any, prefixes: Sequence[IntArray]) -> None:
        check_prefixes(prefixes)
        self._forward = forward
        with torch.inference_mode(), quiet_transformers():
            place: dict[bytes, int] = {}
            rows = [place.setdefault(p.tobytes(), len(place)) for p in prefixes]
            firsts = [rows.index(k) for k in range(len(place))]
            read = [forward(torch.from_numpy(prefixes[i])[None], {}) for i in firsts]
            self.states: torch.Tensor = torch.cat([read[k][0] for k in rows])
            self._lengths = torch.tensor([len(p) for p in prefixes])
            caches = [cache for _, cache in read]
            # A row alone keeps its cache as the model made it, whatever the layers hold.
            first = rows[int(self._lengths.argmax())]
            self._cache = caches[0] if len(rows) == 1 else joined(caches, rows, longest=first)
        self._is_attention = any(hasattr(layer, "keys") for layer in self._cache.layers)
        most = int(self._lengths.max())
        self._mask = (torch.arange(most) >= most - self._lengths[:, None]).long()

    def step(self, ids: IntArray) -> torch.Tensor:
        """Append one token to each row; states (row, width) of it."""
        more: dict[str, Any] = {"cache": self._cache}
        self._mask = torch.cat((self._mask, torch.ones(len(ids), 1, dtype=torch.int64)), 1)
        if self._is_attention and not bool(self._mask.all()):
            more |= {"attention_mask": self._mask, "position_ids": self._lengths[:, None]}
        with torch.inference_mode(), quiet_transformers():
            self.states, self._cache = self._forward(torch.from_numpy(ids)[:, None], more)
        self._lengths = self._lengths + 1
        return self.states

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with these rows alone, in this order."""
        which = torch.tensor(list(rows), dtype=torch.int64)
        with torch.inference_mode():
            self._cache = joined([self._cache], list(rows), select=True)
        self.states, self._lengths = self.states[which], self._lengths[which]
        self._mask = self._mask[which]


class SeparateDecoder:
    """Rows one after the other, each with a cache of its own; the same numbers, slower."""

    def __init__(self, forward: Any, prefixes: Sequence[IntArray]) -> None:
        check_prefixes(prefixes)
        self._rows = [JoinedDecoder(forward, [p]) for p in prefixes]

    @property
    def states(self) -> torch.Tensor:
        """(row, width) of each row's last position."""
        return torch.cat([row.states for row in self._rows])

    def step(self, ids: IntArray) -> torch.Tensor:
        """Append one token to each row; states (row, width) of it."""
        for row, one in zip(self._rows, ids, strict=True):
            row.step(np.array([one], dtype=np.int64))
        return self.states

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with these rows alone, in this order."""
        self._rows = [self._rows[i] for i in rows]


def check_prefixes(prefixes: Sequence[IntArray]) -> None:
    """An error where nothing stands before a row."""
    for i, prefix in enumerate(prefixes):
        if not len(prefix):
            raise RecordError(
                f"row {i} has nothing before its first token; at least one token was needed"
            )


def joined(
    caches: Sequence[Any], rows: Sequence[int], *, longest: int = 0, select: bool = False
) -> Any:
    """One cache whose row r is that of `caches[rows[r]]`, padded on the left.

    `longest` is the place of the cache that has read most tokens. With `select`, `caches` is one
    cache and `rows` are rows of it.

    Raises:
        TypeError: A layer holds neither keys and values nor recurrent states.
    """
    out = copy.copy(caches[longest])
    out.layers = [copy.copy(layer) for layer in caches[longest].layers]
    for i, layer in enumerate(out.layers):
        same = [c.layers[i] for c in caches]
        known = False
        for name in ("keys", "values"):
            if isinstance(getattr(layer, name, None), torch.Tensor):
                setattr(layer, name, _rows_of([getattr(s, name) for s in same], rows, select, True))
                known = True
        for name in ("conv_states", "recurrent_states"):
            states = getattr(layer, name, None)
            if isinstance(states, dict):
                parts = {k: [getattr(s, name)[k] for s in same] for k in states}
                found = {
                    k: None if p[0] is None else _rows_of(p, rows, select, False)
                    for k, p in parts.items()
                }
                setattr(layer, name, found)
                known = True
        if not known:
            raise TypeError(f"a cache layer is {type(layer).__name__}")
        if type(layer) in (DynamicLayer, RoomyLayer):
            out.layers[i] = RoomyLayer.of(layer)
    return out


class RoomyLayer(DynamicLayer):
    """Keys and values with room to grow: a token is written in its place, nothing is copied.

    The stock layer makes a longer copy of everything at each token, which costs time and leaves
    memory full of holes.
    """

    keys: torch.Tensor
    values: torch.Tensor

    @classmethod
    def of(cls, layer: DynamicLayer) -> "RoomyLayer":
        """A layer that holds what `layer` holds."""
        roomy = cls()
        roomy.__dict__.update(layer.__dict__)
        roomy._make_room(ROOM)
        return roomy

    def _make_room(self, more: int) -> None:
        self._stores = [
            torch.nn.functional.pad(x, (0, 0, 0, more)) for x in (self.keys, self.values)
        ]
        n = self.keys.shape[2]
        self.keys, self.values = (store[:, :, :n] for store in self._stores)

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Append keys and values (row, head, time, width); all of them so far."""
        n, more = self.keys.shape[2], key_states.shape[2]
        if n + more > self._stores[0].shape[2]:
            self._make_room(more + ROOM)
        for store, new in zip(self._stores, (key_states, value_states), strict=True):
            store[:, :, n : n + more] = new
        self.keys, self.values = (store[:, :, : n + more] for store in self._stores)
        return self.keys, self.values


def _rows_of(
    parts: list[torch.Tensor], rows: Sequence[int], select: bool, is_padded: bool
) -> torch.Tensor:
    if select:
        return parts[0][list(rows)]
    if is_padded:  # (1, head, time, width)
        longest = max(p.shape[2] for p in parts)
        parts = [torch.nn.functional.pad(p, (0, 0, longest - p.shape[2], 0)) for p in parts]
    return torch.cat([parts[k] for k in rows])
