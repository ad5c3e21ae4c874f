import numpy as np
import pytest
from oracles.masked_diffusion import RandomLaws, paths, probabilities, text_law

from flowgauge.errors import SettingsError, ShapeError
from flowgauge.models.tabular_masked import TabularMaskedDiffusion
from flowgauge.scores.unmasking_draw import draw_unmasked
from flowgauge.scores.unmasking_order import (
    AtRandom,
    LargestProbability,
    LeastEntropy,
    LeftToRight,
    LowConfidenceRemasking,
    Unmasking,
)

EVERY = (AtRandom(), LeftToRight(), LeastEntropy(), LargestProbability(), LowConfidenceRemasking())


def table(vocabulary, length, seed):
    rng = np.random.default_rng(seed)
    flat = rng.dirichlet(np.full(vocabulary**length, 0.8), size=2)
    return flat.reshape((2,) + (vocabulary,) * length)


def counts(lm, prefix, texts, length, unmasking, seed=0, temperature=1.0):
    prefixes = np.tile(np.array(prefix, dtype=np.int64), (texts, 1))
    drawn = draw_unmasked(
        prefixes, length, lm, unmasking, temperature=temperature, rng=np.random.default_rng(seed)
    )
    found = np.zeros((lm.vocabulary_size,) * length)
    for text in drawn:
        found[tuple(text.tokens)] += 1
    return found


def chi_square(found, law):
    """Statistic and degrees of freedom, rare texts pooled."""
    expected = found.sum() * law.ravel()
    rare = expected < 5
    seen = np.append(found.ravel()[~rare], found.ravel()[rare].sum())
    wanted = np.append(expected[~rare], expected[rare].sum())
    some = wanted > 0
    return ((seen - wanted)[some] ** 2 / wanted[some]).sum(), some.sum() - 1


@pytest.mark.parametrize("order", EVERY[:4], ids=lambda o: o.name)
def test_one_token_a_step_follows_the_joint_law_of_a_consistent_model(order):
    t = table(3, 3, seed=0)
    lm = TabularMaskedDiffusion(t)
    law = text_law(lm, [3 + 1], 3, order.name)
    # products of three conditionals of 27 numbers
    np.testing.assert_allclose(law, t[1], atol=1e-12)
    statistic, freedom = chi_square(counts(lm, [3 + 1], 4000, 3, Unmasking(order=order)), t[1])
    # mean + 4 standard deviations of a chi-square law
    assert statistic < freedom + 4 * np.sqrt(2 * freedom)


@pytest.mark.parametrize("per_step", [1, 2])
@pytest.mark.parametrize("order", EVERY, ids=lambda o: o.name)
def test_texts_follow_the_law_of_every_path(order, per_step):
    lm = RandomLaws(2, 3, seed=3)
    law = text_law(lm, [7], 3, order.name, per_step)
    by_paths = np.zeros((2, 2, 2))
    for chance, text, _ in paths(lm, [7], 3, order.name, per_step):
        by_paths[text] += chance
    np.testing.assert_allclose(by_paths, law, atol=1e-12)
    found = counts(lm, [7], 4000, 3, Unmasking(order=order, per_step=per_step))
    statistic, freedom = chi_square(found, law)
    assert statistic < freedom + 4 * np.sqrt(2 * freedom)


def test_several_tokens_a_step_follow_the_product_of_their_marginals():
    lm = TabularMaskedDiffusion(np.array([[[0.5, 0.0], [0.0, 0.5]]]))
    law = text_law(lm, [], 2, "at random", per_step=2)
    np.testing.assert_allclose(law, 0.25)  # the joint law has 0.5, 0, 0, 0.5
    statistic, freedom = chi_square(counts(lm, [], 2000, 2, Unmasking(per_step=2)), law)
    assert statistic < freedom + 4 * np.sqrt(2 * freedom)


def test_low_confidence_remasking_does_not_draw_from_the_model():
    """Two positions, (0.6, 0.4) and a fair coin: the first comes out 0 with 0.84, not 0.6."""
    first = np.array([[0.6, 0.4]]).T @ np.array([[0.5, 0.5]])
    lm = TabularMaskedDiffusion(first[None])
    law = text_law(lm, [], 2, "low-confidence remasking")
    # 0.6 at once; else (0.4) the coin is kept and the token drawn again
    np.testing.assert_allclose(law.sum(1), [0.6 + 0.4 * 0.6, 0.4 * 0.4], atol=1e-12)
    found = counts(lm, [], 4000, 2, Unmasking(order=LowConfidenceRemasking()))
    assert abs(found.sum(1)[0] / 4000 - 0.84) < 4 * np.sqrt(0.84 * 0.16 / 4000)


def test_each_token_comes_with_the_law_it_was_drawn_from():
    lm = RandomLaws(3, 4, seed=5)
    rng = np.random.default_rng(0)
    [text] = draw_unmasked(np.array([[7]]), 4, lm, Unmasking(per_step=2), temperature=0.5, rng=rng)
    state = [None] * 4
    for step in text.steps:
        for place, law in zip(step, probabilities(lm, [7], state, step), strict=True):
            expected = law**2 / (law**2).sum()  # temperature 1/2
            np.testing.assert_allclose(np.exp(text.log_laws[place]), expected, atol=1e-12)
        for place in step:
            state[place] = int(text.tokens[place])
    assert np.sort(text.order).tolist() == [0, 1, 2, 3]


def test_greedy_takes_the_likeliest_and_blocks_come_in_order():
    lm = RandomLaws(4, 6, seed=6)
    plan = Unmasking(order=LargestProbability(), block=2)
    texts = draw_unmasked(
        np.array([[7], [7]]), 6, lm, plan, temperature=0.0, rng=np.random.default_rng(0)
    )
    assert texts[0].tokens.tolist() == texts[1].tokens.tolist()
    assert (np.diff(texts[0].order // 2) >= 0).all()
    assert np.exp(texts[0].log_laws).sum(-1).tolist() == [1.0] * 6
    state = [None] * 6
    for step in texts[0].steps:
        [law] = probabilities(lm, [7], state, step)
        assert texts[0].tokens[step[0]] == law.argmax()
        state[step[0]] = int(law.argmax())


def test_a_pass_a_step_serves_all_texts_and_seeds_repeat():
    lm = RandomLaws(3, 6, seed=0)

    def drawn(seed):
        rng = np.random.default_rng(seed)
        return draw_unmasked(np.array([[7], [8], [9]]), 6, lm, Unmasking(per_step=2), rng=rng)

    first, again, other = drawn(0), drawn(0), drawn(1)
    assert lm.passes == 9
    assert [t.tokens.tolist() for t in first] == [t.tokens.tolist() for t in again]
    assert [t.order.tolist() for t in first] != [t.order.tolist() for t in other]


def test_bad_input_is_refused_in_words():
    lm, rng = RandomLaws(3, 2, seed=0), np.random.default_rng(0)
    with pytest.raises(SettingsError, match=r"length = 0, temperature = 1\.0; a length of at"):
        draw_unmasked(np.array([[7]]), 0, lm, rng=rng)
    with pytest.raises(SettingsError, match=r"temperature = -1\.0"):
        draw_unmasked(np.array([[7]]), 2, lm, temperature=-1.0, rng=rng)
    with pytest.raises(ShapeError, match=r"prefixes have shape \(1,\); \(row, prompt\)"):
        draw_unmasked(np.array([7]), 2, lm, rng=rng)
