"""Direct effects: what each earlier token added to log P of each token written, layer by layer.

    effect(ℓ, j, i) = ⟨∂ log P(u_i)/∂x_i, A^ℓ_ij u_j⟩   [nats, to first order]

Two passes: the first finds the directions, the second reads the layers one after the other and
reduces each as it is made, so that no vector outlives its layer.

**Memory.** Beside the model's own pass: the result, 4·L·S·N bytes (L layers, S tokens fed, N of the
response); the directions, 4·N·width; of one layer at a time its values, 4·S·lags·channels twice
over, and single-precision copies of its projections; blocks of `ROWS` × S and of 64 × vocabulary.
Nothing of size time × time × width exists, nor a whole attention matrix.
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from flowgauge.errors import RecordError, SettingsError
from flowgauge.lens.contributions import Float32Array, checked_heads, shows_nothing
from flowgauge.lens.readout import FinalStates, readout_directions
from flowgauge.lens.watching import LayerView, layer_numbers, run_once, watched_mixers
from flowgauge.models.protocol import LanguageModel, Pass
from flowgauge.records import Tokens

#: Response positions that are reduced at a time: 64 × 4,000 source tokens are 1 MB.
ROWS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectEffects:
    """First-order effects of each earlier token on each response token.

    Attributes:
        layers: Numbers of the layers, from 0.
        values: (layer, source, response) [nats]. Source positions are those the model is fed:
            the prompt and the response but for its last token; 0 where one comes too late.
    """

    layers: tuple[int, ...]
    values: Float32Array


class _Reduce:
    """A tap that reduces each layer as it runs."""

    def __init__(
        self,
        directions: torch.Tensor,
        layers: tuple[int, ...],
        heads: dict[int, tuple[int, ...]] | None,
        source: int,
    ) -> None:
        self._directions, self._layers, self._heads = directions, layers, heads
        self.values = np.zeros((len(layers), source, len(directions)), dtype=np.float32)

    @contextmanager
    def watch(self, model: Any, here: Pass) -> Iterator[None]:
        with watched_mixers(model, self._layers, self._visit):
            yield

    def _visit(self, view: LayerView) -> None:
        place = self._layers.index(view.layer)
        asked = None if self._heads is None else self._heads.get(view.layer, ())
        heads = checked_heads(asked, view.mixing.heads)
        time, first = len(self._directions), len(view.output) - len(self._directions)
        for start in range(0, time, ROWS):
            here = slice(start, min(start + ROWS, time))
            times = slice(first + here.start, first + here.stop)
            toward = self._directions[here] * view.join.factor
            norm = view.norm_at(times)
            if norm is not None:
                toward = norm.pulled(toward)
            found = view.mixing.effects(times, toward, heads)
            self.values[place, :, here] = found.T.cpu().numpy()


def direct_effects(
    tokens: Tokens,
    lm: LanguageModel,
    *,
    layers: Sequence[int] | None = None,
    heads: Collection[tuple[int, int]] | None = None,
) -> DirectEffects:
    """Effect of each earlier token on log P of each response token, to first order [nats].

    The inner product of a contribution with ∂ log P(u_i)/∂x_i at the final state, exactly: what
    log P gains per unit of that contribution more. It follows the direct path alone, from a
    layer's mixer to the head. What later layers and feed-forward blocks make of a contribution is
    left out, so it is no causal effect, not what happens when the token is removed, and it does
    not sum up to log P or to the flow. Under a root-mean-square norm the stream's own direction
    has no effect at all.

    Args:
        tokens: A record's tokens; those of the prompted law are read.
        lm: A transformers model of a kind that `flowgauge.lens.mixers` knows.
        layers: Numbers of the layers, from 0; all for None.
        heads: (layer, head) pairs that are summed, such as `copy_heads(lm).heads`; all for None.

    Raises:
        RecordError: The response has no token, or nothing stands before it.
        SettingsError: No such layer or head.
        ModelError: The model shows no inside, or is of no known kind; says what is known.

    References:
        [elhage:21] for paths through the residual stream and direct logit attribution; theory §8.

    Example:
        >>> from flowgauge.models import load_model
        >>> from flowgauge.records import Record
        >>> from flowgauge.text import Omit, PlainTemplate, align
        >>> lm = load_model("stories-260k")
        >>> c = PlainTemplate().compose(Record(id="1", question="Once", response=" upon"), Omit())
        >>> direct_effects(align("1", c, " upon", lm), lm, layers=[0, 4]).values.shape[0]
        2
    """
    if not len(tokens.response_ids) or not len(tokens.prompt_ids):
        raise RecordError(
            f"record {tokens.record_id} has {len(tokens.prompt_ids)} prompt tokens and "
            f"{len(tokens.response_ids)} response tokens; the lens needs one of each at least"
        )
    fed = np.concatenate((tokens.prompt_ids, tokens.response_ids[:-1]))
    time = len(tokens.response_ids)
    final = FinalStates()
    with torch.inference_mode():
        states = run_once(fed, lm, time, final)
        if final.model is None:
            raise shows_nothing(lm)
        chosen = layer_numbers(final.model, layers)
        directions = readout_directions(final, states, tokens.response_ids, lm)
        tap = _Reduce(directions, chosen, _by_layer(heads, chosen), len(fed))
        run_once(fed, lm, time, tap)
    return DirectEffects(layers=chosen, values=tap.values)


def _by_layer(
    heads: Collection[tuple[int, int]] | None, layers: tuple[int, ...]
) -> dict[int, tuple[int, ...]] | None:
    """Heads by layer; None for all."""
    if heads is None:
        return None
    found: dict[int, tuple[int, ...]] = {}
    for layer, head in heads:
        if layer not in layers:
            raise SettingsError(
                f"head ({layer}, {head}) was asked for, but the layers read are {list(layers)}"
            )
        found[layer] = (*found.get(layer, ()), head)
    return found
