"""Laws by counting: held-out cross-entropies against exact entropies."""

import numpy as np
import pytest

from flowgauge.estimators.counts import held_out_log_p


def test_laws_sum_to_one_over_symbols():
    rng = np.random.default_rng(0)
    y, context = rng.integers(3, size=60), rng.integers(4, size=60)
    total = np.zeros(2)
    for symbol in range(3):
        # the last row is the only one evaluated; its context is kept, its symbol is tried
        tried = y.copy()
        tried[-1] = symbol
        if tried.max() < 2:
            tried[0] = 2
        laws = held_out_log_p(tried, [context], 40, 19)
        total += np.exp([law[0] for law in laws])
    assert total == pytest.approx(np.ones(2), abs=1e-12)


def test_cross_entropy_approaches_the_entropy_from_above():
    rng = np.random.default_rng(1)
    p = np.array([0.5, 0.3, 0.2])
    y = rng.choice(3, size=40_000, p=p)
    (law,) = held_out_log_p(y, [], 20_000, 10_000)
    entropy = -float(p @ np.log(p))
    # evaluated on 10,000: standard deviation of −log p is 0.37, four errors of it
    assert -law.mean() == pytest.approx(entropy, abs=4 * 0.37 / 100)


def test_a_useless_context_costs_nothing():
    rng = np.random.default_rng(2)
    y, context = rng.integers(2, size=400), np.arange(400)
    less, more = held_out_log_p(y, [context], 200, 80)
    # every context is new, so the richer law is the poorer one exactly
    assert np.array_equal(less, more)
