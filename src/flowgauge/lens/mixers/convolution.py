"""The short causal convolution before a state-space scan, split by token.

    u_j = c_j σ(c_j),  c_j = Σ_k w_k x_{j−k} + b   →   u_j = Σ_k [σ(c_j) w_k x_{j−k}] + σ(c_j) b

σ(c_j) counts as a coefficient, as observed: like dt, B and C it depends on the input. So a token
is given what it alone brought, though the scan mixes positions that each hold several.
"""

from typing import Any

import torch
from torch.nn.functional import conv1d, pad


def lagged(convolution: Any, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Parts (lag, time, channel) of the convolution with SiLU, its constant part, their sum.

    Args:
        convolution: A depthwise `Conv1d`.
        x: (time, channel) what it is given.
    """
    kernel = convolution.weight.float()  # (channel, 1, lags), the newest last
    lags, time = kernel.shape[-1], len(x)
    bias = torch.zeros_like(kernel[:, 0, 0])
    if convolution.bias is not None:
        bias = convolution.bias.float()
    before = pad(x.T, (lags - 1, 0))
    sums = conv1d(before[None], kernel, bias, groups=len(kernel))[0].T
    gain = torch.sigmoid(sums)
    parts = torch.stack(
        [
            gain * kernel[:, 0, lags - 1 - lag] * before.T[lags - 1 - lag : lags - 1 - lag + time]
            for lag in range(lags)
        ]
    )
    return parts, gain * bias, gain * sums
