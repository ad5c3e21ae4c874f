"""Members whose lags are known: a Mamba that is a vector autoregression, and lags by definition."""

import math

import numpy as np
import torch

from flowgauge.architectures import Mamba, MambaConfig


def mamba_of(coefficients):
    """A Mamba over (1, v) whose output is (0, Σ_k A_k v_{t−k}), exactly, for every v.

    silu(s) − silu(−s) = s: two channels of opposite sign carry one series at one lag, which the
    convolution picks. C is 0, so the state space model is silent and D passes the values; the gates
    see the constant channel alone.
    """
    lags, dim, _ = coefficients.shape
    pairs = [(k, j) for k in range(lags) for j in range(dim)]
    expand = math.ceil(2 * len(pairs) / (dim + 1))
    member = Mamba(MambaConfig(width=dim + 1, expand=expand, state=1, taps=lags)).double()
    gate = 1 / (1 + math.exp(-1))  # silu(1)
    with torch.no_grad():
        for parameter in (member.in_proj.weight, member.x_proj.weight, member.out_proj.weight):
            parameter.zero_()
        member.conv1d.weight.zero_()
        member.conv1d.bias.zero_()
        member.in_proj.weight[member.inner :, 0] = 1.0
        for n, (k, j) in enumerate(pairs):
            for channel, sign in ((2 * n, 1.0), (2 * n + 1, -1.0)):
                member.in_proj.weight[channel, 1 + j] = sign
                member.conv1d.weight[channel, 0, lags - 1 - k] = 1.0
                column = torch.from_numpy(coefficients[k][:, j])
                member.out_proj.weight[1:, channel] = sign * column / gate
    return member


def lags_by_definition(member, windows, lags):
    """(window, lag, out, in) coefficients, and responses by central differences."""
    count, time, width = windows.shape
    a, d = np.zeros((2, count, lags, width, width))
    step = 1e-5
    with torch.no_grad():
        for n, k in np.ndindex(count, lags):
            u, j = windows[n : n + 1], time - 1 - k
            a[n, k] = member.coefficients(u)[0, time - 1, j].numpy()
            for column in range(width):
                up, down = u.clone(), u.clone()
                up[0, j, column] += step
                down[0, j, column] -= step
                change = member.parallel(up)[0, -1] - member.parallel(down)[0, -1]
                d[n, k, :, column] = change.numpy() / (2 * step)
    return a, d
