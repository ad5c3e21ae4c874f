"""What a family model keeps between passes: keys and values, or the states of recurrent members.

    attention          keys and values, the stock layers of transformers (cropped to a window)
    other members      their state, of a size that does not grow

Several tokens may be read at once from any state. What the attention mask leaves out enters no
state; where a key stands is counted from the mask, so the mask must go back to the first token.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicLayer, DynamicSlidingWindowLayer

from flowgauge.architectures.attention import Attention
from flowgauge.architectures.family.blocks import Mix
from flowgauge.architectures.family.config import FamilyConfig
from flowgauge.architectures.tvvar import TVVAR
from flowgauge.errors import SettingsError, ShapeError


class RecurrentLayer:
    """The state of one recurrent member, behind what transformers asks of a layer of a cache.

    Attributes:
        recurrent_states: The member's state, its parts numbered, each (batch, ...); empty before
            the first token.
    """

    is_compileable = False
    is_croppable = False
    supports_early_init = False
    is_sliding = False

    def __init__(self) -> None:
        self.recurrent_states: dict[int, Tensor] = {}

    def extend(self, mixer: TVVAR, u: Tensor, mask: Tensor | None) -> Tensor:
        """Read u (batch, time, width) on; what the mixer puts out."""
        state = tuple(self.recurrent_states.values()) or mixer.initial_state(u.shape[0])
        if mask is None and u.shape[1] == 1:  # the quickest way to the same
            state, x = mixer.step(state, u[:, 0])
            out = x[:, None]
        else:
            state, out = mixer.extend(state, u, mask)
        self.recurrent_states = dict(enumerate(state))
        return out

    def reorder_cache(self, beam_idx: Tensor) -> None:
        """Go on with these rows, in this order."""
        self.batch_select_indices(beam_idx)

    def batch_select_indices(self, indices: Tensor) -> None:
        """Go on with these rows alone."""
        states = self.recurrent_states.items()
        self.recurrent_states = {k: s[indices.to(s.device)] for k, s in states}

    def batch_repeat_interleave(self, repeats: int) -> None:
        """Each row `repeats` times, side by side."""
        states = self.recurrent_states.items()
        self.recurrent_states = {k: s.repeat_interleave(repeats, dim=0) for k, s in states}

    def reset(self) -> None:
        """Forget everything."""
        self.recurrent_states = {}

    def get_max_length(self) -> int:
        """No limit, which transformers writes as −1."""
        return -1

    def crop(self, tokens_to_remove: int) -> None:
        """Refused: a state does not know what it was before.

        Raises:
            SettingsError: Always, but for 0 tokens.
        """
        if tokens_to_remove:
            raise SettingsError(
                "a recurrent state cannot forget its last tokens; keep a copy.deepcopy of the "
                "cache from before them"
            )


class FamilyCache(Cache):
    """The cache of a family model: for each layer what its mixer needs.

    Args:
        config: Of the model.

    Example:
        >>> cache = FamilyCache(FamilyConfig(mixers=["mamba", "attention"]))
        >>> [type(layer).__name__ for layer in cache.layers], cache.get_seq_length()
        (['RecurrentLayer', 'DynamicLayer'], 0)
    """

    def __init__(self, config: FamilyConfig) -> None:
        super().__init__(layers=[_layer(name, config.window) for name in config.mixers])
        self._tokens = 0

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Tokens that were read, those left out by a mask included."""
        return self._tokens

    def advance(self, tokens: int) -> None:
        """Count tokens that all layers have read."""
        self._tokens += tokens

    def crop(self, tokens_to_remove: int) -> None:
        """Forget the last tokens; transformers wants the number below 0.

        Raises:
            SettingsError: A layer is recurrent.
        """
        for layer in sorted(self.layers, key=lambda layer: layer.is_croppable):
            layer.crop(tokens_to_remove)
        self._tokens -= abs(tokens_to_remove)

    def reset(self) -> None:
        """Forget everything."""
        super().reset()
        self._tokens = 0


def _layer(name: str, window: int | None) -> Any:
    if name != "attention":
        return RecurrentLayer()
    return DynamicLayer() if window is None else DynamicSlidingWindowLayer(sliding_window=window)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Where the tokens of one pass stand, and what was read before them.

    Attributes:
        mask: (batch, time) which of them exist; None: all.
        places: (batch or 1, past + time) position of each token since the first, −1 where none is.
        cache: What was read before; None: nothing, and nothing is kept.
    """

    mask: Tensor | None
    places: Tensor
    cache: FamilyCache | None

    @classmethod
    def of(
        cls,
        u: Tensor,
        attention_mask: Tensor | None,
        position_ids: Tensor | None,
        cache: FamilyCache | None,
    ) -> "Reading":
        """From what a model of transformers is called with; u is (batch, time, width).

        Raises:
            SettingsError: The cache is of another kind, or positions are not those of the mask.
            ShapeError: The mask does not fit.
        """
        if cache is not None and not isinstance(cache, FamilyCache):
            raise SettingsError(
                f"the cache is a {type(cache).__name__}; a FamilyCache was needed, which "
                "FamilyCache(model.config) makes, or no cache and use_cache=True"
            )
        batch, time, _ = u.shape
        past = 0 if cache is None else cache.get_seq_length()
        mask, places = None, torch.arange(past + time, device=u.device)[None]
        if attention_mask is not None:
            exists = _checked(attention_mask, (batch, past + time), cache)
            if not bool(exists.all()):
                mask = exists[:, past:]
                places = (exists.cumsum(1) - 1).masked_fill(~exists, -1)
        if position_ids is not None:
            _check_positions(position_ids, places[:, past:])
        return cls(
            mask=None if mask is None or bool(mask.all()) else mask, places=places, cache=cache
        )

    def mix(self, number: int) -> Mix | None:
        """How the mixer of one layer is run; None: as it stands."""
        if self.cache is not None:
            return partial(self._on_cache, self.cache.layers[number])
        return None if self.mask is None else self._without_cache

    def _without_cache(self, mixer: TVVAR, u: Tensor) -> Tensor:
        return mixer.extend(mixer.initial_state(u.shape[0]), u, self.mask)[1]

    def _on_cache(self, layer: Any, mixer: TVVAR, u: Tensor) -> Tensor:
        if not isinstance(mixer, Attention):
            return layer.extend(mixer, u, self.mask)
        own = self.places[:, -u.shape[1] :]
        q, k, v = mixer.project(u, own.clamp(min=0))
        keys, values = layer.update(k, v)
        return mixer.attend((q, keys, values), own, self.places[:, -keys.shape[2] :])


def _checked(attention_mask: Tensor, needed: Sequence[int], cache: FamilyCache | None) -> Tensor:
    if attention_mask.shape != tuple(needed):
        raise ShapeError(
            f"attention_mask has shape {tuple(attention_mask.shape)}; (batch, tokens in the cache "
            f"and new tokens) = {tuple(needed)} was needed"
        )
    exists = attention_mask.bool()
    past = 0 if cache is None else cache.get_seq_length()
    if cache is not None and any(cache.is_sliding):
        holes = exists[:, : max(past - 1, 0)] & ~exists[:, 1:past]
        if bool(holes.any()):
            raise SettingsError(
                "attention_mask leaves out tokens behind others that are in the cache, which a "
                "window has cropped by their number; pad on the left, or use use_cache=False"
            )
    return exists


def _check_positions(position_ids: Tensor, own: Tensor) -> None:
    given = position_ids.expand(max(len(position_ids), len(own)), -1)
    if given.shape[1] != own.shape[1] or bool(((given != own) & (own >= 0)).any()):
        raise SettingsError(
            "position_ids are not those that attention_mask counts; leave them out (texts packed "
            "into one row are not supported: give each text a row)"
        )
