"""Accuracy of the estimators of mutual information, beside infomeasure and scikit-learn.

`accuracy_table(quick)` gives one row per task and estimator, in nats; `python
benchmarks/solvers/estimators.py [--quick]` prints them. Tasks of known value after the definitions
of the bmi benchmark (Czyż et al. 2023): Gaussians of total information 0.5 and 2 nats in 1, 2 and 5
pairs, a sparse one, and heavy tails. One draw each: two standard errors are no finding. Quick fits
are cut short and find less.
"""

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from flowgauge.estimators import (
    KSG,
    NWJ,
    SMILE,
    DifferenceOfEntropies,
    DonskerVaradhan,
    InfoNCE,
    Training,
    estimate_mutual_information,
)

Pairs = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    name: str
    dim: int
    covariance: np.ndarray
    df: float = np.inf

    def true_nats(self) -> float:
        """Gaussian information, and what heavy tails add to it."""
        d = self.dim
        parts = (self.covariance[:d, :d], self.covariance[d:, d:], self.covariance)
        x, y, both = (np.linalg.slogdet(part)[1] for part in parts)
        return 0.5 * float(x + y - both) + (0.0 if np.isinf(self.df) else _tails(d, self.df))

    def sample(self, n: int, rng: np.random.Generator) -> Pairs:
        draws = rng.normal(size=(n, 2 * self.dim)) @ np.linalg.cholesky(self.covariance).T
        if np.isfinite(self.df):
            draws *= np.sqrt(self.df / rng.chisquare(self.df, size=(n, 1)))
        return draws[:, : self.dim], draws[:, self.dim :]


def tasks() -> list[Task]:
    """The tasks of the table."""
    gaussian = [
        Task(name=f"gaussian {d}x{d}, {nats} nats", dim=d, covariance=_pairs(d, d, nats / d))
        for d in (1, 2, 5)
        for nats in (0.5, 2.0)
    ]
    two_pairs = -0.5 * np.log(1 - 0.8**2)
    return [
        *gaussian,
        Task(name="sparse 5x5", dim=5, covariance=_pairs(5, 2, two_pairs, within=0.1)),
        Task(name="student 2x2, df 2", dim=2, covariance=_pairs(2, 2, 0.2), df=2),
    ]


def accuracy_table(quick: bool) -> list[dict]:
    """One row per task and estimator; quick ends within 15 s."""
    n = 600 if quick else 5000
    training = (
        Training(hidden=(32,), batch_size=64, learning_rate=1e-2, patience=3, max_steps=150)
        if quick
        else Training()
    )
    rows = []
    for number, task in enumerate(tasks()):
        x, y = task.sample(n, np.random.default_rng(number))
        for name, run in _runners(task, training):
            start = time.perf_counter()
            value, error = run(x, y)
            rows.append(
                {
                    "task": task.name,
                    "estimator": name,
                    "n": n,
                    "true_nats": round(task.true_nats(), 4),
                    "estimate_nats": round(value, 4),
                    "standard_error": None if error is None else round(error, 4),
                    "seconds": round(time.perf_counter() - start, 3),
                }
            )
    return rows


Runner = Callable[[np.ndarray, np.ndarray], tuple[float, float | None]]


def _runners(task: Task, training: Training) -> Iterator[tuple[str, Runner]]:
    """Ours, then the others; those without a standard error give None."""
    ours = (
        DifferenceOfEntropies(training=training),
        DonskerVaradhan(training=training),
        NWJ(training=training),
        InfoNCE(training=training),
        SMILE(training=training),
        KSG(),
    )
    for estimator in ours:

        def run(x: np.ndarray, y: np.ndarray, estimator=estimator) -> tuple[float, float]:
            rng = np.random.default_rng(0)
            result = estimate_mutual_information(x, y, estimator=estimator, rng=rng)
            return result.value_nats, result.standard_error

        yield type(estimator).__name__, run
    yield "infomeasure KSG", _infomeasure
    if task.dim == 1:
        yield "scikit-learn KSG", _scikit_learn


def _infomeasure(x: np.ndarray, y: np.ndarray) -> tuple[float, None]:
    from infomeasure import mutual_information

    return float(mutual_information(x, y, approach="ksg", k=4, base="e")), None


def _scikit_learn(x: np.ndarray, y: np.ndarray) -> tuple[float, None]:
    from sklearn.feature_selection import mutual_info_regression

    return float(mutual_info_regression(x, y[:, 0], n_neighbors=4, random_state=0)[0]), None


def _pairs(dim: int, n_pairs: int, nats: float, within: float = 0.0) -> np.ndarray:
    """Correlation matrix whose first coordinates interact in pairs of so many nats each."""
    covariance = np.zeros((2 * dim, 2 * dim))
    covariance[:dim, :dim] = covariance[dim:, dim:] = within
    np.fill_diagonal(covariance, 1.0)
    for i in range(n_pairs):
        covariance[i, dim + i] = covariance[dim + i, i] = np.sqrt(-np.expm1(-2 * nats))
    return covariance


def _tails(dim: int, df: float) -> float:
    """h(x) + h(y) − h(x, y) of a Student law of unit dispersion, x and y of `dim` each."""
    from scipy.special import digamma, gammaln

    def entropy(k: int) -> float:
        half = 0.5 * (df + k)
        volume = gammaln(0.5 * df) - gammaln(half) + 0.5 * k * np.log(df * np.pi)
        return float(volume + half * (digamma(half) - digamma(0.5 * df)))

    return 2 * entropy(dim) - entropy(2 * dim)


if __name__ == "__main__":
    print(f"{'task':24}{'estimator':24}{'true':>8}{'estimate':>10}{'± s.e.':>9}{'s':>8}")
    for row in accuracy_table(quick="--quick" in sys.argv):
        error = "" if row["standard_error"] is None else f"{row['standard_error']:.3f}"
        print(
            f"{row['task']:24}{row['estimator']:24}{row['true_nats']:8.3f}"
            f"{row['estimate_nats']:10.3f}{error:>9}{row['seconds']:8.2f}"
        )
