"""Known processes, members trained on them by least squares, and ordinary least squares beside."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from flowgauge.architectures import (
    TVVAR,
    Attention,
    AttentionConfig,
    LinearAttention,
    LinearAttentionConfig,
    Mamba,
    Mamba2,
    Mamba2Config,
    MambaConfig,
    Rotary,
)
from flowgauge.architectures.lag_reading import read_lags
from flowgauge.flow.pairwise import pairwise_transfer_entropies

Floats = np.ndarray[Any, np.dtype[np.float64]]

SERIES = 3
SKIP = 6  # targets left out at the start of a sequence: every lag that is read must be there
READ = 6  # lags read; no process has so many
WINDOW = 12  # positions of a window that is read

# Series 0 drives 1 and 1 drives 2; nothing goes back, so three transfer entropies are 0.
PROCESSES: Mapping[str, Floats] = {
    "VAR(1)": np.array([[[0.5, 0, 0], [0.4, 0.3, 0], [0, -0.5, 0.4]]]),
    "VAR(2)": np.array(
        [
            [[0.5, 0, 0], [0.4, 0.2, 0], [0, 0, 0.4]],
            [[-0.3, 0, 0], [0, 0.2, 0], [0, -0.5, 0.1]],
        ]
    ),
}
NOISE: Floats = np.array([[1.0, 0.2, 0.0], [0.2, 0.5, 0.0], [0.0, 0.0, 0.8]])

# Width: the series and a channel that is always 1. Gates have no bias: without it none is constant.
WIDTH = SERIES + 1
MEMBERS: Mapping[str, Callable[[], TVVAR]] = {
    "mamba": lambda: Mamba(MambaConfig(width=WIDTH, expand=2, state=4, taps=2)),
    "mamba2": lambda: Mamba2(Mamba2Config(width=WIDTH, heads=4, state=4, taps=2, chunk=8)),
    "linear_attention": lambda: LinearAttention(LinearAttentionConfig(width=WIDTH, heads=2)),
    "attention": lambda: Attention(
        AttentionConfig(width=WIDTH, heads=4, head_width=4, rotary=Rotary())
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """What one way found on one data set.

    Coefficients are (READ, SERIES, SERIES), 0 at lags that were not fitted; of a member these are
    its mean responses, and `lens` its mean A by lag.
    """

    coefficients: Floats
    lens: Floats | None
    innovations: Floats
    transfer_entropies: Floats
    mse: float
    fresh_mse: float
    parameters: int


def simulate(
    coefficients: Floats, sequences: int, time: int, rng: np.random.Generator, burn_in: int = 100
) -> Floats:
    """(sequence, time, series) independent stretches of the stationary process."""
    noise = rng.normal(size=(time + burn_in, sequences, SERIES)) @ np.linalg.cholesky(NOISE).T
    v = noise.copy()
    for t in range(time + burn_in):
        for k in range(min(len(coefficients), t)):
            v[t] += v[t - 1 - k] @ coefficients[k].T
    return v[burn_in:].swapaxes(0, 1)


def least_squares(data: Floats, fresh: Floats, order: int, lags: int) -> Fit:
    """Ordinary least squares with `lags` lags; transfer entropies of the first `order` of them."""
    design, target = _regression(data, lags)
    solution = np.linalg.lstsq(design, target)[0]
    coefficients = np.zeros((READ, SERIES, SERIES))
    found = solution[1:].reshape(lags, SERIES, SERIES).swapaxes(1, 2)
    coefficients[:lags] = found
    new_design, new_target = _regression(fresh, lags)
    residuals = target - design @ solution
    return _fit(
        coefficients, None, residuals, new_target - new_design @ solution, order, solution.size
    )


def trained(name: str, data: Floats, seed: int, iterations: int) -> TVVAR:
    """A member that predicts each next vector: least squares over all weights by L-BFGS."""
    torch.manual_seed(seed)
    member = MEMBERS[name]().double()
    optimizer = torch.optim.LBFGS(
        member.parameters(),
        max_iter=iterations,
        history_size=20,
        tolerance_change=0.0,
        line_search_fn="strong_wolfe",
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = _residuals(member, data).pow(2).mean()
        loss.backward()
        return loss

    optimizer.step(closure)
    return member


def read(member: TVVAR, data: Floats, fresh: Floats, order: int) -> Fit:
    """Coefficients, innovations and transfer entropies of a trained member, all on its own data."""
    u = _with_constant(data)[:, :-1]
    whole = u.shape[1] // WINDOW * WINDOW
    windows = u[:, :whole].reshape(-1, WINDOW, WIDTH)
    reading = read_lags(member, windows, lags=READ)
    with torch.no_grad():
        residuals, new = (_residuals(member, d).numpy().reshape(-1, SERIES) for d in (data, fresh))
    size = sum(p.numel() for p in member.parameters())
    series = (slice(None), slice(1, None), slice(1, None))
    return _fit(
        reading.responses[series], reading.coefficients[series], residuals, new, order, size
    )


def _fit(
    coefficients: Floats,
    lens: Floats | None,
    residuals: Floats,
    new: Floats,
    order: int,
    parameters: int,
) -> Fit:
    innovations = residuals.T @ residuals / len(residuals)
    return Fit(
        coefficients=coefficients,
        lens=lens,
        innovations=innovations,
        transfer_entropies=pairwise_transfer_entropies(coefficients[:order], innovations),
        mse=float(np.trace(innovations) / SERIES),
        fresh_mse=float((new**2).mean()),
        parameters=parameters,
    )


def _regression(data: Floats, lags: int) -> tuple[Floats, Floats]:
    time = data.shape[1]
    past = [data[:, SKIP - k : time - k] for k in range(1, lags + 1)]
    design = np.concatenate([np.ones((len(data), time - SKIP, 1)), *past], axis=2)
    return design.reshape(-1, design.shape[2]), data[:, SKIP:].reshape(-1, SERIES)


def _with_constant(data: Floats) -> Tensor:
    return torch.from_numpy(np.insert(data, 0, 1.0, axis=2))


def _residuals(member: TVVAR, data: Floats) -> Tensor:
    """v_{t+1} less the member's output at t, from target SKIP on: the same as in `_regression`."""
    u = _with_constant(data)
    return u[:, SKIP:, 1:] - member.parallel(u[:, :-1])[:, SKIP - 1 :, 1:]
