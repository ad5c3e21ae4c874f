import numpy as np
import pytest
import torch

from flowgauge.errors import SettingsError
from flowgauge.scores.unmasking_order import (
    AtRandom,
    Hidden,
    LargestProbability,
    LeastEntropy,
    LeftToRight,
    LowConfidenceRemasking,
    Unmasking,
)

PLACES = np.array([1, 3, 4])
LAWS = torch.tensor([[0.5, 0.25, 0.25], [0.45, 0.45, 0.1], [0.6, 0.2, 0.2]]).log()


def test_what_each_order_shows_first():
    rng = np.random.default_rng(0)
    drawn = np.log([0.25, 0.45, 0.2])
    hidden = Hidden(positions=PLACES, log_laws=LAWS, log_drawn=drawn)
    # entropies 1.040, 0.949, 0.950; largest probabilities 0.5, 0.45, 0.6
    found = {
        order.name: Unmasking(order=order).choose(hidden, rng).tolist()
        for order in (LeftToRight(), LeastEntropy(), LargestProbability(), LowConfidenceRemasking())
    }
    assert found == {
        "left to right": [0],
        "least entropy": [1],
        "largest probability": [2],
        "low-confidence remasking": [1],
    }


def test_every_order_at_random_is_equally_likely():
    rng, counts = np.random.default_rng(0), {}
    for _ in range(6000):
        steps = Unmasking().blind_steps(3, rng)
        order = tuple(int(s[0]) for s in steps)
        counts[order] = counts.get(order, 0) + 1
    assert len(counts) == 6
    # chi-square with 5 degrees of freedom exceeds 20.5 with probability 0.001
    assert sum((c - 1000) ** 2 / 1000 for c in counts.values()) < 20.5


@pytest.mark.parametrize(("per_step", "block"), [(1, None), (2, None), (3, 4), (1, 3), (5, 2)])
def test_blocks_are_finished_one_after_the_other(per_step, block):
    plan = Unmasking(per_step=per_step, block=block)
    steps = plan.blind_steps(10, np.random.default_rng(1))
    order = np.concatenate(steps)
    assert np.sort(order).tolist() == list(range(10))
    assert all(len(s) <= per_step for s in steps)
    assert all((np.diff(s) > 0).all() for s in steps)
    if block:
        assert (np.diff(order // block) >= 0).all()
        expected = sum(
            -(-len(range(b, min(b + block, 10))) // per_step) for b in range(0, 10, block)
        )
        assert len(steps) == expected


def test_equal_priorities_show_the_first_position():
    hidden = Hidden(positions=PLACES, log_laws=torch.full((3, 2), 0.5).log())
    rng = np.random.default_rng(0)
    plan = Unmasking(order=LeastEntropy(), per_step=2)
    assert plan.choose(hidden, rng).tolist() == [0, 1]


def test_only_low_confidence_remasking_is_not_predictable():
    orders = (AtRandom(), LeftToRight(), LeastEntropy(), LargestProbability())
    assert all(o.is_predictable for o in orders)
    assert [o.reads_laws for o in orders] == [False, False, True, True]
    assert not LowConfidenceRemasking().is_predictable


def test_bad_settings_are_refused_in_words():
    with pytest.raises(SettingsError, match="per_step = 0, block = None; at least 1"):
        Unmasking(per_step=0)
    with pytest.raises(SettingsError, match="block = 0"):
        Unmasking(block=0)
    rng = np.random.default_rng(0)
    with pytest.raises(SettingsError, match="'least entropy' reads laws, so its steps cannot"):
        Unmasking(order=LeastEntropy()).blind_steps(3, rng)
    hidden = Hidden(positions=PLACES)
    with pytest.raises(SettingsError, match="looks at the tokens drawn, so it is an order of a"):
        LowConfidenceRemasking().priority(hidden, rng)
    with pytest.raises(SettingsError, match="but none were given"):
        LeastEntropy().priority(hidden, rng)
