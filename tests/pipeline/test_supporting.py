"""Support columns of a run: the scores of its own columns, places inside the documents."""

import numpy as np
import pytest
from pipeline.answers import DOCUMENTS, answers, pointed_run
from pipeline.worlds import stories

from flowgauge import Record, Settings, measure
from flowgauge.support import ResponseColumns, constants_from_json, support_scores


def scores_again(run, key):
    """`support_scores` of the columns that the run has."""
    c = run[key].columns
    pointer = np.asarray(c["pointer"], dtype=float)
    columns = ResponseColumns(
        density=c["density_nats"],
        surprisal_q=-c["log_q_nats"],
        copied_words=np.asarray(c["copied_words"], dtype=float),
        pointer=None if np.isnan(pointer).all() else pointer,
        sentence=c["sentence"],
    )
    return support_scores(columns, constants_from_json(run.manifest["support"]["constants"]))


@pytest.mark.parametrize("pointers", [True, False])
def test_the_columns_are_the_scores_of_the_other_columns(monkeypatch, pointers):
    run = pointed_run(monkeypatch, settings=Settings(pointers=pointers))
    for key in run:
        item, again = run[key], scores_again(run, key)
        assert item.record["support"] == again.response
        assert item.columns["support"].tolist() == again.tokens.tolist()
        assert item.columns["local_fraction"].tolist() == again.parts.fraction.tolist()
        stored = [s["support"] for s in item.sentences]
        assert stored == again.sentences.tolist()
        has_pointer = item.record["pointer"] is not None
        assert has_pointer is pointers
        if pointers:
            assert item.record["pointer"] == pytest.approx(item.columns["pointer"].mean())


def test_places_lie_in_the_documents_and_hold_the_very_token(monkeypatch):
    run = pointed_run(monkeypatch)
    pointed = 0
    for key in run:
        rows = run.sql(f"select * from tokens where id = '{key}' order by position").to_pylist()
        for t in rows:
            if t["pointer_document"] is None:
                assert t["pointer_start"] is None
                assert t["pointer_end"] is None
                continue
            document = DOCUMENTS[t["pointer_document"]]
            assert 0 <= t["pointer_start"] < t["pointer_end"] <= len(document)
            there = document[t["pointer_start"] : t["pointer_end"]]
            assert there.lower() == t["text"].strip().lower()
            pointed += 1
    assert pointed > 20


def test_source_sentences_are_sentences_of_the_documents_with_shares(monkeypatch):
    # The story model's heads look at little: keep what they look at.
    monkeypatch.setattr("flowgauge.support.sources.LEAST_WEIGHT", 1e-6)
    run = pointed_run(monkeypatch)
    found = [s for key in run for s in run[key].sentences]
    places = [p for s in found for p in s["sources"]]
    assert places
    for s in found:
        weights = [p["weight"] for p in s["sources"]]
        assert weights == sorted(weights, reverse=True)
        assert 0 <= sum(weights) <= 1 + 1e-6  # each is rounded to six digits
    for p in places:
        document = DOCUMENTS[p["document"]]
        assert 0 <= p["start"] < p["end"] <= len(document)
        assert document[p["start"] : p["end"]].rstrip()[-1] == "."


def test_without_a_source_there_is_no_support():
    records = [
        Record(id="none", question="Who?", documents=(), response="Tom had a ball."),
        Record(id="blank", question="Who?", documents=("", "  "), response="Tom had a ball."),
        Record(id="prompt", question="Tom had a ball.", response="Tom had a ball."),
    ]
    run = measure(records, stories())
    for key in ("none", "blank"):
        item = run[key]
        assert item.record["support"] is None
        assert np.isnan(item.columns["support"].astype(float)).all()
        assert {s["support"] for s in item.sentences} == {None}
    assert 0 <= run["prompt"].record["support"] <= 1
    assert run["prompt"].sentences[0]["sources"] is None


def test_truncated_documents_keep_their_places(monkeypatch):
    long = "Tom had a red ball. " * 60
    record = Record(
        id="long", question="What?", documents=(long,), response="Tom had a red ball. " * 8
    )
    run = pointed_run(monkeypatch, [record], settings=Settings(truncate=True))
    assert any("truncated" in note for note in run["long"].record["notes"])
    for t in run.table("tokens").to_pylist():
        if t["pointer_document"] is not None:
            there = long[t["pointer_start"] : t["pointer_end"]]
            assert there.lower() == t["text"].strip().lower()


def test_the_manifest_says_what_support_is_made_of(monkeypatch):
    entry = pointed_run(monkeypatch, answers(1)).manifest["support"]
    assert "pointer" in entry["parts"]
    assert entry["copy_heads"] == [[0, 0], [1, 2]]
    assert "borrowed from smollm2-135m" in entry["words"]
    entry = measure(answers(1), stories(), settings=Settings(pointers=False)).manifest["support"]
    assert "pointer" not in entry["parts"]
    assert "pointers were not asked for" in entry["words"]
