"""A law with a continuous cache over the source: what followed there, where the model was alike.

    P′_j = (1 − w) P_j + w C_j        C_j(v) = Σ_s softmax_s(κ cos(h_j − μ, h_s − μ)) [x_{s+1} = v]

h are hidden states at a share of the model's depth, s the source positions whose next token belongs
to the source too, μ the mean state of the source. Hidden states come from the passes that score
anyway. C_j is summed up at the end of each pass, so that no hidden state outlives its batch.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from flowgauge.errors import ModelError, SettingsError
from flowgauge.models.protocol import Batch, LanguageModel, Pass
from flowgauge.records import IntArray, Tokens
from flowgauge.scores.law import LawTap, Prompted, source_positions
from flowgauge.scores.plan import Context

#: Response positions compared with the source at a time: 64 × 4,000 source tokens are 1 MB.
ROWS = 64
#: Log-softmax of this many numbers at a time stays in the processor's cache.
SLICE_NUMBERS = 2**19


@dataclass(frozen=True, slots=True, kw_only=True)
class ContinuousCache:
    """P is the model's law mixed with a continuous cache over the source.

    A proper law over the whole vocabulary: it depends on the source and the tokens before j alone,
    so density, drift, variance, moments and alternatives are its own and the tests keep their
    level. A small model copies its source more readily under it. It needs no attention, so it
    serves state-space models too. Without a source (or with one of a single token) it is the
    model's own law; so it is with a model whose inside cannot be seen (`why_not`).

    It is not the law a text was drawn from: text that the model itself wrote followed P, so
    "not written from this source" is then evidence relative to P′, never exact.

    Args:
        weight: w, the cache's share of the law, between 0 and 1.
        sharpness: κ, how much nearer states count for more; above 0.
        depth: Share of the layers after which states are compared, above 0 and at most 1; the
            number of layers is rounded down.

    Raises:
        SettingsError: A parameter is outside its range.

    References:
        [grave:17] for the cache; here over the source alone, with centred cosines.

    Example:
        >>> ContinuousCache().name
        'continuous cache (weight 0.5, sharpness 20, depth 0.75)'
    """

    weight: float = 0.5
    sharpness: float = 20.0
    depth: float = 0.75

    def __post_init__(self) -> None:
        if not 0 < self.weight < 1:
            raise SettingsError(
                f"the cache's weight is {self.weight}, a share between 0 and 1 was needed; for "
                "weight 0 take the model's own law, ModelLaw()"
            )
        if not 0 < self.sharpness < math.inf:
            raise SettingsError(f"sharpness is {self.sharpness}, a number above 0 was needed")
        if not 0 < self.depth <= 1:
            raise SettingsError(f"depth is {self.depth}, a share above 0 and at most 1 was needed")

    @property
    def name(self) -> str:
        """How the manifest names it."""
        return (
            f"continuous cache (weight {self.weight:g}, sharpness {self.sharpness:g}, "
            f"depth {self.depth:g})"
        )

    @property
    def is_own(self) -> bool:
        """It is not: what the model writes follows P, not P′."""
        return False

    def context(self, tokens: Tokens, continuation: IntArray) -> Prompted:
        """The prompt, the continuation, and where the source stands."""
        return Prompted(tokens.prompt_ids, continuation, source_positions(tokens))

    def tap(self, contexts: Sequence[Context], lm: LanguageModel) -> LawTap:
        """The law at work on these contexts.

        Raises:
            SettingsError: A context does not say where its source stands.
        """
        sources = []
        for number, context in enumerate(contexts):
            if not isinstance(context, Prompted):
                raise SettingsError(
                    f"context {number} does not say where its source stands, which the law "
                    f"{self.name} must know; make it with law.context(tokens, continuation)"
                )
            sources.append(_Source.of(context, lm.vocabulary_size))
        return _Watch(sources, self)

    def why_not(self, lm: LanguageModel) -> str:
        """Why P stays the model's own law with this model; empty where it does not.

        Example:
            >>> from flowgauge.models import TabularModel
            >>> world = TabularModel.random(sources=2, vocabulary=3, length=2, seed=0)
            >>> ContinuousCache().why_not(world)
            'tabular shows no hidden states, so there is no cache and P is its own law'
        """
        two = np.zeros(2, dtype=np.int64)
        tap = _Watch([_Source.of(Prompted(two, two[:1], np.arange(2)), 1)], self)
        lm.states(Batch(two[:0], (two,), (1,)), tap)
        if tap.has_seen:
            return ""
        return f"{lm.name} shows no hidden states, so there is no cache and P is its own law"


@dataclass(frozen=True, slots=True)
class _Source:
    """Positions (source,) in the prompt; which are cached; the distinct tokens that follow them.

    `place` (source,) says which of `ids` follows each position, 0 where it is not cached.
    """

    positions: IntArray
    is_cached: torch.Tensor
    ids: torch.Tensor
    place: torch.Tensor

    @classmethod
    def of(cls, context: Prompted, vocabulary: int) -> "_Source":
        """What a context's source holds; tokens outside the output vocabulary take no part."""
        at, prefix = context.source, context.prefix
        following = prefix[np.minimum(at + 1, len(prefix) - 1)]
        is_cached = np.isin(at + 1, at) & (following < vocabulary)
        ids, place = np.unique(following[is_cached], return_inverse=True)
        places = np.zeros(len(at), dtype=np.int64)
        places[is_cached] = place
        return cls(at, *map(torch.from_numpy, (is_cached, ids, places)))


@dataclass(frozen=True, slots=True)
class _Keys:
    """μ (width,) and the centred states of the source, each of length 1: (source, width)."""

    mean: torch.Tensor
    unit: torch.Tensor

    @classmethod
    def of(cls, states: torch.Tensor) -> "_Keys":
        """From the states (source, width), which are written over."""
        mean = states.mean(0)
        return cls(mean, _to_length_one(states.sub_(mean)))


def _to_length_one(x: torch.Tensor) -> torch.Tensor:
    """Each row divided by its length, in place; a row of zeros stays."""
    return x.div_(x.norm(dim=-1, keepdim=True).clamp_min(torch.finfo(x.dtype).tiny))


class _Watch:
    """The law at work on one group of contexts."""

    def __init__(self, sources: Sequence[_Source], law: ContinuousCache) -> None:
        self._sources = sources
        self._law = law
        self._cache: dict[int, torch.Tensor] = {}  # (time, ids) C_j of the tokens that can follow
        self._before: dict[bytes, torch.Tensor] = {}  # states in the shared prefix, by positions
        self._keys: dict[bytes, _Keys] = {}  # of sources that lie wholly in it
        self.has_seen = False

    @contextmanager
    def watch(self, model: Any, here: Pass) -> Iterator[None]:
        """Take one layer's states during one pass, and make of them what is needed."""
        from flowgauge.models.hidden import layer_at, watched_layer

        seen: list[torch.Tensor] = []
        layer = layer_at(model, self._law.depth)
        with watched_layer(model, layer, seen.append):
            yield
        rows = len(here.rows) if here.keep else 1
        if len(seen) != 1 or seen[0].shape[:2] != (rows, max(here.lengths)):
            raise ModelError(
                f"layer {layer} of {type(model).__name__} put out "
                f"{[tuple(s.shape) for s in seen]} in one pass; one tensor ({rows}, "
                f"{max(here.lengths)}, width) was needed"
            )
        self.has_seen = True
        with torch.inference_mode():
            states = seen.pop()
            if here.keep:
                self._read_rows(states, here)
            else:
                self._read_prefix(states[0], here)

    def _read_prefix(self, states: torch.Tensor, here: Pass) -> None:
        self._before, self._keys = {}, {}
        for context in here.rows:
            positions = self._watched(context)
            if len(positions) and positions.tobytes() not in self._before:
                inside = positions[positions < len(states)]
                self._before[positions.tobytes()] = _floats(states[inside])

    def _read_rows(self, states: torch.Tensor, here: Pass) -> None:
        if not here.past:
            self._before, self._keys = {}, {}
        for row, context in enumerate(here.rows):
            if not len(self._watched(context)) or not len(self._sources[context].ids):
                continue
            keys = self._keys_of(self._sources[context].positions, states[row], here.past)
            end, time = here.lengths[row], here.keep[row]
            response = states[row, end - time : end]
            self._cache[context] = self._followers(response, keys, self._sources[context])

    def _watched(self, context: int) -> IntArray:
        """Positions of the source of a context; none for those of the reference law."""
        is_watched = context < len(self._sources)
        return self._sources[context].positions if is_watched else np.zeros(0, dtype=np.int64)

    def _keys_of(self, positions: IntArray, states: torch.Tensor, past: int) -> _Keys:
        later = positions[positions >= past] - past
        if not past:
            return _Keys.of(_floats(states[later]))
        key = positions.tobytes()
        if len(later):
            return _Keys.of(torch.cat((self._before[key], _floats(states[later]))))
        if key not in self._keys:
            self._keys[key] = _Keys.of(self._before.pop(key))
        return self._keys[key]

    def _followers(self, response: torch.Tensor, keys: _Keys, source: _Source) -> torch.Tensor:
        """(time, ids) C_j of each token that can follow."""
        device = response.device
        is_cached, place = source.is_cached.to(device), source.place.to(device)
        out = torch.zeros(len(source.ids), len(response), dtype=keys.unit.dtype, device=device)
        for start in range(0, len(response), ROWS):
            queries = _to_length_one(_floats(response[start : start + ROWS]) - keys.mean)
            cosines = keys.unit @ queries.T
            cosines[~is_cached] = -torch.inf
            weights = torch.softmax(self._law.sharpness * cosines, dim=0)
            out[:, start : start + len(queries)].index_add_(0, place, weights)
        return out.T

    def change(self, logits: torch.Tensor, context: int, times: slice) -> None:
        """Mix the cache into the model's rows, in place: only tokens of the source move.

        With Z the normaliser, P′ ∝ e^{x_v} + w/(1 − w) · Z · C(v).
        """
        cache = self._cache.get(context)
        if cache is None:
            return
        ids = self._sources[context].ids.to(logits.device)
        odds = math.log(self._law.weight) - math.log1p(-self._law.weight)
        more = cache[times].to(logits.device).log() + (_log_normaliser(logits) + odds)[:, None]
        logits[:, ids] = torch.logaddexp(logits[:, ids].to(more.dtype), more).to(logits.dtype)


def _floats(x: torch.Tensor) -> torch.Tensor:
    """At least single precision."""
    return x if x.dtype == torch.float64 else x.float()


def _log_normaliser(logits: torch.Tensor) -> torch.Tensor:
    """(rows,) log Σ exp of each row; `torch.logsumexp` is several times slower."""
    out = []
    few = max(1, SLICE_NUMBERS // logits.shape[1])
    for start in range(0, len(logits), few):
        part = _floats(logits[start : start + few])
        out.append(part.amax(-1) - torch.log_softmax(part, -1).amax(-1))
    return torch.cat(out)
