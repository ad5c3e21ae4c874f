"""GPT-2's attention: one fused projection (in, out) for query, key and value."""

from typing import Any

import torch

from flowgauge.lens.mixers.adapter import Adapter
from flowgauge.lens.mixers.attention import softmax_weights
from flowgauge.lens.mixers.mixing import Mixing
from flowgauge.models.attention import Seen


class FusedAttention(Adapter):
    """`c_attn` (width, 3 · width) and `c_proj`, both with biases."""

    needs_attention = True

    def read(self, mixer: Any, states: torch.Tensor, seen: Seen | None) -> Mixing:
        """Values are the last third of the fused projection."""
        heads, weights = softmax_weights(mixer, seen)
        width = mixer.embed_dim
        return Mixing(
            heads=heads,
            weights=weights,
            values=(states @ mixer.c_attn.weight[:, 2 * width :].float())[None],
            constant=mixer.c_attn.bias[2 * width :].float()[None],
            out=mixer.c_proj.weight.float().T,
            bias=mixer.c_proj.bias.float(),
        )
