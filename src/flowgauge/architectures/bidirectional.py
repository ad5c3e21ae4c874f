"""Attention without an order of positions: x_i = Σ over all j of A_ij u_j (masked diffusion).

    here             source                                     paper V
    weights          softmax over all present j (Nie 2025, §2)  π^h_ij, no j ≤ i
    coefficients     Σ_h π^h_ij W_O^h W_V^h                     A_ij
    present          positions that are no padding              –

What lies after i enters x_i as well. So a new token changes every x_i, there is no state that
could be carried on, and no recurrent form.
"""

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from flowgauge.architectures.attention import Attention, AttentionConfig
from flowgauge.architectures.tvvar import State, check_explicit, check_input
from flowgauge.errors import ModelError, SettingsError, ShapeError

NO_ORDER = (
    "bidirectional attention has no order of positions, so no recurrent form: every position "
    "changes every other. Call parallel(u) on the whole row; Attention is the causal member"
)


class BidirectionalAttention(Attention):
    """Softmax attention over all positions: A_ij = Σ_h π^h_ij W_O^h W_V^h for every j.

    It shares weights, heads and rotary positions with `Attention`, not its causal order; it gives
    no next-token law by itself.

    Args:
        config: Sizes; a window is refused.

    Raises:
        SettingsError: `config` has a window.

    References:
        [nie:25], §2; paper, Eq. 48–49; docs/paper_index.md, section 8.

    Example:
        >>> attention = BidirectionalAttention(AttentionConfig(width=4, heads=2))
        >>> attention.weights(torch.ones(1, 4, 4))[0, 0, 0].round(decimals=2).tolist()
        [0.25, 0.25, 0.25, 0.25]
    """

    is_causal = False

    def __init__(self, config: AttentionConfig) -> None:
        super().__init__(config)
        if config.window is not None:
            raise SettingsError(
                f"window = {config.window}; bidirectional attention sees every position: leave the "
                "window out"
            )

    def weights(self, u: Tensor, present: Tensor | None = None) -> Tensor:
        """π^h_ij: (batch, head, time, time), rows sum to 1. Written out, for looking.

        Args:
            u: (batch, time, width).
            present: (batch, time) False where a position is padding and seen by nobody.

        Raises:
            ShapeError: u is not (batch, time, width), or `present` does not fit it.
        """
        check_input(u, self.width)
        return self._weights_among(u, _seen_by_all(u, present))

    def coefficients(self, u: Tensor, present: Tensor | None = None) -> Tensor:
        """A_ij for every pair: (batch, time, time, width, width); 0 where j is padding."""
        check_explicit(u, self.width)
        return self._through_heads(self.weights(u, present))

    def parallel(self, u: Tensor, present: Tensor | None = None) -> Tensor:
        """All positions at once: (batch, time, width); what stands at padding is of no meaning."""
        _, time, _ = check_input(u, self.width)
        q, k, v = self.project(u, torch.arange(time, device=u.device))
        seen = _seen_by_all(u, present)
        return self._out(scaled_dot_product_attention(q, k, v, attn_mask=seen, enable_gqa=True))

    def forward(self, u: Tensor, present: Tensor | None = None) -> Tensor:
        """The same as `parallel`."""
        return self.parallel(u, present)

    def initial_state(self, batch: int) -> State:
        """There is none.

        Raises:
            ModelError: Always.
        """
        raise ModelError(NO_ORDER)

    def step(self, state: State, u_i: Tensor) -> tuple[State, Tensor]:
        """There is no step.

        Raises:
            ModelError: Always.
        """
        raise ModelError(NO_ORDER)

    def extend(self, state: State, u: Tensor, mask: Tensor | None = None) -> tuple[State, Tensor]:
        """There is no state to extend.

        Raises:
            ModelError: Always.
        """
        raise ModelError(NO_ORDER)


def _seen_by_all(u: Tensor, present: Tensor | None) -> Tensor | None:
    """(batch, 1, 1, time) of the present positions; None where all are."""
    if present is None:
        return None
    if present.shape != u.shape[:2] or not bool(present.bool().any(-1).all()):
        raise ShapeError(
            f"present has shape {tuple(present.shape)} and {int(present.bool().sum())} positions; "
            f"{tuple(u.shape[:2])} with at least one present position a row was needed"
        )
    return present.bool()[:, None, None, :]
