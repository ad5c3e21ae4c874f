"""What is measured while a text is written is what scoring it afterwards gives."""

import numpy as np
import pytest
import torch
from live.worlds import MODEL_LAW, prompts, short, stories
from oracles.generation import sampled_law
from oracles.scores import full_laws, largest_difference, scores_of
from oracles.tiny_models import tiny

from flowgauge import Record, Sampling
from flowgauge.live import GenerateSettings, SamplingLaw, generate, generate_many
from flowgauge.live.writing import END_TOKEN
from flowgauge.records import ORDERS
from flowgauge.scores import ModelLaw, score

# What is promised of single precision; a tenth of it is what is seen.
TOLERANCE = 1e-4


def columns(found):
    return score([g.tokens for g in found], stories())


@pytest.mark.parametrize(
    "how", [{}, {"temperature": 0.8, "top_k": 30}, {"temperature": 0}], ids=str
)
def test_columns_of_the_models_law_are_those_of_scoring(how):
    lm = stories()
    found = generate_many(prompts(), lm, sampling=Sampling(**how), settings=MODEL_LAW)
    for g, scored in zip(found, columns(found), strict=True):
        assert len(g.scores.log_p) == len(g.tokens.response_ids) > 0
        assert largest_difference(g.scores, scored) < TOLERANCE
        assert np.array_equal(g.scores.orders, scored.orders)
        assert np.array_equal(g.scores.top_p_ids[:, 0], scored.top_p_ids[:, 0])
        assert g.law == "model"


@pytest.mark.parametrize("family", ["gemma3", "mamba", "gpt2", "qwen3-moe"])
def test_columns_of_other_families(family):
    lm = tiny(family)  # gemma3's window of 16 tokens is shorter than these texts
    found = generate_many(prompts()[:4], lm, settings=MODEL_LAW)
    for g in found:
        assert largest_difference(g.scores, scores_of(lm._model, g.tokens, ORDERS)) < TOLERANCE


@pytest.mark.parametrize(
    "how", [{"temperature": 0.7}, {"top_k": 12, "temperature": 1.3}, {"min_p": 0.1}]
)
def test_columns_of_the_sampling_law_are_those_of_the_laws_by_their_rules(how):
    lm, sampling = stories(), Sampling(**how)
    settings = GenerateSettings(max_tokens=12)
    found = generate("Once upon a time", lm, sampling=sampling, settings=settings).finish()
    t = found.tokens
    p = full_laws(lm._model, t.prompt_ids, t.response_ids).exp().numpy()
    q = full_laws(lm._model, t.reference_ids, t.response_ids).exp().numpy()
    hot = Sampling(temperature=sampling.temperature)  # Q knows the temperature alone
    for j, token in enumerate(t.response_ids):
        law_p, law_q = sampled_law(p[j], sampling, []), sampled_law(q[j], hot, [])
        here = law_p > 0
        ratio = np.log(law_p[here]) - np.log(law_q[here])
        drift = law_p[here] @ ratio
        wanted = {
            "log_p": np.log(law_p[token]),
            "log_q": np.log(law_q[token]),
            "drift": drift,
            "variance": law_p[here] @ (ratio - drift) ** 2,
            "entropy_p": -law_p[here] @ np.log(law_p[here]),
            "entropy_q": -law_q @ np.log(law_q),
        }
        for name, value in wanted.items():
            assert getattr(found.scores, name)[j] == pytest.approx(value, abs=TOLERANCE), name
        moments = [np.log(law_p[here] @ np.exp(order * ratio)) for order in ORDERS]
        np.testing.assert_allclose(found.scores.log_moments[j], moments, atol=TOLERANCE)
    assert found.law == "sampling"


@pytest.mark.parametrize("law", [SamplingLaw(), ModelLaw()])
def test_many_at_once_are_each_alone(law):
    settings = GenerateSettings(law=law, max_tokens=16)
    sampling = Sampling(temperature=0.9, top_p=0.95, repetition_penalty=1.1)
    lm, seeds = stories(), range(40, 50)
    heard = []
    together = generate_many(
        prompts(), lm, sampling=sampling, seeds=seeds, settings=settings,
        progress=lambda done, of: heard.append((done, of)),
    )  # fmt: skip
    assert heard == [(8, 10), (10, 10)]
    for prompt, seed, found in zip(prompts(), seeds, together, strict=True):
        alone = generate(prompt, lm, sampling=sampling, seed=seed, settings=settings).finish()
        assert found.record == alone.record
        assert found.seed == alone.seed == seed
        assert np.array_equal(found.tokens.response_ids, alone.tokens.response_ids)
        # Truncation may leave out alternatives, whose logarithm is −∞ in both.
        for name in ("log_p", "log_q", "drift", "variance", "log_moments", "entropy_q"):
            mine, its = getattr(found.scores, name), getattr(alone.scores, name)
            np.testing.assert_allclose(mine, its, atol=TOLERANCE)


def test_texts_that_end_early_change_nobody(monkeypatch):
    lm = stories()
    ends = [int(lm.tokenize(t).ids[-1]) for t in (".", "a", "!")]
    monkeypatch.setattr(lm._model.generation_config, "eos_token_id", ends)
    assert lm.end_ids == tuple(ends)
    found = generate_many(prompts(), lm, settings=MODEL_LAW)
    ended = [g.stopped_by == END_TOKEN for g in found]
    assert sum(ended) > 2
    assert len({len(g.steps) for g in found}) > 3
    for g, scored in zip(found, columns(found), strict=True):
        assert largest_difference(g.scores, scored) < TOLERANCE
        ids = g.tokens.response_ids.tolist()
        assert not set(ids[:-1]) & set(ends)
        assert (ids[-1] in ends) == (g.stopped_by == END_TOKEN)
        text = lm.detokenize([i for i in ids if i not in ends])
        # At its beginning the tokenizer drops a space that the text has after its prompt.
        assert g.record.response.removeprefix(" ") == text
        assert len(g.tokens.offsets) == len(ids)


def test_seeds_decide():
    lm = stories()

    def text(**more):
        return generate("Once upon a time", lm, settings=MODEL_LAW, **more).finish().record.response

    assert text(seed=1) == text(seed=1)
    assert len({text(seed=s) for s in range(4)}) == 4
    assert text() == text(seed=0)
    greedy = Sampling(temperature=0)
    assert text(sampling=greedy, seed=1) == text(sampling=greedy, seed=2)
    torch.manual_seed(5)
    wanted = torch.rand(1)
    torch.manual_seed(5)
    text()
    assert torch.equal(torch.rand(1), wanted)  # nobody else's random numbers are touched
    default = generate_many(["Tom", "Tom"], lm, settings=MODEL_LAW)
    assert [g.seed for g in default] == [0, 1]
    assert default[0].record.response != default[1].record.response


def test_greedy_is_the_models_own_greedy_text():
    lm = stories()
    found = generate("Once upon a time", lm, sampling=Sampling(temperature=0), settings=MODEL_LAW)
    ids = found.finish().tokens
    wanted = lm.generate(ids.prompt_ids, 16, Sampling(temperature=0), np.random.default_rng(0))
    assert ids.response_ids.tolist() == wanted.tolist()


def test_under_greedy_decoding_the_density_is_the_surprise_of_the_reference():
    settings = GenerateSettings(max_tokens=8)
    found = generate("Tom", stories(), sampling=Sampling(temperature=0), settings=settings).finish()
    assert not found.scores.log_p.any()
    np.testing.assert_allclose(found.scores.variance, 0, atol=1e-24)
    np.testing.assert_allclose(found.scores.drift, -found.scores.log_q, atol=1e-12)


def test_an_empty_source_has_exactly_no_flow():
    for how in (Sampling(), Sampling(temperature=0.7)):
        # Batches of several sizes, for rows of a product may differ in their last bits.
        for some in (prompts(), prompts()[2:4], prompts()[3:4]):
            found = generate_many(some, stories(), sampling=how, settings=short(24))
            for g in found:
                is_empty = g.record.id == "none"
                density = g.scores.log_p - g.scores.log_q
                assert bool(density.any()) == bool(g.scores.drift.any()) == (not is_empty)
                assert is_empty == any("source is empty" in n for n in g.tokens.notes)


@pytest.mark.real
def test_the_default_model_answers_and_is_measured_as_scored(load_preset):
    lm = load_preset("smollm2-135m")
    record = Record(
        id="1", question="What is the capital of France?", response="",
        documents=("France is a country. Its capital is Paris.",),
    )  # fmt: skip
    settings = GenerateSettings(law=ModelLaw(), max_tokens=12)
    greedy = Sampling(temperature=0)
    found = generate_many([record, "Say hello."], lm, sampling=greedy, settings=settings)
    assert found[0].record.response.startswith("The capital of France is Paris")
    for g, scored in zip(found, score([g.tokens for g in found], lm), strict=True):
        assert largest_difference(g.scores, scored) < TOLERANCE
