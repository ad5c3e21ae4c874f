"""Directed information of Gaussian processes by brute force: moving averages and determinants."""

import numpy as np


def covariance_by_recursion(coefficients, innovations, horizon, burn_in):
    """(horizon, dim, horizon, dim) covariance after a long run from 0: v_t = Σ Ψ_k w_{t−k}."""
    dim = len(innovations)
    psi = [np.eye(dim)]
    for k in range(1, burn_in + horizon):
        psi.append(sum(a @ psi[k - 1 - j] for j, a in enumerate(coefficients) if k - 1 - j >= 0))
    out = np.zeros((horizon, dim, horizon, dim))
    for s in range(horizon):
        for t in range(horizon):
            for k in range(burn_in):
                if k + t - s >= 0:
                    out[s, :, t, :] += psi[k] @ innovations @ psi[k + t - s].T
    return out


def conditional_information(covariance, a, b, c):
    """I(A; B | C) of Gaussian coordinates, four determinants."""

    def log_det(indices):
        indices = list(indices)
        return np.linalg.slogdet(covariance[np.ix_(indices, indices)])[1] if indices else 0.0

    a, b, c = list(a), list(b), list(c)
    return 0.5 * (log_det(a + c) + log_det(b + c) - log_det(c) - log_det(a + b + c))


def directed_by_terms(covariance, horizon, x_axes, y_axes):
    """Forward (Massey), backward with delay, instantaneous, mutual: terms by definition."""
    dim = covariance.shape[1]
    flat = covariance.reshape(horizon * dim, horizon * dim)

    def at(axes, upto):
        return [t * dim + i for t in range(upto) for i in axes]

    def now(axes, t):
        return [t * dim + i for i in axes]

    def term(a, b, c):
        return conditional_information(flat, a, b, c)

    steps = range(horizon)
    past = [(at(x_axes, t), at(y_axes, t)) for t in steps]
    return {
        "forward": sum(term(at(x_axes, t + 1), now(y_axes, t), past[t][1]) for t in steps),
        "backward": sum(term(past[t][1], now(x_axes, t), past[t][0]) for t in steps),
        "instantaneous": sum(
            term(now(x_axes, t), now(y_axes, t), past[t][0] + past[t][1]) for t in steps
        ),
        "mutual": term(at(x_axes, horizon), at(y_axes, horizon), []),
    }


def simulate(coefficients, innovations, time, rng, burn_in=200):
    """(time, dim) one path, step by step."""
    lags, dim = len(coefficients), len(innovations)
    noise = rng.normal(size=(time + burn_in, dim)) @ np.linalg.cholesky(innovations).T
    v = np.zeros((time + burn_in, dim))
    for t in range(time + burn_in):
        v[t] = noise[t]
        for k in range(min(lags, t)):
            v[t] += coefficients[k] @ v[t - 1 - k]
    return v[burn_in:]
