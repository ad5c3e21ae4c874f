"""pipeline/unmasking.py: bounds by enumeration, flows for `decide`, verdicts over orders."""

import functools
import math

import numpy as np
import pytest
import torch
from oracles.bounds import mean_over_orders
from oracles.masked_diffusion import RandomLaws, paths, tokens_of
from oracles.tiny_models import tokenizer

import flowgauge as fg
from flowgauge.architectures.family.diffusion import (
    FamilyForMaskedDiffusion,
    MaskedDiffusionConfig,
)
from flowgauge.bounds import ContinuousTime, KMasked, RandomOrder
from flowgauge.errors import RecordError, SettingsError, ShapeError
from flowgauge.flow import flow
from flowgauge.models.masked_diffusion import MaskedDiffusionModel
from flowgauge.models.tabular_masked import TabularMaskedDiffusion
from flowgauge.pipeline.unmasking import (
    decide_over_orders,
    flow_of,
    response_elbo,
    unmasking_flow,
)
from flowgauge.records import Author, Record, Sampling
from flowgauge.scores.plan import Context
from flowgauge.scores.unmasking import score_steps
from flowgauge.scores.unmasking_order import LeastEntropy, Unmasking

FORMS = [ContinuousTime(), RandomOrder(), KMasked()]
PROMPT = 10


def context(prefix, text):
    return Context(np.array(prefix, dtype=np.int64), np.array(text, dtype=np.int64))


@functools.cache
def trained():
    """A small model that learnt: the response counts on from the prompt's last token."""
    torch.manual_seed(0)
    config = MaskedDiffusionConfig(vocab_size=513, width=32, heads=4, mixers=["attention"] * 2)
    net = FamilyForMaskedDiffusion(config).train()
    optimizer = torch.optim.AdamW(net.parameters(), lr=5e-3)
    rng = np.random.default_rng(0)
    for _ in range(120):
        ids = torch.from_numpy(counting(rng, 32))
        labels = ids.clone()
        labels[:, :PROMPT] = -100
        loss = net(ids, labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return MaskedDiffusionModel(net, tokenizer(), "counting")


def counting(rng, rows):
    """(rows, PROMPT + 12) steps of one through 30 letters, a letter in eight at random."""
    ids = 100 + (rng.integers(0, 30, (rows, 1)) + np.arange(PROMPT + 12)) % 30
    return np.where(rng.random(ids.shape) < 1 / 8, rng.integers(100, 130, ids.shape), ids)


@pytest.mark.parametrize("length", [1, 3, 5])
def test_every_form_is_the_mean_over_orders(length):
    lm, text = RandomLaws(3, length, seed=0), [2, 0, 1, 1, 0][:length]

    def predict(mask):
        seen = [lm.mask_id if hidden else t for t, hidden in zip(text, mask, strict=True)]
        return np.log([lm.law([7], seen, i)[t] for i, t in enumerate(text)])

    expected, _ = mean_over_orders(predict, length)
    for form in FORMS:
        bound = response_elbo(context([7], text), lm, form)
        # float64 sums over at most 31 masks and 120 orders
        assert abs(bound.value - expected) < 1e-12
        assert (bound.standard_error, bound.form) == (0.0, form.name)


def test_the_bound_of_a_table_is_its_log_likelihood_with_and_without_a_prompt():
    rng = np.random.default_rng(1)
    lm = TabularMaskedDiffusion(rng.dirichlet(np.ones(27), size=2).reshape(2, 3, 3, 3))
    for prefix, source in (([3], 0), ([4], 1), ([], None)):
        for form in FORMS:
            bound = response_elbo(context(prefix, [2, 0, 1]), lm, form)
            assert abs(bound.value - math.log(lm.joint(source)[2, 0, 1])) < 1e-12


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_draws_of_a_trained_model_are_unbiased(form):
    ids = counting(np.random.default_rng(5), 1)[0]
    short = context(ids[:PROMPT], ids[PROMPT : PROMPT + 6])
    exact = response_elbo(short, trained(), form)
    drawn = response_elbo(short, trained(), form, draws=400, rng=np.random.default_rng(2))
    assert abs(drawn.value - exact.value) < 4 * drawn.standard_error
    # An order at random scatters only as far as the model's laws disagree.
    assert 0 < drawn.standard_error < 0.05 * abs(exact.value)


def test_k_masked_has_less_variance_than_continuous_time_on_a_trained_model():
    ids = counting(np.random.default_rng(7), 1)[0]
    whole = context(ids[:PROMPT], ids[PROMPT:])
    errors = [
        response_elbo(whole, trained(), form, 2000, np.random.default_rng(3)).standard_error
        for form in (KMasked(), ContinuousTime())
    ]
    assert errors[0] ** 2 < 0.5 * errors[1] ** 2


def test_masks_go_through_the_model_together_and_a_seed_repeats():
    lm = RandomLaws(3, 6, seed=0)
    text = context([7], [0, 1, 2, 0, 1, 2])
    first = response_elbo(text, lm, RandomOrder(), 10, np.random.default_rng(0))
    assert lm.passes == 1  # 60 masks
    assert first == response_elbo(text, lm, RandomOrder(), 10, np.random.default_rng(0))
    rng = np.random.default_rng(0)
    assert response_elbo(text, lm, RandomOrder(), 10, rng) == first
    assert response_elbo(text, lm, RandomOrder(), 10, rng) != first  # it has moved on


def test_a_flow_is_that_of_decide_and_of_the_columns():
    rng = np.random.default_rng(0)
    table = rng.dirichlet(np.full(16, 0.3), size=2).reshape(2, 2, 2, 2, 2) * 0.99 + 0.01 / 16
    lm = TabularMaskedDiffusion(table)
    record = Record(id="1", question="0", response="abba", author=Author.OBSERVER)
    found = unmasking_flow(record, lm, rng=np.random.default_rng(1))
    assert np.sort(found.order).tolist() == [0, 1, 2, 3]
    assert found.step.tolist() == [0, 1, 2, 3]
    expected = math.log(table[0, 0, 1, 1, 0] / table.mean(0)[0, 1, 1, 0])
    assert found.flow.total_nats == pytest.approx(expected, abs=1e-12)
    np.testing.assert_allclose(found.flow.drift, found.unmasked.scores.drift)
    verdict = fg.decide(found.flow, author=Author.OBSERVER, sampling=Sampling())
    assert verdict.is_exact
    assert verdict.log_e_value == pytest.approx(found.flow.flow.max(), abs=1e-12)


def test_no_source_no_flow():
    lm = TabularMaskedDiffusion(np.full((2, 2, 2), 0.25))
    found = unmasking_flow(Record(id="1", response="ab"), lm, rng=np.random.default_rng(0))
    assert found.flow.total_nats == 0.0
    assert any("the source is empty" in note for note in found.tokens.notes)


def test_the_flow_of_a_trained_model_rises_with_its_own_prompt_alone():
    rng = np.random.default_rng(9)
    lm, own, other = trained(), [], []
    for ids in counting(rng, 12):
        shifted = 100 + (ids[:PROMPT] - 100 + 11) % 30  # counts from elsewhere
        for prompt, flows in ((ids[:PROMPT], own), (shifted, other)):
            # its Q never saw a prompt left out in training, so it is read after a random one
            tokens = tokens_of(prompt, rng.integers(100, 130, PROMPT), ids[PROMPT:])
            order = [np.array([i]) for i in rng.permutation(12)]
            flows.append(flow_of(score_steps(tokens, lm, order)).total_nats)
    assert np.mean(own) > 3 > 0 > np.mean(other)


def test_mean_over_orders_is_an_e_value_of_the_whole_response():
    # Under a joint law: every order, every text.
    rng = np.random.default_rng(0)
    lm = TabularMaskedDiffusion(rng.dirichlet(np.ones(8), size=2).reshape(2, 2, 2, 2))
    orders = [[np.array([i]) for i in order] for order in ((0, 1, 2), (2, 0, 1))]
    total_with = total_against = 0.0
    for text in np.ndindex(2, 2, 2):
        flows = [flow_of(score_steps(tokens_of([2], [], text), lm, steps)) for steps in orders]
        verdict = decide_over_orders(flows, alpha=0.1)
        total_with += lm.joint(None)[text] * math.exp(verdict.log_e_value)
        total_against += lm.joint(0)[text] * math.exp(verdict.log_e_value_against)
    assert total_with == pytest.approx(1.0, abs=1e-12)
    assert total_against == pytest.approx(1.0, abs=1e-12)
    # Under laws of no joint law: each path along its own steps, and their mean over orders.
    lm = RandomLaws(2, 3, seed=1)
    mean = sum(
        chance * math.exp(-flow_of(score_steps(tokens_of([7], [], text), lm, steps)).total_nats)
        for chance, text, steps in paths(lm, [7], 3, "at random")
    )
    assert mean == pytest.approx(1.0, abs=1e-11)


@pytest.mark.parametrize(
    ("outcome", "densities"),
    [
        ("driven by the source", [5.0, 4.5]),
        ("not from this source", [-3.9, -3.5]),
        ("neither", [0.1, -0.1]),
        ("both", [5.0, -3.9]),
    ],
)
def test_outcomes_over_orders(outcome, densities):
    flows = [flow([-4.0], [-4.0 - d]) for d in densities]
    verdict = decide_over_orders(flows, alpha=0.1)
    assert (verdict.outcome, verdict.orders, verdict.alpha) == (outcome, 2, 0.1)
    assert verdict.log_e_value == pytest.approx(np.log(np.mean(np.exp(densities))))
    assert verdict.log_e_value_against == pytest.approx(
        np.log(np.mean(np.exp(-np.array(densities))))
    )


def test_bad_input_is_refused_in_words():
    lm, rng = RandomLaws(3, 9, seed=0), np.random.default_rng(0)
    text = context([7], [0] * 9)
    with pytest.raises(SettingsError, match="511 masks; enumeration ends at 8"):
        response_elbo(text, lm)
    with pytest.raises(SettingsError, match="draws = 5 without rng"):
        response_elbo(text, lm, draws=5)
    table = TabularMaskedDiffusion(np.full((1, 2, 2), 0.25))
    with pytest.raises(RecordError, match="record '1' cannot be scored: the response is empty"):
        unmasking_flow(Record(id="1", response=""), table, rng=rng)
    with pytest.raises(RecordError, match="cannot be scored: the tokens of the response leave"):
        unmasking_flow(Record(id="1", response="azb"), table, rng=rng)
    with pytest.raises(ShapeError, match=r"0 flows with lengths \[\] came"):
        decide_over_orders([])
    flows = [flow([-1.0] * n, [-2.0] * n) for n in (1, 2)]
    with pytest.raises(ShapeError, match=r"2 flows with lengths \[1, 2\] came"):
        decide_over_orders(flows)
    with pytest.raises(SettingsError, match="alpha"):
        decide_over_orders(flows[:1], alpha=2.0)
    by_law = unmasking_flow(
        Record(id="1", response="ab"), table, Unmasking(order=LeastEntropy()), rng=rng
    )
    assert by_law.order.tolist() == [0, 1]
