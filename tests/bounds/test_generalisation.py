import numpy as np
import pytest

from flowgauge.bounds import generalisation_bound
from flowgauge.bounds.generalisation import MULTIPLIERS
from flowgauge.errors import DistributionError, SettingsError, ShapeError


def world(rng, time, models=4):
    """A Markov text with a known law, and a few fixed models of it: losses, ranges, true risks.

    The best model is chosen after the text was seen, which is what the prefix code pays for.
    """
    law = np.array([[0.6, 0.3, 0.1], [0.1, 0.2, 0.7], [0.3, 0.4, 0.3]])
    logits = np.random.default_rng(99).normal(scale=1.5, size=(models, 3, 3))
    logits[0] = np.log(law)
    log_q = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    risk = -(law * log_q).sum(axis=-1)
    state = np.zeros(time + 1, dtype=int)
    steps = rng.random(time)
    cumulative = law.cumsum(axis=1)
    for k in range(time):
        state[k + 1] = min(int(np.searchsorted(cumulative[state[k]], steps[k])), 2)
    past, now = state[:-1], state[1:]
    losses = -log_q[:, past, now]
    ranges = np.ptp(logits, axis=-1)[:, past]
    return losses, ranges, np.cumsum(risk[:, past], axis=1) / np.arange(1, time + 1)


def test_coverage_for_all_models_at_all_times():
    """1,000 texts of 200 tokens: the bound of every model must hold after every token at once."""
    rng, delta, broken = np.random.default_rng(0), 0.2, 0
    for _ in range(1000):
        losses, ranges, risk = world(rng, 200)
        for model in range(4):
            bound = generalisation_bound(losses[model], ranges[model], np.log(4), delta).bound
            if (bound < risk[model]).any():
                broken += 1
                break
    assert broken <= delta * 1000


def test_one_multiplier_breaks_at_most_at_its_level_and_not_never():
    """The test above could pass with a bound that is far too wide; this one is nearly tight.

    Fair signs with range 2 make Hoeffding's lemma nearly exact: at one λ the level is met.
    """
    rng, delta, broken = np.random.default_rng(1), 0.2, 0
    for _ in range(1000):
        losses = rng.choice([0.0, 2.0], 400)
        bound = generalisation_bound(losses, np.full(400, 2.0), 0.0, delta, [0.05]).bound
        broken += bool((bound < 1.0).any())
    # binomial error: 4 √(0.2·0.8/1000) = 0.05
    assert 0.05 * 1000 < broken <= (delta + 0.05) * 1000


def test_formula_term_by_term():
    losses, ranges = np.array([1.0, 2.0, 0.5]), np.array([3.0, 4.0, 5.0])
    bound = generalisation_bound(losses, ranges, 7.0, 0.1, [0.5])
    price = 7.0 + np.log(1 / 0.1)
    for m in (1, 2, 3):
        expected = losses[:m].mean() + price / (0.5 * m) + 0.5 * (ranges[:m] ** 2).sum() / (8 * m)
        assert abs(bound.bound[m - 1] - expected) < 1e-13
    assert bound.value == bound.bound[-1]
    assert (bound.multiplier, bound.code_length_nats) == (0.5, 7.0)


def test_the_grid_is_charged_and_chosen_from():
    losses, ranges = np.full(50_000, 1.5), np.full(50_000, 3.0)
    bound = generalisation_bound(losses, ranges, 300.0)
    price = 300.0 + np.log(len(MULTIPLIERS) / 0.05)
    best_possible = 1.5 + np.sqrt(price * 9.0 / (2 * 50_000))
    # two λ per octave: at worst 2^{1/4} off the best λ, which costs 1.5 %
    assert best_possible <= bound.value <= 1.5 + 1.016 * (best_possible - 1.5)
    assert not bound.is_vacuous(50)
    assert bound.is_vacuous(3)


def test_a_range_from_logits_covers_every_token():
    logits = np.random.default_rng(2).normal(size=20)
    losses = np.log(np.exp(logits).sum()) - logits
    assert np.ptp(losses) == pytest.approx(np.ptp(logits))


@pytest.mark.parametrize(
    ("losses", "ranges", "length", "delta", "error", "text"),
    [
        ([-1.0], [1.0], 0.0, 0.1, DistributionError, r"losses\[0\] = -1.0"),
        ([1.0], [np.nan], 0.0, 0.1, DistributionError, r"logit_ranges\[0\] = nan"),
        ([], [], 0.0, 0.1, ShapeError, "a list"),
        ([1.0], [1.0, 2.0], 0.0, 0.1, ShapeError, "shapes must be equal"),
        ([1.0], [1.0], -1.0, 0.1, SettingsError, "code_length_nats = -1.0"),
        ([1.0], [1.0], 0.0, 1.0, SettingsError, "delta = 1.0"),
    ],
)
def test_bad_input_is_named(losses, ranges, length, delta, error, text):
    with pytest.raises(error, match=text):
        generalisation_bound(losses, ranges, length, delta)


def test_a_grid_of_nonsense():
    with pytest.raises(SettingsError, match="multipliers"):
        generalisation_bound([1.0], [1.0], 0.0, 0.1, [-1.0])
