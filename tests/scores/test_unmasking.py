"""scores/unmasking.py: every column against its definition, position by position."""

import numpy as np
import pytest
import torch
from oracles.masked_diffusion import RandomLaws
from oracles.masked_diffusion import tokens_of as tokens
from oracles.tiny_models import tokenizer

from flowgauge.architectures.family.diffusion import (
    FamilyForMaskedDiffusion,
    MaskedDiffusionConfig,
)
from flowgauge.errors import SettingsError, ShapeError
from flowgauge.models.masked_diffusion import MaskedDiffusionModel
from flowgauge.records import ORDERS
from flowgauge.scores import ScoreSettings
from flowgauge.scores.plan import Context
from flowgauge.scores.unmasking import masked_log_probabilities, score_steps, score_unmasking
from flowgauge.scores.unmasking_order import (
    LargestProbability,
    LeastEntropy,
    LeftToRight,
    LowConfidenceRemasking,
    Unmasking,
)


def trained_like(seed=0):
    """A small model with wide weights, so that laws depend on what is visible."""
    torch.manual_seed(seed)
    config = MaskedDiffusionConfig(vocab_size=513, width=16, heads=4, mixers=["attention"] * 2)
    net = FamilyForMaskedDiffusion(config)
    with torch.no_grad():
        for parameter in net.parameters():
            if parameter.ndim == 2:
                parameter.normal_(0, 0.3)
    return MaskedDiffusionModel(net, tokenizer(), "tiny")


def by_definition(lm, prefix, text, step, place):
    """(vocab,) law of `place` with the positions of `step` and later ones hidden."""
    seen = [t if shown else lm.mask_id for t, shown in zip(text, step, strict=True)]
    return lm.law(prefix, seen, place)


@pytest.mark.parametrize("per_step", [1, 2, 3])
def test_every_column_is_that_of_the_laws_given_what_was_visible(per_step):
    lm, text = RandomLaws(3, 5, seed=0), [2, 0, 1, 1, 0]
    record = tokens([7], [], text)
    plan = Unmasking(per_step=per_step)
    found = score_unmasking(record, lm, plan, rng=np.random.default_rng(4))
    steps = plan.blind_steps(5, np.random.default_rng(4))
    assert found.order.tolist() == np.concatenate(steps).tolist()
    assert found.step.tolist() == [k for k, s in enumerate(steps) for _ in s]
    row = 0
    visible = np.zeros(5, dtype=bool)
    for step in steps:
        for place in step:
            p = by_definition(lm, [7], text, visible, place)
            q = by_definition(lm, [], text, visible, place)
            ratio = np.log(p / q)
            s = found.scores
            expected = {
                "log_p": np.log(p[text[place]]),
                "log_q": np.log(q[text[place]]),
                "drift": p @ ratio,
                "variance": p @ (ratio - p @ ratio) ** 2,
                "entropy_p": -p @ np.log(p),
                "entropy_q": -q @ np.log(q),
            }
            for name, value in expected.items():
                # float64 sums of three numbers
                assert abs(getattr(s, name)[row] - value) < 1e-12, name
            psi = [np.log(p @ np.exp(order * ratio)) for order in ORDERS]
            np.testing.assert_allclose(s.log_moments[row], psi, atol=1e-12)
            assert s.top_p_ids[row, 0] == p.argmax()
            row += 1
        visible[step] = True


@pytest.mark.parametrize("order", [LeastEntropy(), LargestProbability()])
def test_orders_by_laws_read_the_prompted_law_alone(order):
    lm, text = RandomLaws(3, 4, seed=1), [2, 0, 1, 1]
    rng = np.random.default_rng(0)
    found = score_unmasking(tokens([7], [], text), lm, Unmasking(order=order), rng=rng)
    visible = np.zeros(4, dtype=bool)
    for place in found.order:
        laws = {i: by_definition(lm, [7], text, visible, i) for i in np.flatnonzero(~visible)}
        sure = {
            i: float(p @ np.log(p)) if order.name == "least entropy" else p.max()
            for i, p in laws.items()
        }
        assert place == max(sure, key=lambda i: sure[i])
        visible[place] = True
    other = score_unmasking(tokens([7], [5], text), lm, Unmasking(order=order), rng=rng)
    assert other.order.tolist() == found.order.tolist()


def test_a_trained_models_columns_do_not_depend_on_how_rows_are_batched():
    lm = trained_like()
    rng = np.random.default_rng(0)
    record = tokens(rng.integers(3, 512, 20), [1], rng.integers(3, 512, 30))
    plan = Unmasking(per_step=2)
    whole = score_unmasking(record, lm, plan, rng=np.random.default_rng(1))
    steps = [whole.order[whole.step == k] for k in range(whole.step[-1] + 1)]
    ids = np.concatenate((record.prompt_ids, record.response_ids))
    for k, step in enumerate(steps):
        row = ids.copy()
        row[20 + np.concatenate(steps[k:])] = 512
        keep = np.zeros((1, 50), dtype=bool)
        keep[0, 20 + step] = True
        laws = lm.logits(row[None], keep).double().log_softmax(-1).numpy()
        own = laws[np.arange(len(step)), record.response_ids[step]]
        # float32 logits, other rows in the product
        np.testing.assert_allclose(whole.scores.log_p[whole.step == k], own, atol=2e-5)
    masks = rng.random((40, 30)) < 0.5
    context = Context(record.prompt_ids, record.response_ids)
    one, many = (masked_log_probabilities(context, masks, lm, n) for n in (1, 10_000))
    np.testing.assert_allclose(one, many, atol=2e-5)
    assert (many[~masks] == 0).all()
    assert (many[masks] < 0).all()


def test_rows_of_a_blind_order_go_through_together():
    lm = RandomLaws(3, 12, seed=0)
    record = tokens([7], [], np.zeros(12))
    score_unmasking(record, lm, rng=np.random.default_rng(0))
    assert lm.passes == 2  # one for each law
    lm.passes = 0
    masked_log_probabilities(
        Context(record.prompt_ids, record.response_ids), np.ones((64, 12), dtype=bool), lm
    )
    assert lm.passes == 1


def test_log_p_of_masked_tokens_is_that_of_each_alone():
    lm, text = RandomLaws(4, 3, seed=2), [3, 0, 2]
    masks = np.array([[1, 0, 1], [0, 1, 0], [1, 1, 1], [0, 0, 0]], dtype=bool)
    found = masked_log_probabilities(Context(np.array([9]), np.array(text)), masks, lm)
    for mask, row in zip(masks, found, strict=True):
        for i in range(3):
            law = by_definition(lm, [9], text, ~mask, i)
            expected = np.log(law[text[i]]) if mask[i] else 0.0
            assert abs(row[i] - expected) < 1e-12


def test_an_empty_response_has_empty_columns():
    lm = RandomLaws(3, 0, seed=0)
    found = score_unmasking(tokens([7], [], []), lm, rng=np.random.default_rng(0))
    assert len(found.scores.log_p) == len(found.order) == len(found.step) == 0


def test_settings_reach_the_columns():
    lm = RandomLaws(3, 2, seed=0)
    settings = ScoreSettings(orders=(-1.0,), alternatives=2)
    found = score_steps(tokens([7], [], [0, 1]), lm, [np.array([1]), np.array([0])], settings)
    assert found.scores.log_moments.shape == (2, 1)
    assert found.scores.top_p_ids.shape == (2, 2)


def test_bad_input_is_refused_in_words():
    lm, record = RandomLaws(3, 3, seed=0), tokens([7], [], [0, 1, 2])
    rng = np.random.default_rng(0)
    with pytest.raises(SettingsError, match=r"looks at tokens that are still hidden.*AtRandom\(\)"):
        score_unmasking(record, lm, Unmasking(order=LowConfidenceRemasking()), rng=rng)
    for steps in ([[0, 1]], [[0], [1], [1]], [[0, 1, 2, 3]]):
        with pytest.raises(ShapeError, match="each of 0…2 once was needed"):
            score_steps(record, lm, [np.array(s) for s in steps])
    with pytest.raises(ShapeError, match=r"masks have shape \(2,\) and dtype bool; \(mask, 3\)"):
        masked_log_probabilities(Context(np.array([7]), np.array([0, 1, 2])), np.ones(2, bool), lm)
    unused = score_unmasking(record, lm, Unmasking(order=LeftToRight()), rng=rng)
    assert unused.order.tolist() == [0, 1, 2]
