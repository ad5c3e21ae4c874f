"""Texts under the law they are drawn from: every martingale statement exactly, by all texts.

Tokens are forced upon `Writing`, so that each possible text of a table is written once; its
probability comes from the oracle's own rules. With the model's law under another temperature the
same statements fail, so these tests can.
"""

import copy
from collections import defaultdict

import numpy as np
import pytest
from oracles.generation import every_text, sampled_law
from scipy import stats

from flowgauge import Author, Record, Sampling, TabularModel
from flowgauge.live import GenerateSettings, SamplingLaw, generate, generate_many, writing
from flowgauge.live.writing import FULL_CONTEXT, MOST_TOKENS, Text, Writing
from flowgauge.records import ORDERS
from flowgauge.scores import ModelLaw

LENGTH = 3
WAYS = [
    Sampling(),
    Sampling(temperature=0.7),
    Sampling(temperature=1.8),
    Sampling(top_k=2),
    Sampling(top_p=0.7),
    Sampling(min_p=0.3),
    Sampling(repetition_penalty=1.5),
    Sampling(temperature=0.6, top_k=2, repetition_penalty=1.3),
    Sampling(temperature=1.3, top_p=0.9, min_p=0.05),
    Sampling(temperature=0),
]


def world():
    return TabularModel.random(sources=2, vocabulary=3, length=LENGTH, seed=4)


def forced(monkeypatch, model, source, texts, sampling, law):
    """{text: its steps}, each written token by token as it stands."""
    monkeypatch.setattr(writing, "draw", lambda logits, tokens: next(tokens))
    ready = generate(str(source), model, settings=GenerateSettings(max_tokens=LENGTH)).prompt
    at_work = [Text(ready, model, (), 0) for _ in texts]
    for one, text in zip(at_work, texts, strict=True):
        one.rng = iter(text)
    batch = Writing(at_work, model, sampling, law, LENGTH)
    while not batch.is_over:
        batch.advance()
    return {text: one.steps for text, one in zip(texts, at_work, strict=True)}


def written(monkeypatch, source, sampling, law):
    """Probability of each text under the oracle, and its steps."""
    model = world()
    prompt_ids = model.tokenize(str(source)).ids.tolist()
    law_of_texts = every_text(model, source, sampling, prompt_ids)
    return law_of_texts, forced(monkeypatch, model, source, list(law_of_texts), sampling, law)


def after_each_past(law_of_texts, steps):
    """[(probability of the past, {token: (probability given the past, step)})]."""
    mass = defaultdict(float)
    for text, p in law_of_texts.items():
        for j in range(LENGTH + 1):
            mass[text[:j]] += p
    choices = defaultdict(dict)
    for text in law_of_texts:
        for j in range(LENGTH):
            past, token = text[:j], text[j]
            choices[past][token] = (mass[text[: j + 1]] / mass[past], steps[text][j])
    return [(mass[past], tokens) for past, tokens in choices.items()]


@pytest.mark.parametrize("source", [0, 1])
@pytest.mark.parametrize("sampling", WAYS, ids=str)
def test_statements_about_texts_are_exactly_true_under_the_sampling_law(
    sampling, source, monkeypatch
):
    law_of_texts, steps = written(monkeypatch, source, sampling, SamplingLaw())
    assert sum(law_of_texts.values()) == pytest.approx(1, abs=1e-12)
    covers = not (sampling.top_k or sampling.top_p < 1 or sampling.min_p)
    covers = covers and sampling.temperature > 0
    for _, tokens in after_each_past(law_of_texts, steps):
        p = np.array([p for p, _ in tokens.values()])
        now = [step for _, step in tokens.values()]
        density = np.array([s.density for s in now])
        # What stands before the token does not depend on it.
        assert len({(s.drift, s.variance, s.entropy_p, s.entropy_q) for s in now}) == 1
        np.testing.assert_allclose([np.exp(s.log_p) for s in now], p, atol=1e-12)
        assert p @ density == pytest.approx(now[0].drift, abs=1e-12)
        assert p @ (density - now[0].drift) ** 2 == pytest.approx(now[0].variance, abs=1e-12)
        for order, psi in zip(ORDERS, now[0].log_moments, strict=True):
            assert np.log(p @ np.exp(order * density)) == pytest.approx(psi, abs=1e-12)
        # e^{−F} is a supermartingale, a martingale where P has the whole support of Q.
        gain = p @ np.exp(-density)
        assert gain <= 1 + 1e-12
        if covers:
            assert gain == pytest.approx(1, abs=1e-12)
    p = np.array(list(law_of_texts.values()))
    last = [steps[text][-1] for text in law_of_texts]
    flow, compensator = (np.array([getattr(s, n) for s in last]) for n in ("flow", "compensator"))
    variance = np.array([sum(s.variance for s in steps[text]) for text in law_of_texts])
    assert p @ flow == pytest.approx(p @ compensator, abs=1e-12)
    assert p @ (flow - compensator) ** 2 == pytest.approx(p @ variance, abs=1e-12)
    assert p @ np.exp(-flow) <= 1 + 1e-12
    lowest = np.array([min(s.flow for s in steps[text]) for text in law_of_texts])
    for alpha in (0.5, 0.2, 0.05, 0.01):  # Ville
        assert p @ (lowest <= np.log(alpha)) <= alpha


def worst_drift(law_of_texts, steps):
    """Largest |E[density | past] − drift| and largest E[e^{−density} | past]."""
    gaps, gains = [], []
    for _, tokens in after_each_past(law_of_texts, steps):
        p = np.array([p for p, _ in tokens.values()])
        density = np.array([s.density for _, s in tokens.values()])
        gaps.append(abs(p @ density - next(iter(tokens.values()))[1].drift))
        gains.append(p @ np.exp(-density))
    return max(gaps), max(gains)


@pytest.mark.parametrize("source", [0, 1])
@pytest.mark.parametrize("sampling", [s for s in WAYS if not s.is_plain and s.temperature], ids=str)
def test_the_same_statements_fail_for_the_models_law(sampling, source, monkeypatch):
    gap, gain = worst_drift(*written(monkeypatch, source, sampling, ModelLaw()))
    assert gap > 0.02
    if sampling == Sampling(temperature=0.7):  # no token is left out, so no mass is lost
        assert gain > 1.02


@pytest.mark.parametrize("source", [0, 1])
def test_under_plain_sampling_both_laws_are_one(source, monkeypatch):
    law_of_texts, steps = written(monkeypatch, source, Sampling(), ModelLaw())
    _, its = written(monkeypatch, source, Sampling(), SamplingLaw())
    for text in law_of_texts:
        for mine, other in zip(steps[text], its[text], strict=True):
            assert mine.density == other.density
            assert mine.drift == other.drift


def residuals(texts):
    """(ı − k)/√v of every token that could have been another: mean 0 and variance 1 exactly."""
    steps = [s for g in texts for s in g.steps if s.variance > 1e-9]
    return np.array([(s.density - s.drift) / np.sqrt(s.variance) for s in steps])


def deviations(values):
    """Mean in standard errors from 0, mean square in standard errors from 1."""
    squares = values**2
    root = np.sqrt(len(values))
    return values.mean() / (values.std() / root), (squares.mean() - 1) / (squares.std() / root)


def drawn(count, sampling, law, seed):
    settings = GenerateSettings(max_tokens=LENGTH, law=law)
    return generate_many(
        ["0", "1"] * (count // 2), world(), sampling=sampling, settings=settings,
        seeds=range(seed, seed + count),
    )  # fmt: skip


def test_drawn_texts_follow_the_law_that_their_columns_are_of():
    sampling = Sampling(temperature=0.8, top_p=0.95, repetition_penalty=1.1)
    texts = drawn(600, sampling, SamplingLaw(), 0)
    mean, square = deviations(residuals(texts))
    assert abs(mean) < 4
    assert abs(square) < 4
    total = [g.steps[-1].flow - g.steps[-1].compensator for g in texts]
    assert abs(np.mean(total)) < 4 * np.std(total) / np.sqrt(len(total))
    model = world()
    for source in (0, 1):
        mine = texts[source::2]
        wanted = every_text(model, source, sampling, model.tokenize(str(source)).ids.tolist())
        counts = defaultdict(int)
        for g in mine:
            counts[tuple(g.tokens.response_ids.tolist())] += 1
        assert set(counts) <= set(wanted)
        # Rare texts together, so that no class expects fewer than five.
        often = [text for text, p in wanted.items() if p * len(mine) >= 5]
        seen = [counts[text] for text in often]
        expected = [wanted[text] * len(mine) for text in often]
        seen, expected = ([*x, len(mine) - sum(x)] for x in (seen, expected))
        assert stats.chisquare(seen, expected).pvalue > 0.01


def test_residuals_of_the_models_law_give_another_temperature_away():
    texts = drawn(200, Sampling(temperature=0.5), ModelLaw(), 0)
    mean, square = deviations(residuals(texts))
    assert max(abs(mean), abs(square)) > 6


# -- what a batch does ---------------------------------------------------------------------------


class Ends(TabularModel):
    """A table whose letter "a" ends a text."""

    end_ids = (0,)


def table(kind=TabularModel, length=6):
    model = TabularModel.random(sources=2, vocabulary=4, length=length, seed=1)
    return kind(model.joint * 2)


def test_texts_that_end_leave_the_batch_and_change_nobody():
    model = table(Ends)
    settings = GenerateSettings(max_tokens=6)
    prompts = ["0", "1"] * 6
    together = generate_many(prompts, model, settings=settings)
    lengths = {len(g.steps) for g in together}
    assert len(lengths) > 3
    for seed, (prompt, found) in enumerate(zip(prompts, together, strict=True)):
        alone = generate(prompt, model, seed=seed, settings=settings).finish()
        assert found.tokens.response_ids.tolist() == alone.tokens.response_ids.tolist()
        assert found.scores.log_p.tolist() == alone.scores.log_p.tolist()
        assert found.scores.log_q.tolist() == alone.scores.log_q.tolist()
        assert found.scores.drift.tolist() == alone.scores.drift.tolist()
        assert found.record == alone.record
        assert found.stopped_by == alone.stopped_by


class Watched(TabularModel):
    """A table that notes how many rows each step had."""

    def __init__(self, *tables):
        super().__init__(*tables)
        self.rows = []

    end_ids = (0,)

    def decoder(self, prefixes):
        inner = super().decoder(prefixes)
        self.rows.append(len(prefixes))
        step = inner.step

        def counted(ids):
            self.rows.append(len(ids))
            return step(ids)

        inner.step = counted
        return inner


def test_ended_texts_cost_nothing_more(monkeypatch):
    model = table(Watched)
    monkeypatch.setattr(writing, "draw", lambda logits, tokens: next(tokens))
    ready = generate("0", model, settings=GenerateSettings(max_tokens=6)).prompt
    texts = [Text(ready, model, (), 0) for _ in range(3)]
    for text, ids in zip(texts, ([1, 0], [0], [2, 2, 1, 3]), strict=True):
        text.rng = iter(ids)
    batch = Writing(texts, model, Sampling(), SamplingLaw(), 4)
    sizes = []
    while not batch.is_over:
        sizes.append(len(batch.advance()))
    assert sizes == [3, 2, 1, 1]
    # Two rows a text: what is drawn last is given to nobody.
    assert model.rows == [6, 4, 2, 2]
    assert [t.ids for t in texts] == [[1, 0], [0], [2, 2, 1, 3]]
    assert [t.stopped_by for t in texts] == [writing.END_TOKEN, writing.END_TOKEN, MOST_TOKENS]


def test_an_end_token_is_the_last_step_and_has_no_characters():
    model = table(Ends)
    found = [
        generate("1", model, seed=s, settings=GenerateSettings(max_tokens=6)).finish()
        for s in range(8)
    ]
    ended = [g for g in found if g.stopped_by == writing.END_TOKEN]
    assert ended
    for g in ended:
        ids, offsets = g.tokens.response_ids, g.tokens.offsets
        n = len(g.record.response)
        assert ids[-1] == 0
        assert 0 not in ids[:-1]
        assert (g.steps[-1].text, n) == ("", len(ids) - 1)
        assert offsets.tolist() == [*([i, i + 1] for i in range(n)), [n, n]]
        assert g.record.response == model.detokenize(ids[:-1])
        # It has a probability like every token, so the sums stop at a stopping time.
        assert g.steps[-1].log_p < 0
        assert len(g.scores.log_p) == len(g.steps) == len(ids)


class Short(TabularModel):
    """A table that reads at most five tokens."""

    context_length = 5


@pytest.mark.parametrize(
    ("most", "length", "words"), [(9, 4, FULL_CONTEXT), (4, 4, MOST_TOKENS), (2, 2, MOST_TOKENS)]
)
def test_what_ends_a_text_is_said(most, length, words):
    found = generate("1", table(Short), settings=GenerateSettings(max_tokens=most)).finish()
    assert len(found.steps) == length
    assert found.stopped_by == words


def test_what_is_written_is_the_observers_own():
    given = Record(id="r", question="1", response="not read", meta={"k": 1})
    sampling = Sampling(temperature=0.5)
    found = generate(given, table(), sampling=sampling).finish()
    assert found.record.author is Author.OBSERVER
    assert found.record.sampling == sampling
    assert (found.record.id, found.record.meta) == ("r", {"k": 1})
    assert found.record.response == "".join(s.text for s in found.steps)
    assert found.composition.prompt.endswith("1")
    assert (found.law, found.seed) == ("sampling", 0)


def test_steps_and_columns_are_the_same_numbers():
    found = generate("1", table(), sampling=Sampling(top_k=2)).finish()
    for name in ("log_p", "log_q", "drift", "variance", "entropy_p", "entropy_q"):
        column = getattr(found.scores, name)
        assert column.tolist() == [getattr(s, name) for s in found.steps]
    moments = np.array([s.log_moments for s in found.steps])
    assert np.array_equal(found.scores.log_moments, moments)
    assert found.scores.top_p_ids.shape == (len(found.steps), 4)


def test_a_penalty_reads_prompt_and_response_of_each_text(monkeypatch):
    """A letter in the prompt is scaffold to the table, but the penalty has read it."""
    model, sampling = table(), Sampling(repetition_penalty=3.0)
    seen = {}
    for prompt in ("0", "b0", "bd0"):
        [first] = generate(
            prompt, model, sampling=sampling, settings=GenerateSettings(max_tokens=1)
        )
        law = sampled_law(model.law(0, ()), sampling, model.tokenize(prompt).ids.tolist())
        assert np.exp(first.log_p) == pytest.approx(law[first.token], abs=1e-12)
        seen[prompt] = first.entropy_p
    assert len(set(seen.values())) == 3
    together = generate_many(
        list(seen), model, sampling=sampling, settings=GenerateSettings(max_tokens=1)
    )
    assert [g.steps[0].entropy_p for g in together] == list(seen.values())


def test_a_copy_of_the_model_is_not_needed_between_texts():
    """Nothing of one text is left in the model for the next."""
    model = table(Ends)
    before = copy.deepcopy(model.__dict__)
    first = generate("0", model, seed=3).finish()
    assert {k: str(v) for k, v in model.__dict__.items()} == {k: str(v) for k, v in before.items()}
    again = generate("0", model, seed=3).finish()
    assert first.record == again.record
