"""First-order linear recurrences h_t = a_t h_{t−1} + b_t, the heart of the state space members.

    here        source                       meaning
    a           Ā_t (Gu & Dao 2023, Eq. 1a)  decay of each number of the state, any value
    b           B̄_t x_t (the same)           what enters the state
    h           h_t (the same)               state after position t
    log_decay   log a_t (Dao & Gu 2024, §6)  0 or below
    decays      L, "1-semiseparable" (§3)    Π of the decays between two positions

The pairs (a, b) compose associatively, (a″a′, a″b′ + b″): Blelloch (1990), §1.4. Nothing is divided
and no logarithm is taken of a, so a decay of 0 is as good as any other.
"""

from typing import Any

import torch
from torch import Tensor

from flowgauge.errors import ShapeError

# A position of so many numbers outweighs the cost of a call: going in order then touches memory
# once, where pairing touches it about four times.
WIDE = 2**12


def sequential_scan(a: Tensor, b: Tensor, initial: Tensor | None = None) -> Tensor:
    """All h_t = a_t h_{t−1} + b_t, one position after the other.

    The reference: plain operations that autograd follows. `scan` gives the same faster.

    Args:
        a: (batch, time, ...) decays; axes of size 1 are stretched to those of b.
        b: (batch, time, ...) what enters.
        initial: (batch, ...) h before the first position; 0 by default.

    Returns:
        (batch, time, ...) h after each position.

    Raises:
        ShapeError: The shapes do not fit.

    Example:
        >>> a, b = torch.tensor([[0.5, 0.5, 0.0]]), torch.tensor([[8.0, 0.0, 1.0]])
        >>> sequential_scan(a, b).tolist()
        [[8.0, 4.0, 1.0]]
    """
    a, h = _check(a, b, initial)
    out = []
    # Unbound at once: the gradient of each a[:, t] would fill a whole tensor with zeros.
    for a_t, b_t in zip(a.unbind(1), b.unbind(1), strict=True):
        h = a_t * h + b_t
        out.append(h)
    return torch.stack(out, dim=1)


def scan(a: Tensor, b: Tensor, initial: Tensor | None = None) -> Tensor:
    """All h_t = a_t h_{t−1} + b_t, by pairing positions in 2 log₂(time) rounds.

    Work grows as time, not time · log(time). On a processor, states of 4,096 numbers or more are
    taken in order instead, which is faster there. Gradients are another scan, from the end to the
    start; only a and h are kept for it.

    Args:
        a: (batch, time, ...) decays; axes of size 1 are stretched to those of b.
        b: (batch, time, ...) what enters.
        initial: (batch, ...) h before the first position; 0 by default.

    Returns:
        (batch, time, ...) h after each position.

    Raises:
        ShapeError: The shapes do not fit.

    References:
        [blelloch:90] §1.4; [gu:23] §3.3.2.

    Example:
        >>> a, b = torch.tensor([[0.5, 0.5, 0.0]]), torch.tensor([[8.0, 0.0, 1.0]])
        >>> scan(a, b).tolist(), scan(a, b, initial=torch.tensor([16.0])).tolist()
        ([[8.0, 4.0, 1.0]], [[16.0, 8.0, 1.0]])
    """
    return _Scan.apply(*_check(a, b, initial), b, False)


def decays_between(log_decay: Tensor) -> Tensor:
    """Π_{k<l≤i} a_l for every pair of positions, from log a: 1 for i = k, 0 for i < k.

    Differences of float64 sums: after a decay of e^−10⁴ those that follow would otherwise be lost
    to round-off.

    Args:
        log_decay: (..., time) log a, finite.

    Returns:
        (..., time, time), axes i and k, in the dtype that came.

    References:
        [dao:24] §3, Eq. 4 ("1-semiseparable" matrix), and its segment sums.

    Example:
        >>> decays_between(torch.tensor([0.5, 0.25, 0.5]).log()).tolist()
        [[1.0, 0.0, 0.0], [0.25, 1.0, 0.0], [0.125, 0.5, 1.0]]
    """
    sums = log_decay.double().cumsum(-1)
    between = (sums[..., :, None] - sums[..., None, :]).to(log_decay.dtype)
    time = log_decay.shape[-1]
    later = torch.ones(time, time, dtype=torch.bool, device=log_decay.device).triu(1)
    # Masked before the exponential: beyond it the gradient would be 0 · ∞.
    return between.masked_fill(later, -torch.inf).exp()


class _Scan(torch.autograd.Function):
    """A scan in one direction; its gradient g_t = ∂h_t + a_{t+1} g_{t+1} is one in the other."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, initial: Tensor, b: Tensor, back: bool) -> Tensor:
        wide = b[:, 0].numel() >= WIDE and b.device.type == "cpu"
        h = (_in_order if wide else _paired)(a, b, initial, back)
        ctx.save_for_backward(a, initial, h)
        ctx.back = back
        return h

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        a, initial, h = ctx.saved_tensors
        nothing, first = torch.zeros_like(initial), initial[:, None]
        if ctx.back:
            following = torch.cat([nothing[:, None], a[:, :-1]], dim=1)
            before = torch.cat([h[:, 1:], first], dim=1)
        else:
            following = torch.cat([a[:, 1:], nothing[:, None]], dim=1)
            before = torch.cat([first, h[:, :-1]], dim=1)
        g = _Scan.apply(following, nothing, grads[0], not ctx.back)
        start = -1 if ctx.back else 0
        return g * before, a[:, start] * g[:, start], g, None


def _in_order(a: Tensor, b: Tensor, initial: Tensor, back: bool) -> Tensor:
    h, before = torch.empty_like(b, memory_format=torch.contiguous_format), initial
    positions = range(b.shape[1])
    for t in reversed(positions) if back else positions:
        before = torch.addcmul(b[:, t], a[:, t], before, out=h[:, t])
    return h


def _paired(a: Tensor, b: Tensor, initial: Tensor, back: bool) -> Tensor:
    if back:
        return _paired(a.flip(1), b.flip(1), initial, False).flip(1)
    first = torch.addcmul(b[:, :1], a[:, :1], initial[:, None])
    return _pair(a, torch.cat([first, b[:, 1:]], dim=1))


def _pair(a: Tensor, b: Tensor) -> Tensor:
    """Positions 1, 3, 5, … from the pairs they end, then 2, 4, 6, … by one step each."""
    time = b.shape[1]
    if time == 1:
        return b
    pairs, rest = time // 2, (time - 1) // 2
    a_even, b_even = a[:, 0 : 2 * pairs : 2], b[:, 0 : 2 * pairs : 2]
    a_odd, b_odd = a[:, 1::2], b[:, 1::2]
    h = torch.empty_like(b, memory_format=torch.contiguous_format)
    h[:, 1::2] = _pair(a_odd * a_even, torch.addcmul(b_odd, a_odd, b_even))
    h[:, 0] = b[:, 0]
    h[:, 2::2] = torch.addcmul(b[:, 2::2], a[:, 2::2], h[:, 1 : 2 * rest : 2])
    return h


def _check(a: Tensor, b: Tensor, initial: Tensor | None) -> tuple[Tensor, Tensor]:
    fits = a.ndim == b.ndim and all(n in (1, m) for n, m in zip(a.shape, b.shape, strict=True))
    state = b.shape[:1] + b.shape[2:]
    if b.ndim < 2 or not b.shape[1] or not fits or a.shape[:2] != b.shape[:2]:
        raise ShapeError(
            f"a {tuple(a.shape)} and b {tuple(b.shape)} came; both (batch, time, ...) with at "
            "least one position were needed, a with size 1 where it is to be stretched"
        )
    if initial is not None and initial.shape != state:
        raise ShapeError(f"initial has shape {tuple(initial.shape)}, {tuple(state)} was needed")
    first = b.new_zeros(state) if initial is None else initial
    return a.expand_as(b), first
