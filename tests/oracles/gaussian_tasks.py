"""Sampling tasks of known mutual information, after the definitions of the bmi benchmark.

Czyż et al. (2023), "Beyond Normal", written anew: dense (all correlations equal), sparse (two pairs
interact), Student (same dispersions, heavy tails). The benchmark has no task of long range; ours
is a delay: y_t answers to x_{t−L} alone.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import digamma, gammaln


@dataclass(frozen=True)
class Task:
    name: str
    true_nats: float
    sample: Callable[[int, np.random.Generator], tuple[np.ndarray, np.ndarray]]


def gaussian_information(covariance, dim_x):
    """½ log(|Σx||Σy|/|Σ|)."""
    parts = (covariance[:dim_x, :dim_x], covariance[dim_x:, dim_x:], covariance)
    x, y, both = (np.linalg.slogdet(part)[1] for part in parts)
    return 0.5 * (x + y - both)


def student_correction(dim_x, dim_y, df):
    """What heavy tails add to the Gaussian value: h(x) + h(y) − h(x, y) at unit dispersion."""

    def entropy(k):
        half = 0.5 * (df + k)
        return (
            gammaln(0.5 * df)
            - gammaln(half)
            + 0.5 * k * np.log(df * np.pi)
            + half * (digamma(half) - digamma(0.5 * df))
        )

    return entropy(dim_x) + entropy(dim_y) - entropy(dim_x + dim_y)


def pairwise(dim, true_nats):
    """Coordinates in pairs of equal correlation with the given total information."""
    rho = np.sqrt(-np.expm1(-2 * true_nats / dim))
    return _gaussian(f"gaussian-{dim}-{true_nats}", _pairs(dim, dim, rho, 0.0), dim)


def dense(dim, rho=0.5):
    """All correlations equal."""
    return _gaussian(f"dense-{dim}", np.eye(2 * dim) * (1 - rho) + rho, dim)


def sparse(dim, rho=0.8, within=0.1):
    """Two pairs interact; a little correlation within x and within y."""
    return _gaussian(f"sparse-{dim}", _pairs(dim, 2, rho, within), dim)


def student(dim, df, rho=0.5):
    """Multivariate Student with min(dim, 2) interacting pairs; no covariance exists for df ≤ 2."""
    dispersion = _pairs(dim, min(dim, 2), rho, 0.0)
    gaussian = _gaussian("", dispersion, dim)

    def sample(n, rng):
        x, y = gaussian.sample(n, rng)
        scale = np.sqrt(df / rng.chisquare(df, size=(n, 1)))
        return x * scale, y * scale

    true = gaussian.true_nats + student_correction(dim, dim, df)
    return Task(f"student-{dim}-{df}", true, sample)


def long_range(delay, time, gain=1.0, noise=1.0):
    """y_t = gain · x_{t−delay} + noise; I(X→Y) = (T − delay) · ½ log(1 + gain²/noise²)."""

    def sample(n, rng):
        x = rng.normal(size=(n, time))
        y = noise * rng.normal(size=(n, time))
        y[:, delay:] += gain * x[:, : time - delay]
        return x, y

    true = (time - delay) * 0.5 * np.log1p((gain / noise) ** 2)
    return Task(f"long-range-{delay}-of-{time}", true, sample)


def _pairs(dim, n_pairs, rho, within):
    covariance = np.zeros((2 * dim, 2 * dim))
    covariance[:dim, :dim] = covariance[dim:, dim:] = within
    np.fill_diagonal(covariance, 1.0)
    for i in range(n_pairs):
        covariance[i, dim + i] = covariance[dim + i, i] = rho
    return covariance


def _gaussian(name, covariance, dim):
    factor = np.linalg.cholesky(covariance)

    def sample(n, rng):
        draws = rng.normal(size=(n, 2 * dim)) @ factor.T
        return draws[:, :dim], draws[:, dim:]

    return Task(name, gaussian_information(covariance, dim), sample)
