"""State space members by their definitions: sums over all earlier positions, float64, loops."""

import numpy as np


def recurrence_sums(a, b, initial):
    """h_t = Σ_{k≤t} (Π_{k<l≤t} a_l) b_k + (Π_{l≤t} a_l) initial, each product anew; numpy."""
    a = np.broadcast_to(a, b.shape)
    h = np.zeros_like(b)
    for t in range(b.shape[1]):
        h[:, t] = np.prod(a[:, : t + 1], axis=1) * initial
        for k in range(t + 1):
            h[:, t] += np.prod(a[:, k + 1 : t + 1], axis=1) * b[:, k]
    return h


def numbers(module):
    """Weights by name, float64."""
    return {name: p.detach().double().numpy() for name, p in module.named_parameters()}


def sigmoid(s):
    return 1 / (1 + np.exp(-s))


def softplus(s):
    return np.log1p(np.exp(s))


def convolved(x, taps, bias):
    """Each channel's last inputs times its taps, the newest times the last one."""
    out = np.zeros_like(x)
    for t in range(len(x)):
        out[t] = bias
        for lag in range(min(taps.shape[-1], t + 1)):
            out[t] += taps[:, 0, -1 - lag] * x[t - lag]
    return out


def s6(member, u):
    """Outputs of a Mamba mixer for one sequence: (time, width)."""
    w, config = numbers(member), member.config
    inner, rank = member.inner, w["dt_proj.weight"].shape[1]
    xz = u @ w["in_proj.weight"].T
    s = convolved(xz[:, :inner], w["conv1d.weight"], w["conv1d.bias"])
    x, z = s * sigmoid(s), xz[:, inner:]
    maps = x @ w["x_proj.weight"].T
    dt = softplus(maps[:, :rank] @ w["dt_proj.weight"].T + w["dt_proj.bias"])
    b, c = maps[:, rank : rank + config.state], maps[:, rank + config.state :]
    y = np.zeros_like(x)
    for i, d in np.ndindex(x.shape):
        for k in range(i + 1):
            age = dt[k + 1 : i + 1, d].sum()
            for n in range(config.state):
                decay = np.exp(-age * np.exp(w["A_log"][d, n]))
                y[i, d] += c[i, n] * decay * dt[k, d] * b[k, n] * x[k, d]
        y[i, d] += w["D"][d] * x[i, d]
    return (y * z * sigmoid(z)) @ w["out_proj.weight"].T


def ssd(member, u):
    """Outputs of a Mamba-2 mixer for one sequence: (time, width)."""
    w, config, inner = numbers(member), member.config, member.inner
    maps, size = config.groups * config.state, inner // config.heads
    rows = u @ w["in_proj.weight"].T
    z, dt = rows[:, :inner], softplus(rows[:, -config.heads :] + w["dt_bias"])
    s = convolved(rows[:, inner : -config.heads], w["conv1d.weight"], w["conv1d.bias"])
    s = s * sigmoid(s)
    x, b, c = s[:, :inner], s[:, inner : inner + maps], s[:, inner + maps :]
    y = np.zeros_like(x)
    for i, h in np.ndindex(len(u), config.heads):
        group = h * config.groups // config.heads
        n = slice(group * config.state, (group + 1) * config.state)
        p = slice(h * size, (h + 1) * size)
        for k in range(i + 1):
            decay = np.exp(-dt[k + 1 : i + 1, h].sum() * np.exp(w["A_log"][h]))
            y[i, p] += decay * (c[i, n] @ b[k, n]) * dt[k, h] * x[k, p]
        y[i, p] += w["D"][h] * x[i, p]
    y = y * z * sigmoid(z)
    width = inner // config.groups
    for i, group in np.ndindex(len(u), config.groups):
        part = slice(group * width, (group + 1) * width)
        y[i, part] /= np.sqrt(np.mean(y[i, part] ** 2) + 1e-5)
    return (y * w["norm.weight"]) @ w["out_proj.weight"].T
