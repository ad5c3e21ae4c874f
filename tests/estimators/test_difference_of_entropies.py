"""The default estimator on continuous, discrete and mixed data of known information."""

import numpy as np
import pytest
from oracles.estimators import table_information
from oracles.gaussian_tasks import dense, pairwise, sparse, student

from flowgauge.errors import SettingsError
from flowgauge.estimators import DifferenceOfEntropies, Training, estimate_mutual_information

SMALL = DifferenceOfEntropies(
    components=2, training=Training(hidden=(32,), learning_rate=1e-2, patience=5)
)


def estimate(x, y, estimator=SMALL, seed=0):
    return estimate_mutual_information(x, y, estimator=estimator, rng=np.random.default_rng(seed))


@pytest.mark.parametrize(
    "task",
    [pairwise(1, 0.5), pairwise(1, 2.0), pairwise(3, 1.0), pairwise(5, 2.0), dense(2), sparse(3)],
    ids=lambda t: t.name,
)
def test_gaussians_within_error(task):
    result = estimate(*task.sample(1500, np.random.default_rng(0)))
    # four standard errors over 450 pairs and 0.05 nats of misfit of laws fitted to 750 (measured:
    # up to 0.06 in all)
    assert result.value_nats == pytest.approx(task.true_nats, abs=4 * result.standard_error + 0.05)
    assert not result.is_lower_bound
    assert result.warning == ""


@pytest.mark.parametrize("task", [student(1, 1), student(2, 2)], ids=lambda t: t.name)
def test_heavy_tails_within_error(task):
    result = estimate(*task.sample(2000, np.random.default_rng(1)))
    # four standard errors over 600 pairs and 0.1 nats of misfit of two Gaussians to a Student tail
    assert result.value_nats == pytest.approx(task.true_nats, abs=4 * result.standard_error + 0.1)


def test_independence_gives_about_nought():
    result = estimate(*pairwise(2, 0.0).sample(1500, np.random.default_rng(0)))
    low, high = result.confidence_interval
    assert low <= 0.0 <= high
    # a fit that held-out rows do not support is not kept
    assert abs(result.value_nats) < 0.05


def test_symbols_by_counts():
    joint = np.array([[0.3, 0.05, 0.05], [0.05, 0.15, 0.0], [0.05, 0.1, 0.25]])
    rng = np.random.default_rng(0)
    cell = rng.choice(9, size=20_000, p=joint.reshape(-1))
    result = estimate(cell // 3, cell % 3)
    # three standard errors over 6,000 rows; smoothing of nine cells by 10,000 rows costs about
    # 4/20,000
    assert result.value_nats == pytest.approx(
        table_information(joint), abs=3 * result.standard_error + 0.001
    )
    assert result.steps == 0


def test_independent_symbols_cover_nought():
    rng = np.random.default_rng(3)
    x, y = rng.integers(50, size=1000), rng.integers(4, size=1000)
    low, high = estimate(x, y).confidence_interval
    assert low <= 0.0 <= high


def mixed_information():
    """I of a fair sign s and x = s + N(0, 1): log 2 − E[h(s | x)], by quadrature."""
    x = np.linspace(-12, 12, 20_001)
    density = 0.5 * (np.exp(-((x - 1) ** 2) / 2) + np.exp(-((x + 1) ** 2) / 2)) / np.sqrt(2 * np.pi)
    p = 1 / (1 + np.exp(-2 * x))
    h = -(p * np.log(p) + np.where(p < 1, (1 - p) * np.log(np.maximum(1 - p, 1e-300)), 0.0))
    return np.log(2) - float(np.sum(density * h)) * (x[1] - x[0])


@pytest.mark.parametrize("symbol_last", [True, False], ids=["softmax", "mixture"])
def test_a_symbol_and_a_number(symbol_last):
    rng = np.random.default_rng(0)
    symbol = rng.integers(2, size=1500)
    number = 2.0 * symbol - 1.0 + rng.normal(size=1500)
    x, y = (number, symbol) if symbol_last else (symbol, number)
    result = estimate(x, y)
    # four standard errors over 450 pairs, and 0.02 nats of misfit
    assert result.value_nats == pytest.approx(
        mixed_information(), abs=4 * result.standard_error + 0.02
    )


def test_monotone_maps_of_a_coordinate_change_little():
    x, y = pairwise(1, 1.0).sample(1500, np.random.default_rng(0))
    plain, mapped = estimate(x, y), estimate(x, np.sinh(y))
    # the information is the same; the fits differ by well under two standard errors
    assert mapped.value_nats == pytest.approx(plain.value_nats, abs=2 * plain.standard_error)


def test_no_component_is_refused_in_words():
    with pytest.raises(SettingsError, match="components=0: a mixture has at least 1"):
        DifferenceOfEntropies(components=0)
