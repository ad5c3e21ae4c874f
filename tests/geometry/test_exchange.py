import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.geometry import best_permutation

from flowgauge.geometry import exchange as module

SEEDS = st.integers(0, 10**6)


def symmetric(seed, n):
    """Two symmetric matrices whose diagonals are not 0, and a permutation."""
    rng = np.random.default_rng(seed)
    c, d = rng.standard_normal((n, n)), rng.standard_normal((n, n))
    return c + c.T, d + d.T, rng.permutation(n)


def distortion(c, d, order):
    return float(np.sum((c - d[np.ix_(order, order)]) ** 2))


def distortions_after_one_exchange(c, d, order):
    """By hand: every pair exchanged in turn, as {(i, j): distortion}."""
    values = {}
    for i in range(len(order)):
        for j in range(i):
            other = order.copy()
            other[[i, j]] = other[[j, i]]
            values[i, j] = distortion(c, d, other)
    return values


@given(SEEDS, st.integers(2, 8))
@settings(derandomize=True, deadline=None, max_examples=40)
def test_gains_are_those_of_every_pair(seed, n):
    c, d, order = symmetric(seed, n)
    b = d[np.ix_(order, order)]
    gains = module._gains(c, b)
    before = distortion(c, d, order)
    for (i, j), value in distortions_after_one_exchange(c, d, order).items():
        # the squares stay, the cross term counts twice; sums of at most 64 terms of order 10
        wanted = (before - value) / 2
        found = (gains[i, j], gains[j, i], module._gain(c, b, i, j))
        np.testing.assert_allclose(found, wanted, atol=1e-11)


@given(SEEDS, st.integers(2, 12))
@settings(derandomize=True, deadline=None, max_examples=40)
def test_exchanges_end_where_no_pair_helps(seed, n):
    c, d, order = symmetric(seed, n)
    before = order.copy()
    found, sweeps = module.exchange(c, d, order, 1_000)
    assert sorted(found.tolist()) == list(range(n))
    after = distortion(c, d, found)
    assert after <= distortion(c, d, before) + 1e-11
    assert min(distortions_after_one_exchange(c, d, found).values()) >= after - 1e-9
    assert sweeps < 1_000
    np.testing.assert_array_equal(order, before)  # the argument is left alone
    if n <= 5:
        assert after >= n**2 * best_permutation(c, d) - 1e-11


def test_sweeps_can_be_cut_short():
    c, d, order = symmetric(1, 30)
    found, sweeps = module.exchange(c, d, order, 1)
    whole, more = module.exchange(c, d, order, 1_000)
    assert sweeps == 1 < more
    assert distortion(c, d, order) > distortion(c, d, found) > distortion(c, d, whole)


def test_only_permutations_are_taken_for_such():
    assert module.permutation_of(np.full((2, 2), 0.25)) is None
    assert module.permutation_of(np.full((2, 3), 1 / 6)) is None
    assert module.permutation_of(np.array([[0.5, 0.0], [0.5, 0.0]])) is None
    np.testing.assert_array_equal(module.permutation_of(np.eye(3)[[2, 0, 1]] / 3), [2, 0, 1])
