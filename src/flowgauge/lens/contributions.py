"""Contributions of earlier tokens to one position of the residual stream, in one layer.

Σ_j A_ij u_j + apart = what layer ℓ's mixer adds to the stream at i        (theory §8)
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from flowgauge.errors import ModelError, SettingsError
from flowgauge.lens.watching import LayerView, layer_numbers, run_once, watched_mixers
from flowgauge.models.protocol import LanguageModel, Pass
from flowgauge.records import IntArray

Float32Array = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contributions:
    """What one layer's mixer adds to the residual stream at one position, by token.

    Attributes:
        layer, position: Where, both from 0.
        heads: The heads that were summed; a channel of Mamba counts as a head.
        vectors: (source, width) A_ij u_j; 0 for tokens after the position.
        apart: (width,) the biases' part, which comes of no token.
        output: (width,) what the mixer adds: the vectors' sum over all heads, and `apart`.
    """

    layer: int
    position: int
    heads: tuple[int, ...]
    vectors: Float32Array
    apart: Float32Array
    output: Float32Array


class _One:
    """A tap that takes one position of one layer."""

    def __init__(self, layer: int, position: int, heads: Sequence[int] | None) -> None:
        self._layer, self._position, self._heads = layer, position, heads
        self.found: Contributions | None = None

    @contextmanager
    def watch(self, model: Any, here: Pass) -> Iterator[None]:
        with watched_mixers(model, layer_numbers(model, [self._layer]), self._visit):
            yield

    def _visit(self, view: LayerView) -> None:
        at, mixing = self._position, view.mixing
        here = slice(at, at + 1)
        heads = checked_heads(self._heads, mixing.heads)
        vectors, apart = mixing.vectors(at, heads), mixing.apart(here)[0]
        output, norm = view.output[at], view.norm_at(here)
        if norm is not None:
            vectors, apart = norm.image(vectors), norm.image(apart) + norm.bias
            output = norm.image(output) + norm.bias
        parts = [(view.join.factor * part).cpu().numpy() for part in (vectors, apart, output)]
        self.found = Contributions(
            layer=view.layer, position=at, heads=heads,
            vectors=parts[0], apart=parts[1], output=parts[2],
        )  # fmt: skip


def token_contributions(
    ids: IntArray,
    lm: LanguageModel,
    *,
    layer: int,
    position: int,
    heads: Sequence[int] | None = None,
) -> Contributions:
    """Contribution vectors A_ij u_j of one layer at one position of a text.

    Attention: A_ij = Σ_h π^h_ij W_O^h W_V^h. Mamba and Mamba-2: the scan's coefficients times gate,
    norm and convolution as observed, so that each token is given what it alone brought. A norm
    behind the mixer (Gemma) is taken at its observed scale. It is not what would change if the
    token were another one, for the coefficients depend on the tokens too.

    Args:
        ids: (token,) the text.
        lm: A transformers model.
        layer: Its number, from 0.
        position: i, from 0.
        heads: Which heads are summed; all for None.

    Raises:
        SettingsError: No such layer, position or head.
        ModelError: The model shows no inside, or its mixer is of no known kind.

    References:
        [bai:25] section V, Eq. 44 and 48.

    Example:
        >>> from flowgauge.models import load_model
        >>> lm = load_model("stories-260k")
        >>> ids = lm.tokenize("Once upon a time").ids
        >>> part = token_contributions(ids, lm, layer=0, position=3)
        >>> bool(np.allclose(part.vectors.sum(0) + part.apart, part.output, atol=1e-5))
        True
    """
    if not 0 <= position < len(ids):
        raise SettingsError(f"position {position} is none of the text's 0 to {len(ids) - 1}")
    tap = _One(layer, position, heads)
    with torch.inference_mode():
        run_once(ids, lm, 1, tap)
    if tap.found is None:
        raise shows_nothing(lm)
    return tap.found


def checked_heads(heads: Sequence[int] | None, count: int) -> tuple[int, ...]:
    """The heads asked for; all for None."""
    chosen = tuple(range(count)) if heads is None else tuple(sorted(set(heads)))
    if chosen and not 0 <= chosen[0] <= chosen[-1] < count:
        raise SettingsError(f"heads {list(chosen)} were asked for; 0 to {count - 1} were needed")
    return chosen


def shows_nothing(lm: LanguageModel) -> ModelError:
    """The error for a model without an inside."""
    return ModelError(
        f"{lm.name} shows nothing of its inside; the lens needs a transformers model "
        "(flowgauge.load_model with a preset, a folder or a Hugging Face id)"
    )
