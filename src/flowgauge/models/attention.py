"""Attention weights of a few heads and rows, taken while a transformers model runs its own passes.

A registered attention function calls the model's stock one and hands query, key and mask to a
watcher; the mask of the stock function is registered with it, for a function without a mask makes
a model silently non-causal. The model's own setting is put back when the watching ends.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import torch
import transformers

from flowgauge.models.quiet import quiet_transformers


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one layer's attention was called with.

    Attributes:
        layer: Number of the layer.
        query: (batch, heads, time, width), positions applied.
        key: (batch, key heads, keys, width), cached ones first; the last is the last token fed.
        mask: Boolean or additive (batch, 1, time, keys), or None for plain causality.
        scaling: Factor of the products.
        window: How far back a query looks, or None.
        more: The family's other arguments (soft cap, sinks, position bias).
    """

    layer: int
    query: torch.Tensor
    key: torch.Tensor
    mask: torch.Tensor | None
    scaling: float
    window: int | None
    more: dict[str, Any]

    def weights(self, row: int, head: int, times: slice) -> torch.Tensor:
        """Attention (times, keys) of one head's queries, as the model's eager form has it."""
        groups = self.query.shape[1] // self.key.shape[1]
        key = self.key[row, head // groups].float()
        z = (self.query[row, head, times].float() @ key.T) * self.scaling
        cap = self.more.get("softcap")
        if cap is not None:
            z = torch.tanh(z / cap) * cap
        bias = self.more.get("position_bias")
        if bias is not None:
            z = z + bias[min(row, bias.shape[0] - 1), head, times].float()
        z = self._masked(z, row, times)
        sinks = self.more.get("s_aux")
        if sinks is None:
            return torch.softmax(z, dim=-1)
        sink = sinks.reshape(-1)[head].float().expand(len(z), 1)
        return torch.softmax(torch.cat((z, sink), dim=-1), dim=-1)[:, :-1]

    def _masked(self, z: torch.Tensor, row: int, times: slice) -> torch.Tensor:
        # Flash attention gets a mask of two axes, for padding; rows here are padded on the right.
        if self.mask is not None and self.mask.ndim == 4:
            mask = self.mask[min(row, self.mask.shape[0] - 1), 0, times, : z.shape[-1]]
            if mask.dtype == torch.bool:
                return z.masked_fill(~mask, -torch.inf)
            return z + mask.float()
        keys = torch.arange(z.shape[-1], device=z.device)
        first = self.key.shape[2] - self.query.shape[2]
        queries = torch.arange(self.query.shape[2], device=z.device)[times, None] + first
        hidden = keys > queries
        if self.window is not None:
            hidden |= keys <= queries - self.window
        return z.masked_fill(hidden, -torch.inf)


Watcher = Callable[[Seen], None]
_watcher: ContextVar[Watcher | None] = ContextVar("flowgauge_watcher", default=None)


def can_watch(model: Any) -> bool:
    """Whether the model's attention goes through the library's interface."""
    return bool(model._can_set_attn_implementation())


@contextmanager
def watched_attention(model: Any, watcher: Watcher) -> Iterator[None]:
    """Within it, every attention layer of `model` shows `watcher` what it is called with."""
    stock = str(model.config._attn_implementation)
    name = _registered(stock)
    token = _watcher.set(watcher)
    with quiet_transformers():
        model.set_attn_implementation(name)
    try:
        yield
    finally:
        _watcher.reset(token)
        with quiet_transformers():
            model.set_attn_implementation(stock)


def _registered(stock: str) -> str:
    """Name of the watching twin of a stock attention, registered once with the stock's mask."""
    from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS

    name = f"flowgauge_{stock}"
    known = transformers.AttentionInterface()
    if name in known.valid_keys():
        return name

    def attend(
        module: Any, query: Any, key: Any, value: Any, attention_mask: Any, **more: Any
    ) -> Any:
        out = _stock_function(stock, module)(module, query, key, value, attention_mask, **more)
        watcher = _watcher.get()
        if watcher is not None and getattr(module, "layer_idx", None) is not None:
            scaling = more.get("scaling")
            watcher(
                Seen(
                    layer=int(module.layer_idx),
                    query=query,
                    key=key,
                    mask=attention_mask,
                    scaling=float(query.shape[-1] ** -0.5 if scaling is None else scaling),
                    window=more.get("sliding_window"),
                    more=more,
                )
            )
        return out

    transformers.AttentionInterface.register(name, attend)
    if stock in ALL_MASK_ATTENTION_FUNCTIONS.valid_keys():
        mask = ALL_MASK_ATTENTION_FUNCTIONS[stock]
        transformers.AttentionMaskInterface.register(name, mask)
    return name


def _stock_function(stock: str, module: Any) -> Any:
    """The attention the model would have run; "eager" is a function of the model's own file."""
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

    if stock == "eager":
        return sys.modules[type(module).__module__].eager_attention_forward
    return ALL_ATTENTION_FUNCTIONS[stock]
