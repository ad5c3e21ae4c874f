"""The law that tokens are really drawn from: temperature, top-k, top-p, min-p, repetition penalty.

The processors are those of transformers, in the order that its `generate` applies them. Tokens
drawn under such settings do not follow the model's own law, so the martingale statements are true
of the transformed law alone. Q is transformed by the temperature only: a truncated Q could exclude
a token that P allows, and log P/Q would be infinite.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from flowgauge.records import IntArray, Sampling

if TYPE_CHECKING:
    import torch


class Transform:
    """From logits of the model to logits of the law sampled from; −inf cannot come.

    Args:
        sampling: How tokens are drawn. Temperature 0 is greedy: all mass on the likeliest token.

    Example:
        >>> import torch
        >>> rows = Transform(Sampling(top_k=1))(torch.tensor([[1.0, 3.0, 2.0]]), [np.array([0])])
        >>> rows.tolist()
        [[-inf, 3.0, -inf]]
    """

    def __init__(self, sampling: Sampling) -> None:
        from transformers import (
            LogitsProcessorList,
            MinPLogitsWarper,
            RepetitionPenaltyLogitsProcessor,
            TemperatureLogitsWarper,
            TopKLogitsWarper,
            TopPLogitsWarper,
        )

        steps: list[Any] = []
        self.reads_text = sampling.repetition_penalty != 1.0
        if self.reads_text:
            steps.append(RepetitionPenaltyLogitsProcessor(float(sampling.repetition_penalty)))
        # Under greedy decoding nothing more can change which token is the likeliest.
        self._is_greedy = sampling.temperature == 0
        if not self._is_greedy:
            if sampling.temperature != 1.0:
                steps.append(TemperatureLogitsWarper(float(sampling.temperature)))
            if sampling.top_k:
                steps.append(TopKLogitsWarper(int(sampling.top_k)))
            if sampling.top_p < 1.0:
                steps.append(TopPLogitsWarper(sampling.top_p))
            if sampling.min_p > 0:
                steps.append(MinPLogitsWarper(sampling.min_p))
        self._steps = LogitsProcessorList(steps)
        self.is_plain = not steps and not self._is_greedy

    def __call__(self, logits: "torch.Tensor", texts: Sequence[IntArray]) -> "torch.Tensor":
        """Logits (row, vocab) of the law sampled from.

        Args:
            logits: (row, vocab) as the model gives them; left as they are.
            texts: Ids of each row so far, prompt included; only a repetition penalty reads them.
        """
        import torch

        if self.is_plain:
            return logits
        ids = torch.zeros((len(logits), 0), dtype=torch.int64)
        if self.reads_text:
            longest, vocab = max(map(len, texts)), logits.shape[-1]
            # The processor leaves out ids that are no next token, so one of them may pad.
            padded = [np.pad(t, (0, longest - len(t)), constant_values=vocab) for t in texts]
            ids = torch.from_numpy(np.stack(padded))
        out: torch.Tensor = self._steps(ids.to(logits.device), logits.clone())
        if not self._is_greedy:
            return out
        best = out.argmax(-1, keepdim=True)  # the first of equal ones, as in `generate`
        return torch.full_like(out, -torch.inf).scatter(-1, best, out.gather(-1, best))


@dataclass(frozen=True, slots=True)
class SamplingLaw:
    """P and Q are the laws under the sampling settings: what the tokens were really drawn from.

    Every statement about texts drawn from P is exactly true of it. It says how the *sampler* moved
    with the source, not the model: under greedy decoding P is a point mass and the density is the
    token's whole surprise under Q, which then is the model's own law.

    Example:
        >>> SamplingLaw().name
        'sampling'
    """

    name: str = "sampling"

    def reference(self, logits_q: "torch.Tensor", sampling: Sampling) -> "torch.Tensor":
        """Logits of Q under the temperature alone."""
        if sampling.temperature in (0.0, 1.0):
            return logits_q
        return logits_q / sampling.temperature
