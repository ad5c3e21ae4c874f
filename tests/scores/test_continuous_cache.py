"""The law with a continuous cache: its definition, its passes, and every test of theory §3."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
import transformers
from oracles.continuous_cache import double, mixed_scores
from oracles.scores import largest_difference
from oracles.tiny_models import tiny, tokenizer

from flowgauge import Settings
from flowgauge.errors import ModelError, SettingsError
from flowgauge.lens import CopyHeads, SourcePointers
from flowgauge.models import HuggingFaceModel, TabularModel, load_model
from flowgauge.records import ORDERS, Record, Tokens
from flowgauge.scores import ContinuousCache, ModelLaw, ScoreSettings, log_likelihood, score
from flowgauge.scores.continuous_cache import _log_normaliser, _Source
from flowgauge.scores.law import Prompted, source_positions
from flowgauge.scores.plan import Context
from flowgauge.text import Omit, PlainTemplate, align

# What the issue promises of single precision; a tenth of it is what is seen.
TOLERANCE = 1e-4
# Double precision; sums of a few hundred terms of size about 1.
EXACT = 1e-6
LAW = ContinuousCache()
STORY = "Once upon a time there was a little dog who loved to play in the big green park. "
OTHER = "One day a girl named Lily went to the river with her mom to look at the fish. "


def tokens_of(lm, records):
    return [align(r.id, PlainTemplate().compose(r, Omit()), r.response, lm) for r in records]


def story_records():
    """A source long enough to be shared by three responses, another, a bare prompt, no source."""
    responses = ("The dog was happy.", "She saw a little dog in the big park.", "He ran.")
    return [
        *(
            Record(id=f"s{i}", question="What then?", documents=(STORY, OTHER + STORY), response=r)
            for i, r in enumerate(responses)
        ),
        Record(id="other", question="Who?", documents=("", OTHER), response="Lily saw the fish."),
        Record(id="prompt", question=STORY, response="The little dog loved the big park."),
        Record(id="nothing", question="What then?", documents=(), response="He ran."),
    ]


@pytest.fixture(scope="module")
def stories():
    return load_model("stories-260k")


FAMILIES = ("llama", "gpt2", "mamba", "mamba2")


def model_named(name):
    return load_model("stories-260k") if name == "stories-260k" else tiny(name)


@pytest.mark.parametrize("name", [*FAMILIES, "stories-260k"])
def test_every_column_is_its_definition(name):
    lm = model_named(name)
    tokens = tokens_of(lm, story_records())
    exact = double(lm._model)
    plain = score(tokens, lm)
    for found, t, model_law in zip(score(tokens, lm, law=LAW), tokens, plain, strict=True):
        wanted = mixed_scores(exact, t, source_positions(t).tolist(), LAW, ORDERS)
        assert largest_difference(found, wanted) < TOLERANCE
        # … and it is another law, where there is a source.
        assert (largest_difference(found, model_law) > 0.1) == (t.record_id != "nothing")
        assert np.array_equal(found.log_q, model_law.log_q)


@pytest.mark.parametrize(
    "law", [ContinuousCache(weight=0.9, sharpness=60, depth=0.5), ContinuousCache(depth=1.0)]
)
def test_other_parameters_are_other_laws(law, stories):
    tokens = tokens_of(stories, story_records()[2:5])
    exact = double(stories._model)
    for found, t in zip(score(tokens, stories, law=law), tokens, strict=True):
        if law.depth == 1:  # the library shows the last layer behind its norm only
            assert largest_difference(found, score([t], stories, law=LAW)[0]) > 0.01
            continue
        wanted = mixed_scores(exact, t, source_positions(t).tolist(), law, ORDERS)
        assert largest_difference(found, wanted) < TOLERANCE


@pytest.mark.parametrize("name", ["llama", "mamba"])
def test_batched_is_single_and_shared_is_unshared(name):
    lm = tiny(name)
    tokens = tokens_of(lm, story_records())
    together = score(tokens, lm, law=LAW)
    unshared = score(tokens, lm, ScoreSettings(share_prefixes=False), law=LAW)
    small = score(tokens, lm, ScoreSettings(batch_tokens=48), law=LAW)
    for t, *others in zip(tokens, together, unshared, small, strict=True):
        [alone] = score([t], lm, law=LAW)
        assert max(largest_difference(alone, x) for x in others) < TOLERANCE


def test_a_source_on_both_sides_of_the_shared_prefix():
    """Two prompts that part within their document: its states come from two passes."""
    lm = tiny("llama")
    records = [
        Record(id=str(i), question="Who?", documents=(2 * STORY + end,), response="A dog.")
        for i, end in enumerate(("It was red.", "It ran home with Lily."))
    ]
    tokens = tokens_of(lm, records)
    exact = double(lm._model)
    for found, t in zip(score(tokens, lm, law=LAW), tokens, strict=True):
        wanted = mixed_scores(exact, t, source_positions(t).tolist(), LAW, ORDERS)
        assert largest_difference(found, wanted) < TOLERANCE


def seen_changes(lm, tokens, law):
    """(logits before, logits after) of every piece of rows that the law changed."""
    pieces = []

    class Spy(ContinuousCache):
        def tap(self, contexts, lm):
            tap = super().tap(contexts, lm)
            inner = tap.change

            def change(logits, context, times):
                before = logits.clone()
                inner(logits, context, times)
                pieces.append((before, logits.clone()))

            tap.change = change
            return tap

    spy = Spy(weight=law.weight, sharpness=law.sharpness, depth=law.depth)
    score(tokens, lm, law=spy)
    return pieces


@pytest.mark.parametrize("name", ["llama", "mamba2"])
def test_the_masses_of_model_and_cache_add_to_one(name):
    lm = tiny(name)
    law = ContinuousCache(weight=0.3)
    pieces = seen_changes(lm, tokens_of(lm, story_records()[:5]), law)
    assert len(pieces) == 5
    for before, after in pieces:
        # Rows after are P′ · Z/(1 − w), Z the mass of the rows before.
        log_ratio = after.double().logsumexp(-1) - before.double().logsumexp(-1)
        mass = (1 - law.weight) * log_ratio.exp()
        np.testing.assert_allclose(mass.numpy(), 1, atol=EXACT)
        assert (after >= before).all()
        assert (after == before).float().mean() > 0.5  # only tokens of the source move


# -- theory §§2–3 by enumeration ------------------------------------------------------------------

VOCAB, TIME = 3, 5
SOURCE = (0, 1, 2, 1, 0, 1, 2)


def small_world(name):
    """A random model over three tokens, and a record for every text of five."""
    size = {"vocab_size": VOCAB, "hidden_size": 16, "num_hidden_layers": 3}
    torch.manual_seed(3)
    if name == "llama":
        config = transformers.LlamaConfig(
            **size, intermediate_size=32, num_attention_heads=2, num_key_value_heads=1
        )
    else:
        config = transformers.MambaConfig(**size, state_size=4)
    model = transformers.AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            if parameter.ndim == 2 and "A_log" not in key:
                parameter.normal_(0, 0.4)
    lm = HuggingFaceModel(model.double(), tokenizer(), f"{name} of three tokens")
    prompt = np.array([1, *SOURCE, 2])
    tokens = [
        Tokens(
            record_id=str(text),
            prompt_ids=prompt,
            reference_ids=np.array([1, 2]),
            response_ids=np.array(text),
            offsets=np.array([(i, i + 1) for i in range(TIME)]),
            prompt_part=np.array([-1, *[0] * len(SOURCE), -1]),
            prompt_offsets=np.zeros((len(prompt), 2), dtype=np.int64),
        )
        for text in itertools.product(range(VOCAB), repeat=TIME)
    ]
    return lm, tokens


@pytest.mark.parametrize("name", ["llama", "mamba"])
def test_every_test_keeps_its_level_by_enumeration_of_all_texts(name):
    lm, tokens = small_world(name)
    found = score(tokens, lm, law=ContinuousCache(weight=0.7))
    log_p = np.array([s.log_p for s in found])
    log_q = np.array([s.log_q for s in found])
    under_p, under_q = np.exp(log_p.sum(1)), np.exp(log_q.sum(1))
    flow = np.cumsum(log_p - log_q, axis=1)
    total = flow[:, -1]
    assert under_p.sum() == pytest.approx(1, abs=EXACT)
    assert under_q.sum() == pytest.approx(1, abs=EXACT)
    # E exp F = 1 under Q, E exp(−F) = 1 under P′.
    assert under_q @ np.exp(total) == pytest.approx(1, abs=EXACT)
    assert under_p @ np.exp(-total) == pytest.approx(1, abs=EXACT)
    for alpha in (0.02, 0.1, 0.3, 0.6):
        crossed = (flow >= np.log(1 / alpha)).any(1)
        against = (flow <= -np.log(1 / alpha)).any(1)
        assert under_q @ crossed <= alpha
        assert under_p @ against <= alpha
    assert under_p @ crossed > under_q @ crossed > 0  # it has power
    # Doob: E F = E A, Var M = E Σv; and every order's ψ makes a martingale of mean 1.
    drift = np.array([s.drift.sum() for s in found])
    assert under_p @ (total - drift) == pytest.approx(0, abs=EXACT)
    variance = np.array([s.variance.sum() for s in found])
    assert under_p @ (total - drift) ** 2 == pytest.approx(under_p @ variance, abs=EXACT)
    for k, order in enumerate(ORDERS):
        psi = np.array([s.log_moments[:, k].sum() for s in found])
        assert under_p @ np.exp(order * total - psi) == pytest.approx(1, abs=EXACT)
    # The law of a step is that of the text before it: texts that share a beginning agree on it.
    first = np.array([s.drift[0] for s in found])
    np.testing.assert_allclose(first, first[0], atol=EXACT)
    assert largest_difference(found[7], score(tokens[7:8], lm)[0]) > 0.05


# -- where there is nothing to remember -----------------------------------------------------------


def test_without_a_source_nothing_changes_and_the_flow_is_exactly_zero():
    lm = tiny("llama")
    [t] = tokens_of(lm, story_records()[-1:])
    [found], [plain] = score([t], lm, law=LAW), score([t], lm)
    assert np.array_equal(found.log_p, plain.log_p)
    for name in ("drift", "variance", "log_moments"):
        assert not getattr(found, name).any()
    assert np.array_equal(found.log_p, found.log_q)


def test_a_source_of_one_token_and_tokens_apart_change_nothing():
    lm = tiny("gpt2")
    [t] = tokens_of(lm, story_records()[:1])
    [plain] = score([t], lm)
    for positions in ([5], [5, 7, 9], []):
        part = np.full(len(t.prompt_ids), -1)
        part[positions] = 0
        if not positions:
            t = replace(t, reference_ids=t.prompt_ids)
        [found] = score([replace(t, prompt_part=part)], lm, law=LAW)
        assert np.array_equal(found.log_p, plain.log_p)


def test_tokens_outside_the_vocabulary_take_no_part():
    source = _Source.of(Prompted(np.array([9, 1, 9, 2, 1]), np.array([0]), np.arange(5)), 9)
    assert source.ids.tolist() == [1, 2]
    assert source.is_cached.tolist() == [True, False, True, True, False]
    assert source.place.tolist() == [0, 0, 1, 0, 0]


def test_a_model_that_shows_nothing_keeps_its_law_and_says_why():
    world = TabularModel.random(sources=3, vocabulary=3, length=2, seed=0)
    [t] = tokens_of(world, [Record(id="1", documents=("abc2",), question="", response="ab")])
    [found], [plain] = score([t], world, law=LAW), score([t], world)
    assert largest_difference(found, plain) == 0
    assert LAW.why_not(world) == (
        "tabular shows no hidden states, so there is no cache and P is its own law"
    )
    assert LAW.why_not(tiny("mamba")) == ""
    assert ModelLaw().why_not(world) == ""


def test_layers_that_cannot_be_found_stop_the_scoring_in_words(monkeypatch):
    lm = tiny("llama")
    monkeypatch.setattr(lm._model.config, "num_hidden_layers", 7)
    with pytest.raises(ModelError, match="num_hidden_layers = 7 modules was looked for"):
        score(tokens_of(lm, story_records()[:1]), lm, law=LAW)
    with pytest.raises(ModelError, match="cannot be told"):
        LAW.why_not(lm)


# -- beside other things --------------------------------------------------------------------------


def test_log_likelihood_is_the_sum_of_the_column():
    lm = tiny("llama")
    tokens = tokens_of(lm, story_records())
    contexts = [LAW.context(t, t.response_ids) for t in tokens]
    contexts.append(LAW.context(tokens[0], tokens[0].response_ids[:0]))
    found = log_likelihood([*contexts, contexts[0]], lm, law=LAW)
    wanted = [s.log_p.sum() for s in score(tokens, lm, law=LAW)]
    np.testing.assert_allclose(found[:6], wanted, atol=TOLERANCE)
    assert found[6] == 0
    assert found[7] == found[0]


def test_contexts_that_hide_their_source_are_refused():
    lm = tiny("llama")
    context = Context(np.array([1, 5, 6]), np.array([7]))
    with pytest.raises(SettingsError, match=r"context 0 does not say where its source stands"):
        log_likelihood([context], lm, law=LAW)


def test_equal_prompts_with_different_sources_are_different_laws():
    lm = tiny("llama")
    [t] = tokens_of(lm, story_records()[:1])
    half = replace(t, prompt_part=np.where(np.arange(len(t.prompt_part)) < 30, t.prompt_part, -1))
    both = score([t, half, t], lm, law=LAW)
    for found, one in zip(both, (t, half, t), strict=True):
        assert largest_difference(found, score([one], lm, law=LAW)[0]) < TOLERANCE
    assert largest_difference(both[0], both[1]) > 0.01
    assert largest_difference(both[0], both[2]) == 0


def test_rides_along_with_a_pointer_probe():
    lm = tiny("llama")
    heads = CopyHeads(heads=((0, 1), (1, 2)), scores=(0.9, 0.8), best=0.9)
    tokens = tokens_of(lm, story_records())
    both = score(tokens, lm, probe=SourcePointers(heads), law=LAW)
    pointers = score(tokens, lm, probe=SourcePointers(heads))
    cached = score(tokens, lm, law=LAW)
    for found, alone, law in zip(both, pointers, cached, strict=True):
        np.testing.assert_allclose(found.pointers.mass, alone.pointers.mass, atol=1e-6)
        assert np.array_equal(found.pointers.position, alone.pointers.position)
        assert largest_difference(found, law) < TOLERANCE


def test_a_text_that_repeats_its_source_is_likelier(stories):
    tokens = tokens_of(
        stories,
        [Record(id="1", question="Again:", documents=(STORY + OTHER,), response=STORY)],
    )
    [found], [plain] = score(tokens, stories, law=LAW), score(tokens, stories)
    assert found.log_p.sum() > plain.log_p.sum() + 10


def test_the_normaliser_is_log_sum_exp(rng):
    x = torch.from_numpy(rng.normal(0, 10, (5, 300_000)))
    wanted = torch.logsumexp(x, -1)
    assert (_log_normaliser(x) - wanted).abs().max() < 1e-12
    # Single precision: values of size 40 carry 2e-6 each.
    assert (_log_normaliser(x.float()) - wanted).abs().max() < 1e-5
    assert (_log_normaliser(x.bfloat16()) - wanted).abs().max() < 0.3


# -- settings -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"weight": 0}, r"weight is 0, a share between 0 and 1 .* ModelLaw\(\)"),
        ({"weight": 1.0}, r"weight is 1\.0"),
        ({"weight": float("nan")}, "weight is nan"),
        ({"sharpness": 0}, "sharpness is 0, a number above 0 was needed"),
        ({"sharpness": float("inf")}, "sharpness is inf"),
        ({"depth": 0}, "depth is 0, a share above 0 and at most 1 was needed"),
        ({"depth": 1.5}, r"depth is 1\.5"),
    ],
)
def test_refused(given, message):
    with pytest.raises(SettingsError, match=message):
        ContinuousCache(**given)


def test_the_name_carries_the_parameters_into_the_manifest():
    law = ContinuousCache(weight=0.25, sharpness=12.5, depth=0.5)
    assert law.name == "continuous cache (weight 0.25, sharpness 12.5, depth 0.5)"
    assert Settings(law=law).as_json() == {**Settings().as_json(), "law": law.name}
    assert Settings().as_json()["law"] == "model"
    with pytest.raises(SettingsError, match=r"law is 'cache', an object was needed: .*ModelLaw"):
        Settings(law="cache")


def test_the_source_of_a_bare_prompt_is_what_the_reference_goes_without():
    lm = tiny("llama")
    prompted, nothing = tokens_of(lm, story_records()[4:6])
    assert source_positions(prompted).tolist() == list(range(1, len(prompted.prompt_ids)))
    assert len(source_positions(nothing)) == 0
    [t] = tokens_of(lm, story_records()[:1])
    hidden = replace(t, prompt_part=np.full(len(t.prompt_part), -1))
    inside = source_positions(hidden)
    documents = source_positions(t)
    # With their scaffold, for nothing says where it ends; the question is in both.
    assert set(documents) <= set(inside)
    assert len(inside) == len(t.prompt_ids) - len(t.reference_ids)
