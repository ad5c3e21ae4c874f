"""The output of one layer, taken while a transformers model runs its own passes.

    embeddings → layer 1 → layer 2 → … → layer L → head
                         ↑ a forward hook; the pass itself is as it was

Layers are found by what every causal model of the library has: one list of as many modules as its
configuration has layers. Attention blocks, state-space blocks and mixtures of experts are alike.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from flowgauge.errors import ModelError

HiddenWatcher = Callable[[torch.Tensor], None]


def find_layers(model: Any) -> torch.nn.ModuleList:
    """The layers of a transformers causal model, first to last.

    Of several lists of the right length the outermost counts (a layer may hold as many experts).

    Args:
        model: Any `PreTrainedModel`.

    Raises:
        ModelError: No such list, or several side by side; names what was looked for.
    """
    body = model.base_model
    depth = getattr(model.config.get_text_config(), "num_hidden_layers", None)
    lists = [
        (name, m) for name, m in body.named_modules() if isinstance(m, torch.nn.ModuleList) and name
    ]
    fitting = [(name, m) for name, m in lists if len(m) == depth and depth]
    outermost = min((name.count(".") for name, _ in fitting), default=0)
    found = [(name, m) for name, m in fitting if name.count(".") == outermost]
    if len(found) == 1:
        return found[0][1]
    seen = ", ".join(f"{name} ({len(m)})" for name, m in lists) or "none"
    raise ModelError(
        f"the layers of {type(model).__name__} cannot be told: one torch.nn.ModuleList with "
        f"config.num_hidden_layers = {depth} modules was looked for in its "
        f"{type(body).__name__}; its lists are: {seen}"
    )


def layer_at(model: Any, depth: float) -> int:
    """Number of the layer, from 1, at a share of the model's depth, rounded down.

    Args:
        model: Any `PreTrainedModel`.
        depth: Share of the layers that have run, above 0 and at most 1.
    """
    return max(1, math.floor(depth * len(find_layers(model))))


@contextmanager
def watched_layer(model: Any, number: int, watcher: HiddenWatcher) -> Iterator[None]:
    """Within it, `watcher` is shown what layer `number` puts out, (batch, time, width).

    The hook is gone afterwards, also when the pass raises.

    Args:
        model: Any `PreTrainedModel`.
        number: Of the layer, from 1.
        watcher: Called once a pass; what it is shown must not be written to.

    Raises:
        ModelError: The layers cannot be found, or the layer's output is something else.
    """
    layer = find_layers(model)[number - 1]

    def look(module: Any, inputs: Any, output: Any) -> None:
        states = output[0] if isinstance(output, tuple) else output
        if not isinstance(states, torch.Tensor) or states.ndim != 3:
            shape = getattr(states, "shape", type(states).__name__)
            raise ModelError(
                f"layer {number} of {type(model).__name__} puts out {shape}; hidden states "
                "(batch, time, width) were needed"
            )
        watcher(states)

    handle = layer.register_forward_hook(look)
    try:
        yield
    finally:
        handle.remove()
