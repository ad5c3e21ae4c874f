"""The mixers of a model watched during one pass over one text: each layer is shown as it runs.

Hooks and the watching attention are gone afterwards, also when the pass raises. Only one layer's
`Mixing` exists at a time, unless the visitor keeps it.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from flowgauge.errors import ModelError, SettingsError
from flowgauge.lens.mixers import Adapter, Join, Mixing, find_mixer
from flowgauge.lens.norms import ObservedNorm
from flowgauge.models.attention import Seen, watched_attention
from flowgauge.models.hidden import find_layers
from flowgauge.models.protocol import Batch, LanguageModel, Tap
from flowgauge.records import IntArray


@dataclass(frozen=True, slots=True)
class LayerView:
    """One layer after its mixer ran.

    Args:
        layer: Its number, from 0.
        mixing: What it mixed.
        output: (time, width) what its mixer put out, float32.
        join: How that joins the residual stream.
    """

    layer: int
    mixing: Mixing
    output: torch.Tensor
    join: Join

    def norm_at(self, times: slice) -> ObservedNorm | None:
        """The norm that the output goes through, at some rows; None where there is none."""
        if self.join.norm is None:
            return None
        dtype = next(self.join.norm.parameters()).dtype
        return ObservedNorm.of(self.join.norm, self.output[times].to(dtype))


Visitor = Callable[[LayerView], None]


def run_once(ids: IntArray, lm: LanguageModel, keep: int, tap: Tap) -> torch.Tensor:
    """States (keep, width) of one text, run whole and alone, with a tap."""
    [states] = lm.states(Batch(np.zeros(0, dtype=np.int64), (ids,), (keep,)), tap)
    return states


def layer_numbers(model: Any, layers: Sequence[int] | None) -> tuple[int, ...]:
    """The layers asked for, from 0, rising; all of them for None.

    Raises:
        SettingsError: A number is none of the model's, or none is given.
    """
    depth = len(find_layers(model))
    chosen = tuple(range(depth)) if layers is None else tuple(sorted(set(layers)))
    if not chosen or chosen[0] < 0 or chosen[-1] >= depth:
        raise SettingsError(
            f"layers {list(chosen)} were asked for; numbers from 0 to {depth - 1} were needed"
        )
    return chosen


@contextmanager
def watched_mixers(model: Any, layers: Sequence[int], visit: Visitor) -> Iterator[None]:
    """Within it, `visit` is shown each of `layers` as it runs; the pass must hold one row.

    Raises:
        ModelError: A layer's mixer is of no known kind, or what was read of it does not sum up to
            what it put out.
    """
    shown: dict[int, Seen] = {}

    def look(seen: Seen) -> None:
        if seen.layer in layers:
            shown[seen.layer] = seen

    def show(number: int, layer: Any, adapter: Adapter) -> Any:
        def hook(mixer: Any, args: Any, kwargs: Any, output: Any) -> None:
            states = kwargs["hidden_states"] if "hidden_states" in kwargs else args[0]
            put_out = (output[0] if isinstance(output, tuple) else output)[0]
            mixing = adapter.read(mixer, states[0].float(), shown.pop(number, None))
            _check(mixer, number, mixing, put_out)
            visit(LayerView(number, mixing, put_out.float(), adapter.join(layer)))

        return hook

    with ExitStack() as stack:
        modules = find_layers(model)
        found = {number: find_mixer(modules[number]) for number in layers}
        for number, (mixer, adapter) in found.items():
            hook = show(number, modules[number], adapter)
            stack.callback(mixer.register_forward_hook(hook, with_kwargs=True).remove)
        if any(adapter.needs_attention for _, adapter in found.values()):
            stack.enter_context(watched_attention(model, look))
        yield


def _check(mixer: Any, number: int, mixing: Mixing, output: torch.Tensor) -> None:
    """Compare the last row: a mixer that does more than its adapter knows is refused."""
    last = slice(len(output) - 1, len(output))
    own = output[last].float()
    error = float((mixing.output(last) - own).norm() / own.norm().clamp_min(1e-12))
    tolerance = 1e-3 if output.dtype in (torch.float32, torch.float64) else 0.05
    if not error <= tolerance:
        raise ModelError(
            f"what was read of {type(mixer).__name__} in layer {number} is {error:.2g} off what it "
            f"put out (relative, at most {tolerance:g} is let pass): it does something its adapter "
            "does not know; see flowgauge.lens.mixers.register"
        )
