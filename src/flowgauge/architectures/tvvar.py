"""The general autoregressive model: a time-varying vector autoregression (paper V, Eq. 44).

    here              paper        meaning
    u (batch, time, width)   u_j   embedded tokens, what the law of the next one may look at
    coefficients      A_ij         matrix by which position j enters position i; 0 for j > i
    parallel          Σ_j A_ij u_j all positions at once, the form for training
    step              the same     one position at a time with a state, the form for writing
    constant          –            what does not multiply a u_j; 0 in most members

The next token is drawn given x_i = Ψ(Σ_{j≤i} A_ij u_j). A_ij may depend on u (gates, softmax
weights): the form is linear given its coefficients, not linear in u.
"""

import math
from abc import ABC, abstractmethod
from typing import TypeAlias

import torch
from torch import Tensor, nn

from flowgauge.errors import ShapeError

State: TypeAlias = tuple[Tensor, ...]

MOST_COEFFICIENTS = 2**26


class TVVAR(nn.Module, ABC):
    """One member of the family: Σ_{j≤i} A_ij u_j, written in three ways that agree.

    The map Ψ that follows (norms, feed-forward, residuals) is no part of a member.

    Attributes:
        width: Length of one u_j and of one output.

    References:
        Paper, Eq. 44; docs/paper_index.md, section 8.

    Example:
        >>> class Decay(TVVAR):
        ...     width = 1
        ...     def coefficients(self, u):
        ...         batch, time = check_explicit(u, self.width)
        ...         age = torch.arange(time)[:, None] - torch.arange(time)
        ...         a = torch.where(age < 0, 0.0, 0.5**age.clamp(min=0))
        ...         return a[None, :, :, None, None].expand(batch, time, time, 1, 1)
        ...     def parallel(self, u):
        ...         return apply_coefficients(self.coefficients(u), u)
        ...     def initial_state(self, batch):
        ...         return (torch.zeros(batch, 1),)
        ...     def step(self, state, u_i):
        ...         x = 0.5 * state[0] + u_i
        ...         return (x,), x
        >>> u = torch.tensor([[[1.0], [0.0], [4.0]]])
        >>> Decay()(u).flatten().tolist(), unroll(Decay(), u).flatten().tolist()
        ([1.0, 0.5, 4.25], [1.0, 0.5, 4.25])
    """

    width: int

    @abstractmethod
    def coefficients(self, u: Tensor) -> Tensor:
        """A_ij given u: (batch, time, time, width, width), axes i, j, out, in; 0 for j > i.

        For looking, not for computing with: it grows with time² · width².

        Args:
            u: (batch, time, width).

        Raises:
            ShapeError: u does not fit, or A would hold more than 2²⁶ numbers.
        """

    @abstractmethod
    def parallel(self, u: Tensor) -> Tensor:
        """Σ_{j≤i} A_ij u_j + constant for all i at once: (batch, time, width) to the same."""

    @abstractmethod
    def initial_state(self, batch: int) -> State:
        """What is remembered before the first token, on the module's device, in its dtype."""

    @abstractmethod
    def step(self, state: State, u_i: Tensor) -> tuple[State, Tensor]:
        """The next position: a state and (batch, width) in, the new state and (batch, width) out.

        The state that came in is left as it was, so that one prefix can be continued twice.
        """

    def extend(self, state: State, u: Tensor, mask: Tensor | None = None) -> tuple[State, Tensor]:
        """Several positions from a state on: the new state and (batch, time, width).

        Here step by step, for states whose shape stays; members have faster ways.

        Args:
            state: From `initial_state`, `step` or `extend`; left as it was.
            u: (batch, time, width).
            mask: (batch, time) False where a position does not exist: it enters no state and no
                other position, and what is put out there means nothing. None: all exist.

        Raises:
            ShapeError: u or the mask does not fit.
        """
        check_mask(mask, u)
        out = []
        for i, u_i in enumerate(u.unbind(1)):
            after, x_i = self.step(state, u_i)
            state = after if mask is None else _where(mask[:, i], after, state)
            out.append(x_i)
        return state, torch.stack(out, dim=1)

    def constant(self, u: Tensor) -> Tensor:
        """What is added to Σ_j A_ij u_j and multiplies no u_j: (batch, time, width)."""
        return torch.zeros_like(u)

    def forward(self, u: Tensor) -> Tensor:
        """The same as `parallel`."""
        return self.parallel(u)


def apply_coefficients(a: Tensor, u: Tensor) -> Tensor:
    """Σ_j A_ij u_j for explicit coefficients.

    Args:
        a: (batch, time, time, width, width) with axes i, j, out, in.
        u: (batch, time, width).

    Returns:
        (batch, time, width).

    Raises:
        ShapeError: The two do not fit.

    Example:
        >>> a = torch.tensor([[1.0, 0.0], [0.5, 2.0]])[None, :, :, None, None]
        >>> apply_coefficients(a, torch.tensor([[[1.0], [10.0]]])).flatten().tolist()
        [1.0, 20.5]
    """
    batch, time, width = check_input(u)
    if a.shape != (batch, time, time, width, width):
        raise ShapeError(
            f"coefficients {tuple(a.shape)} and u {tuple(u.shape)} came; "
            f"{(batch, time, time, width, width)} was needed for this u"
        )
    return torch.einsum("bijvw,bjw->biv", a, u)


def unroll(member: TVVAR, u: Tensor) -> Tensor:
    """The recurrent form from an empty state over a whole u: (batch, time, width).

    Args:
        member: Any member of the family.
        u: (batch, time, width), at least one position.

    Raises:
        ShapeError: u does not fit the member.
    """
    batch, _, _ = check_input(u, member.width)
    state, out = member.initial_state(batch), []
    # Unbound at once: the gradient of each u[:, i] would fill a whole tensor with zeros.
    for u_i in u.unbind(1):
        state, x_i = member.step(state, u_i)
        out.append(x_i)
    return torch.stack(out, dim=1)


def check_input(u: Tensor, width: int | None = None) -> tuple[int, int, int]:
    """The sizes batch, time, width of u.

    Raises:
        ShapeError: u is not (batch, time, width) or has no position; shows the shape.

    Example:
        >>> check_input(torch.zeros(2, 5, 8), width=8)
        (2, 5, 8)
    """
    if u.ndim != 3 or u.shape[1] < 1 or (width is not None and u.shape[2] != width):
        needed = "width" if width is None else width
        raise ShapeError(
            f"u has shape {tuple(u.shape)}; (batch, time, {needed}) with at least one position "
            "was needed"
        )
    return u.shape[0], u.shape[1], u.shape[2]


def check_mask(mask: Tensor | None, u: Tensor) -> None:
    """An error where a mask does not say for each position of u whether it exists.

    Raises:
        ShapeError: u has no position, or the mask is not (batch, time) of bool.

    Example:
        >>> check_mask(torch.ones(2, 5).bool(), torch.zeros(2, 5, 8))
    """
    check_input(u)
    if mask is not None and (mask.shape != u.shape[:2] or mask.dtype != torch.bool):
        raise ShapeError(
            f"mask is {tuple(mask.shape)} of {mask.dtype}; {tuple(u.shape[:2])} of torch.bool was "
            "needed, True where a position exists"
        )


def _where(exists: Tensor, after: State, before: State) -> State:
    return tuple(
        torch.where(exists.reshape(-1, *[1] * (a.ndim - 1)), a, b)
        for a, b in zip(after, before, strict=True)
    )


def check_explicit(u: Tensor, width: int) -> tuple[int, int]:
    """The sizes batch, time of a u whose coefficients can be written out.

    Raises:
        ShapeError: u does not fit, or its coefficients would hold more than 2²⁶ numbers.

    Example:
        >>> check_explicit(torch.zeros(2, 5, 8), width=8)
        (2, 5)
    """
    batch, time, _ = check_input(u, width)
    numbers = math.prod((batch, time, time, width, width))
    if numbers > MOST_COEFFICIENTS:
        raise ShapeError(
            f"u of shape {tuple(u.shape)} has {numbers} coefficients, more than "
            f"{MOST_COEFFICIENTS}; take fewer positions, or parallel(u), which needs none"
        )
    return batch, time
