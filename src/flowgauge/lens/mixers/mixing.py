"""What one layer mixed out of the positions before it: the coefficients of a time-varying VAR.

    output_i = Σ_h Σ_j W^h g_i ⊙ (π^h_ij v_j) + b          v_j = Σ_k values[k, j] + constant[j]

`values[k, j]` is what position j holds of token j − k (attention: k = 0 alone; a convolution
reaches further back), so token t contributes Σ_k W^h g_i ⊙ π^h_{i,t+k} values[k, t + k]. Attention,
Mamba (a head is a channel) and Mamba-2 differ in π alone. Theory §8, paper section V.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

#: Coefficients π (head, times) → (times, source).
Weights = Callable[[int, slice], torch.Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixing:
    """One layer's mixing of one text.

    Args:
        heads: Number of heads h; a state-space channel of Mamba counts as one.
        weights: π: head and times → (times, source), 0 where j > i.
        values: (lag, source, value channels); heads share a value head where there are fewer.
        constant: (source, value channels) or (1, …): what positions hold of no token (biases).
        gate: (time, channels) g, or None for 1.
        out: (width, channels) W.
        bias: (width,) b, or None.
    """

    heads: int
    weights: Weights
    values: torch.Tensor
    out: torch.Tensor
    constant: torch.Tensor | None = None
    gate: torch.Tensor | None = None
    bias: torch.Tensor | None = None

    def vectors(self, time: int, heads: Sequence[int]) -> torch.Tensor:
        """(source, width) contribution of each token to one position, summed over some heads."""
        here = slice(time, time + 1)
        lags, source, _ = self.values.shape
        mixed = self.values.new_zeros(source, self.out.shape[1])
        for head in heads:
            of, at = self._channels(head), self._value_channels(head)
            weights = self.weights(head, here)[0, :, None]
            for lag in range(lags):
                # Position j = t + lag holds this of token t.
                mixed[: source - lag, of] += (weights * self.values[lag][:, at])[lag:]
        if self.gate is not None:
            mixed = mixed * self.gate[time]
        return mixed @ self.out.T

    def apart(self, times: slice) -> torch.Tensor:
        """(times, width) what comes of no token: the biases, mixed like the tokens are."""
        rows = len(range(*times.indices(self.values.shape[1])))
        mixed = self.values.new_zeros(rows, self.out.shape[1])
        if self.constant is not None:
            for head in range(self.heads):
                of, at = self._channels(head), self._value_channels(head)
                held = self.constant[:, at].expand(self.values.shape[1], -1)
                mixed[:, of] = self.weights(head, times) @ held
        return self._put_out(mixed, times)

    def output(self, times: slice) -> torch.Tensor:
        """(times, width) everything together: what the layer's mixer put out."""
        held = self.values.sum(0)
        if self.constant is not None:
            held = held + self.constant
        parts = [
            self.weights(head, times) @ held[:, self._value_channels(head)]
            for head in range(self.heads)
        ]
        return self._put_out(torch.cat(parts, dim=-1), times)

    def effects(self, times: slice, directions: torch.Tensor, heads: Sequence[int]) -> torch.Tensor:
        """(times, source) inner product of each contribution with its row of `directions`.

        No contribution is made on the way: ⟨d, W g ⊙ πv⟩ = π ⟨g ⊙ Wᵀd, v⟩.
        """
        read = directions @ self.out
        if self.gate is not None:
            read = read * self.gate[times]
        lags, source, _ = self.values.shape
        found = read.new_zeros(len(read), source)
        for head in heads:
            weights = self.weights(head, times)
            mine, at = read[:, self._channels(head)], self._value_channels(head)
            for lag in range(lags):
                part = weights[:, lag:] * (mine @ self.values[lag, lag:, at].T)
                found[:, : source - lag] += part
        return found

    def _put_out(self, mixed: torch.Tensor, times: slice) -> torch.Tensor:
        if self.gate is not None:
            mixed = mixed * self.gate[times]
        found = mixed @ self.out.T
        return found if self.bias is None else found + self.bias

    def _channels(self, head: int) -> slice:
        width = self.out.shape[1] // self.heads
        return slice(head * width, (head + 1) * width)

    def _value_channels(self, head: int) -> slice:
        width = self.out.shape[1] // self.heads
        sharing = self.out.shape[1] // self.values.shape[2]  # heads with one value head
        head //= sharing
        return slice(head * width, (head + 1) * width)
