"""A run under the law with a continuous cache: every part of it scores under that law."""

import numpy as np
from pipeline.test_pool import assert_valid, pool_columns
from pipeline.worlds import stories, stories_about, world

from flowgauge import Author, PlainTemplate, Record, Sampling, Settings, measure
from flowgauge.scores import ContinuousCache, score
from flowgauge.text import Omit, align

CACHE = ContinuousCache()
RECORDS = [
    Record(
        id=str(i),
        question="What happened?",
        documents=("Once upon a time there was a little dog. It ran to the big park.",),
        response=response,
    )
    for i, response in enumerate(("The dog ran to the big park.", "A girl ate a cake."))
]


def test_columns_are_those_of_the_law_and_the_manifest_names_it():
    lm = stories()
    run = measure(RECORDS, lm, settings=Settings(law=CACHE))
    template = PlainTemplate()
    tokens = [align(r.id, template.compose(r, Omit()), r.response, lm) for r in RECORDS]
    for t, wanted in zip(tokens, score(tokens, lm, law=CACHE), strict=True):
        np.testing.assert_allclose(run[t.record_id].columns["log_p_nats"], wanted.log_p)
        np.testing.assert_allclose(run[t.record_id].columns["drift_nats"], wanted.drift)
    assert run.manifest["law"] == CACHE.name
    assert run.manifest["notes"] == []
    plain = measure(RECORDS, lm)
    assert run["0"].record["flow_nats"] > plain["0"].record["flow_nats"] + 1


def test_the_pool_test_scores_under_the_law_and_stays_valid():
    e, p, _ = pool_columns(
        measure(stories_about(20), stories(), settings=Settings(law=CACHE, pool=19))
    )
    # float32 log-likelihoods of some 20 tokens.
    assert_valid(e, p, 1e-4)
    other, _, _ = pool_columns(measure(stories_about(20), stories(), settings=Settings(pool=19)))
    assert np.abs(e - other).max() > 0.01


def test_text_of_the_observer_itself_did_not_follow_the_law():
    record = Record(
        id="1",
        question="What happened?",
        documents=("A dog ran.",),
        response="The dog ran.",
        author=Author.OBSERVER,
        sampling=Sampling(),
    )
    run = measure([record], stories(), settings=Settings(law=CACHE))
    assert run["1"].record["is_exact"] is False
    assert "the law scored is not the law sampled from" in run["1"].record["verdict"]
    assert measure([record], stories())["1"].record["is_exact"] is True


def test_a_model_that_shows_nothing_is_noted():
    model, _ = world(0)
    records = [Record(id="1", question="0", response="abc")]
    run = measure(records, model, settings=Settings(law=CACHE))
    (note,) = run.manifest["notes"]
    assert "was asked, but tabular shows no hidden states, so there is no cache" in note
    same = measure(records, model)["1"].columns["log_p_nats"]
    assert run["1"].columns["log_p_nats"].tolist() == same.tolist()
