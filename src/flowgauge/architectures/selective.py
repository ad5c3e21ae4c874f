"""What Mamba and Mamba-2 share: input map, short convolution, gate, output map.

    here        source                       meaning
    u           x (Gu & Dao 2023, Fig. 3)    tokens that come in
    value       x after the convolution      what the state space model carries, (…, inner)
    before      the same before silu         silu(s) = σ(s) · s: σ(s) is a coefficient, s is linear
    gate        z (Fig. 3, Algorithm 2)      branch that multiplies the output
    dt, b, c    Δ, B, C (Algorithm 2)        step, input and output maps, made from the tokens
    D           D (§3.4 of S4, Fig. 3)       what passes by the state
    kernel      C_i Π Ā B̄_k + D              (batch, i, k, inner): a channel's value_k in its y_i

With w the convolution's taps, W_in's rows for the values and W_out the output map,

    A_ij = W_out diag(gate_i) [Σ_k diag(kernel_ik σ(before_k) w_{k−j})] W_in.

Gates, σ, Δ, B and C look at the tokens; the split of a product into "coefficient" and "linear" is
a choice: the value's path is linear here, everything that multiplies it is a coefficient.
"""

import math
from abc import abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import pad, silu

from flowgauge.architectures.tvvar import TVVAR, State, check_explicit, check_input, check_mask


class Drive(NamedTuple):
    """What the tokens make of the state space model, each (batch, time, ...)."""

    before: Tensor
    value: Tensor
    gate: Tensor
    dt: Tensor
    b: Tensor
    c: Tensor


class SelectiveMixer(TVVAR):
    """A mixer of Mamba's form. A member says how tokens drive it and what its kernel is.

    The convolution has a bias, as in the source, so Σ_j A_ij u_j leaves a constant: see `constant`.
    """

    inner: int
    in_proj: nn.Linear
    conv1d: nn.Conv1d
    out_proj: nn.Linear
    D: nn.Parameter

    @abstractmethod
    def drive(self, u: Tensor, past: Tensor, mask: Tensor | None = None) -> tuple[Drive, Tensor]:
        """Gates and maps of (batch, time, width) tokens after `past`; and the past after them.

        The convolution passes over positions where `mask` (batch, time) is False.
        """

    @abstractmethod
    def mix(self, value: Tensor, drive: Drive, memory: Tensor) -> tuple[Tensor, Tensor]:
        """What comes out from a memory on, y (batch, time, inner) without D, and the memory then.

        From an empty memory y is Σ_k kernel_ik value_k.
        """

    @abstractmethod
    def advance(self, memory: Tensor, drive: Drive) -> tuple[Tensor, Tensor]:
        """One position: the memory after it and its y without D, (batch, 1, inner)."""

    @abstractmethod
    def kernel(self, drive: Drive) -> Tensor:
        """(batch, i, k, inner) of `mix` in numbers; small inputs only."""

    @abstractmethod
    def empty(self, batch: int) -> Tensor:
        """The memory before the first position."""

    def scale(self, y: Tensor, drive: Drive) -> Tensor:
        """What y is multiplied by before the output map: silu(z)."""
        return silu(drive.gate)

    def skip(self) -> Tensor:
        """D for each inner channel."""
        return self.D

    def coefficients(self, u: Tensor) -> Tensor:
        """A_ij given u, see the module's formula: (batch, time, time, width, width).

        Raises:
            ShapeError: u does not fit, or A would hold more than 2²⁶ numbers.
        """
        batch, time = check_explicit(u, self.width)
        drive = self.drive(u, self._no_past(batch))[0]
        gain = self.scale(self._pass(drive.value, drive), drive)
        kernel = self.kernel(drive) + torch.diag_embed(u.new_ones(time))[..., None] * self.skip()
        kernel = kernel * torch.sigmoid(drive.before)[:, None]
        taps = self.conv1d.weight[: self.inner, 0]
        most = taps.shape[1]
        # Beyond the last position there is nothing that could have heard of u_j.
        kernel = pad(kernel, (0, 0, 0, most - 1))
        mixed = torch.zeros_like(kernel[:, :, :time])
        for k in range(most):
            mixed = mixed + kernel[:, :, k : k + time] * taps[:, most - 1 - k]
        left = self.out_proj.weight * gain[..., None, :]
        return (left[:, :, None] * mixed[..., None, :]) @ self._value_rows()

    def parallel(self, u: Tensor) -> Tensor:
        """Σ_{j≤i} A_ij u_j + constant for all i at once.

        Args:
            u: (batch, time, width).

        Returns:
            (batch, time, width).

        Raises:
            ShapeError: u does not fit.
        """
        batch, _, _ = check_input(u, self.width)
        return self.extend(self.initial_state(batch), u)[1]

    def extend(self, state: State, u: Tensor, mask: Tensor | None = None) -> tuple[State, Tensor]:
        """Several positions at once from a memory on; a masked one has a step Δ of 0."""
        check_input(u, self.width)
        check_mask(mask, u)
        past, memory = state
        drive, past = self.drive(u, past, mask)
        if mask is not None:
            drive = drive._replace(dt=drive.dt * mask[..., None])
        y, memory = self.mix(drive.value, drive, memory)
        y = y + self.skip() * drive.value
        return (past, memory), self.out_proj(y * self.scale(y, drive))

    def constant(self, u: Tensor) -> Tensor:
        """What the convolution's bias adds to Σ_j A_ij u_j: (batch, time, width).

        It multiplies no u_j, but passes through the same gates and state, so it is a constant only
        given the coefficients.
        """
        batch, _, _ = check_input(u, self.width)
        drive = self.drive(u, self._no_past(batch))[0]
        gain = self.scale(self._pass(drive.value, drive), drive)
        bias = self._bias()[: self.inner] * torch.sigmoid(drive.before)
        return self.out_proj(gain * self._pass(bias, drive))

    def initial_state(self, batch: int) -> State:
        """Nothing seen: the convolution's last inputs and the state space model's memory."""
        return self._no_past(batch), self.empty(batch)

    def step(self, state: State, u_i: Tensor) -> tuple[State, Tensor]:
        """The next position; time and memory do not depend on how many came before."""
        past, memory = state
        check_input(u_i[:, None], self.width)
        drive, past = self.drive(u_i[:, None], past)
        memory, y = self.advance(memory, drive)
        y = y + self.skip() * drive.value
        return (past, memory), self.out_proj(y * self.scale(y, drive))[:, 0]

    def convolve(
        self, x: Tensor, past: Tensor, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """The causal convolution over (batch, time, channels) after `past`, and the new past."""
        if mask is not None:
            return self._convolve_around(x, past, mask)
        x = torch.cat([past, x], dim=1)
        taps = self.conv1d.weight[:, 0]
        time = x.shape[1] - past.shape[1]
        out = self._bias().expand(x.shape[0], time, -1)
        for k in range(taps.shape[1]):
            out = torch.addcmul(out, x[:, k : k + time], taps[:, k])
        return out, x[:, time:]

    def _convolve_around(self, x: Tensor, past: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Positions that exist are moved together, in front; what is behind them reaches none."""
        order = (~mask).to(torch.uint8).argsort(dim=1, stable=True)
        moved = _rows_at(x, order)
        out, _ = self.convolve(moved, past)
        last = mask.sum(1, keepdim=True) + torch.arange(past.shape[1], device=x.device)
        return _rows_at(out, order.argsort(dim=1)), _rows_at(torch.cat([past, moved], dim=1), last)

    def _pass(self, value: Tensor, drive: Drive) -> Tensor:
        return self.mix(value, drive, self.empty(len(value)))[0] + self.skip() * value

    def _no_past(self, batch: int) -> Tensor:
        channels, _, taps = self.conv1d.weight.shape
        return self.conv1d.weight.new_zeros(batch, taps - 1, channels)

    def _bias(self) -> Tensor:
        bias = self.conv1d.bias
        return self.conv1d.weight.new_zeros(len(self.conv1d.weight)) if bias is None else bias

    @abstractmethod
    def _value_rows(self) -> Tensor:
        """The rows of W_in that make the values: (inner, width)."""


def _rows_at(x: Tensor, places: Tensor) -> Tensor:
    """Rows of x (batch, time, channels) at places (batch, n) of its second axis."""
    return x.gather(1, places[..., None].expand(-1, -1, x.shape[2]))


def short_convolution(channels: int, taps: int) -> nn.Conv1d:
    """The depthwise convolution of the source; its parameters alone are used here."""
    return nn.Conv1d(channels, channels, taps, groups=channels, padding=taps - 1)


def first_steps(channels: int) -> Tensor:
    """Biases for which softplus gives steps Δ spread evenly in log over 0.001 … 0.1.

    References:
        [gu:23] §3.6.
    """
    low, high = math.log(1e-3), math.log(1e-1)
    dt = torch.exp(low + (high - low) * torch.rand(channels))
    return dt + torch.log(-torch.expm1(-dt))
