"""Attention with separate projections and the library's function: A = Σ_h π^h W_O^h W_V^h.

Llama, Gemma, Mixtral, Qwen … name them `v_proj` and `o_proj`. The weights π are those of
`models/attention.py`: softmax, mask, sliding window, soft cap and sinks as the model has them.
"""

from typing import Any

import torch

from flowgauge.errors import ModelError
from flowgauge.lens.mixers.adapter import Adapter, Join, bias_of, matrix
from flowgauge.lens.mixers.mixing import Mixing, Weights
from flowgauge.models.attention import Seen


def softmax_weights(mixer: Any, seen: Seen | None) -> tuple[int, Weights]:
    """Number of heads and π of the first row that an attention function was shown.

    Raises:
        ModelError: The attention did not go through the library's interface.
    """
    if seen is None:
        raise ModelError(
            f"{type(mixer).__name__} did not call the library's attention function, so its weights "
            "cannot be read; load the model with attn_implementation='sdpa' or 'eager'"
        )
    shown = seen

    def weights(head: int, times: slice) -> torch.Tensor:
        return shown.weights(0, head, times)

    return int(shown.query.shape[1]), weights


class ProjectedAttention(Adapter):
    """`v_proj`, `o_proj`; a norm after the mixer and a residual multiplier where they are."""

    needs_attention = True

    def read(self, mixer: Any, states: torch.Tensor, seen: Seen | None) -> Mixing:
        """Values are W_V x_j; the biases of both projections are kept apart."""
        heads, weights = softmax_weights(mixer, seen)
        constant = bias_of(mixer.v_proj)
        return Mixing(
            heads=heads,
            weights=weights,
            values=(states @ matrix(mixer.v_proj).T)[None],
            constant=None if constant is None else constant[None],
            out=matrix(mixer.o_proj),
            bias=bias_of(mixer.o_proj),
        )

    def join(self, layer: Any) -> Join:
        """Layers with a norm behind the feed-forward block have one behind the mixer too."""
        has_norm = hasattr(layer, "post_feedforward_layernorm")
        norm = layer.post_attention_layernorm if has_norm else None
        return Join(norm, float(getattr(layer, "residual_multiplier", 1.0)))
