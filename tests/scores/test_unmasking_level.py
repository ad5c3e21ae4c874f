"""Along which orders of unmasking the tests keep their level: every path of a sampler, summed.

The columns are those of `score_steps` along the steps of each path, so the code that users run is
what is summed. A path's weight is its probability under the sampler.
"""

import numpy as np
import pytest
from oracles.masked_diffusion import RandomLaws, paths, text_law, tokens_of

from flowgauge.anytime import tilted_e_process
from flowgauge.models.tabular_masked import TabularMaskedDiffusion
from flowgauge.scores.unmasking import score_steps

PREDICTABLE = ["at random", "left to right", "least entropy", "largest probability"]
REMASKING = "low-confidence remasking"
PROMPT, REFERENCE = [7], []
#: Sums over at most 384 paths of products of numbers of order 1, float64.
ROUNDING = 1e-11


def drawn_from(lm, prefix, kind, per_step=1, length=3):
    """Probabilities of the paths, and the columns of each along its own steps."""
    found = list(paths(lm, prefix, length, kind, per_step))
    scored = [
        score_steps(tokens_of(PROMPT, REFERENCE, text), lm, steps).scores
        for _, text, steps in found
    ]
    return np.array([chance for chance, _, _ in found]), scored


def mean_of_ratio(chances, scored, sign):
    """E exp(sign · F_N)."""
    totals = np.array([(s.log_p - s.log_q).sum() for s in scored])
    return chances @ np.exp(sign * totals)


@pytest.mark.parametrize("per_step", [1, 2, 3])
@pytest.mark.parametrize("kind", PREDICTABLE)
def test_under_a_predictable_order_every_e_value_has_mean_one(kind, per_step):
    lm = RandomLaws(2, 3, seed=11)  # its laws belong to no joint law
    chances, scored = drawn_from(lm, PROMPT, kind, per_step)
    assert abs(chances.sum() - 1.0) < ROUNDING
    assert abs(mean_of_ratio(chances, scored, -1) - 1.0) < ROUNDING
    log_e = [tilted_e_process(s.log_p - s.log_q, s.log_moments, s.orders) for s in scored]
    np.testing.assert_allclose(chances @ np.exp(log_e), 1.0, atol=ROUNDING)
    # Wald and Doob: E F_N = E A_N, Var M_N = E Σ v
    gain = np.array([(s.log_p - s.log_q).sum() for s in scored])
    drift = np.array([s.drift.sum() for s in scored])
    variance = np.array([s.variance.sum() for s in scored])
    assert abs(chances @ (gain - drift)) < ROUNDING
    assert abs(chances @ ((gain - drift) ** 2 - variance)) < ROUNDING


@pytest.mark.parametrize("kind", PREDICTABLE[:2])
def test_so_it_has_under_the_reference_law(kind):
    lm = RandomLaws(2, 3, seed=11)
    chances, scored = drawn_from(lm, REFERENCE, kind)
    assert abs(mean_of_ratio(chances, scored, +1) - 1.0) < ROUNDING


@pytest.mark.parametrize("seed", range(4))
def test_under_low_confidence_remasking_it_has_not(seed):
    lm = RandomLaws(2, 3, seed=seed)
    chances, scored = drawn_from(lm, PROMPT, REMASKING)
    assert abs(chances.sum() - 1.0) < ROUNDING
    assert abs(mean_of_ratio(chances, scored, -1) - 1.0) > 0.01
    gain = np.array([(s.log_p - s.log_q - s.drift).sum() for s in scored])
    assert abs(chances @ gain) > 0.01


@pytest.mark.parametrize(
    ("q", "expected"),
    # e = q/p of the token at the first position, which is 0 with probability 0.84
    [((0.9, 0.1), 0.84 * 1.5 + 0.16 * 0.25), ((0.3, 0.7), 0.84 * 0.5 + 0.16 * 1.75)],
)
def test_its_mean_may_be_above_one_or_below(q, expected):
    lm = two_laws((0.6, 0.4), q, coins=1, biased=1)
    chances, scored = on_table(lm, 2)
    assert abs(mean_of_ratio(chances, scored, -1) - expected) < ROUNDING
    assert (expected > 1) is (q[0] > 0.6)


def test_the_level_is_lost_by_a_factor_not_by_rounding():
    """Three biased tokens among two coins: rejected at 0.3 with more than 0.5, in any order."""
    lm = two_laws((0.6, 0.4), (0.9, 0.1), coins=2, biased=3)
    alpha, e_values = 0.3, np.array([1.5, 0.25])
    # Positions are independent, so the text alone decides and every order gives the same F_N.
    e = np.prod(np.meshgrid(*[e_values] * 3, [1, 1], [1, 1], indexing="ij"), axis=0)
    drawn = text_law(lm, [2], 5, "at random")
    remasked = text_law(lm, [2], 5, REMASKING)
    assert drawn[e >= 1 / alpha].sum() == pytest.approx(0.6**3, abs=ROUNDING)
    assert drawn[e >= 1 / alpha].sum() <= alpha
    assert (drawn * e).sum() == pytest.approx(1.0, abs=ROUNDING)
    assert remasked[e >= 1 / alpha].sum() > 0.5
    assert (remasked * e).sum() > 1.7


def test_several_tokens_a_step_keep_the_level_but_not_the_joint_law():
    t = np.array([[[0.5, 0.0], [0.0, 0.5]], [[0.1, 0.4], [0.4, 0.1]]])
    lm = TabularMaskedDiffusion(t * 0.9 + 0.1 / 4)
    found = list(paths(lm, [2], 2, "at random", per_step=2))
    scored = [score_steps(tokens_of([2], [], text), lm, steps).scores for _, text, steps in found]
    chances = np.array([chance for chance, _, _ in found])
    assert abs(mean_of_ratio(chances, scored, -1) - 1.0) < ROUNDING
    assert np.abs(text_law(lm, [2], 2, "at random", 2) - lm.joint(0)).max() > 0.2


def test_where_the_model_has_a_joint_law_every_order_has_the_same_sum():
    rng = np.random.default_rng(0)
    lm = TabularMaskedDiffusion(rng.dirichlet(np.ones(27), size=2).reshape(2, 3, 3, 3))
    text = (2, 0, 1)
    expected = np.log(lm.joint(0)[text] / lm.joint(None)[text])
    for _, written, steps in paths(lm, [3], 3, "at random"):
        if written == text:
            s = score_steps(tokens_of([3], [], text), lm, steps).scores
            assert abs((s.log_p - s.log_q).sum() - expected) < ROUNDING


def test_where_it_has_none_another_order_than_the_texts_own_has_not_mean_one():
    """Written from left to right and read from right to left, by laws of no joint law."""
    lm = RandomLaws(2, 3, seed=11)
    back = [np.array([2]), np.array([1]), np.array([0])]
    found = list(paths(lm, PROMPT, 3, "left to right"))
    scored = [
        score_steps(tokens_of(PROMPT, REFERENCE, text), lm, back).scores for _, text, _ in found
    ]
    chances = np.array([chance for chance, _, _ in found])
    assert abs(mean_of_ratio(chances, scored, -1) - 1.0) > 0.01


def two_laws(p, q, *, coins, biased):
    """Independent tokens: some with laws P and Q, then fair coins under both."""

    def joint(law):
        table = np.ones(())
        for one in [law] * biased + [(0.5, 0.5)] * coins:
            table = np.multiply.outer(table, np.array(one))
        return table

    return TabularMaskedDiffusion(joint(p)[None], memory=joint(q))


def on_table(lm, length):
    found = list(paths(lm, [2], length, REMASKING))
    scored = [score_steps(tokens_of([2], [], text), lm, steps).scores for _, text, steps in found]
    return np.array([chance for chance, _, _ in found]), scored
