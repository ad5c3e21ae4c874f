"""Linear layers for two rows: a prompt and its reference, one token each.

Reading the weights is all the work there is, yet x Wᵀ with two rows takes twice as long as with one
in the matrix libraries of today's processors, and W xᵀ does not. Both are the same sums.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from types import MethodType
from typing import Any

import torch
from torch.nn.functional import linear

ROWS = 2


def narrow_linear(
    x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None
) -> torch.Tensor:
    """Product x Wᵀ + b for two rows of x, whatever the axes before the last.

    Example:
        >>> x, w = torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([[1.0, 1.0]])
        >>> narrow_linear(x, w).tolist()
        [[3.0], [7.0]]
    """
    flat = torch.mm(weight, x.reshape(ROWS, -1).T).T.contiguous()
    if bias is not None:
        flat = flat + bias
    return flat.reshape(*x.shape[:-1], len(weight))


def is_narrow(x: torch.Tensor, weight: torch.Tensor) -> bool:
    """Whether `narrow_linear` is meant for these, and faster here."""
    if x.numel() != ROWS * x.shape[-1] or weight.dtype != torch.float32:
        return False
    return weight.device.type == "cpu" and narrow_is_faster()


@cache
def narrow_is_faster() -> bool:
    """Whether this processor's library multiplies two rows faster the other way round."""
    # As wide as a model's layers and more than a core's cache, so that memory is what is timed.
    weights = [torch.ones(2048, 1024) for _ in range(8)]
    x = torch.ones(ROWS, 1024)

    def seconds(way: Callable[..., torch.Tensor]) -> float:
        best = float("inf")
        for _ in range(3):
            start = time.perf_counter()
            for weight in weights:
                way(x, weight)
            best = min(best, time.perf_counter() - start)
        return best

    with torch.inference_mode():
        return seconds(narrow_linear) < seconds(linear)


@contextmanager
def narrow_linears(layers: Sequence[Any]) -> Iterator[None]:
    """Within it the linear layers multiply two rows the other way round; afterwards as before."""

    def forward(self: Any, x: torch.Tensor) -> torch.Tensor:
        if x.numel() == ROWS * x.shape[-1]:
            return narrow_linear(x, self.weight, self.bias)
        return linear(x, self.weight, self.bias)

    try:
        for layer in layers:
            layer.forward = MethodType(forward, layer)
        yield
    finally:
        for layer in layers:
            layer.__dict__.pop("forward", None)
