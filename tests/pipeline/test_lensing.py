"""The lens at the door for records: composition, ablation by leaving documents out, their ranks."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from oracles.lens import stirred

from flowgauge.errors import InputError, RecordError
from flowgauge.lens import read_lens
from flowgauge.lens.ablation import BootstrapSettings
from flowgauge.pipeline.lensing import (
    LeaveOut,
    document_ablation,
    lens_against_ablation,
    lens_of,
)
from flowgauge.records import Record
from flowgauge.scores import log_likelihood
from flowgauge.scores.plan import Context
from flowgauge.text import Omit, PlainTemplate, align

RECORD = Record(
    id="1",
    question="What then?",
    documents=("The dog ran away.", "Lily saw a fish."),
    response="The dog ran. Lily was happy.",
)


def test_a_record_is_read_as_its_tokens_are():
    lm = stirred("llama")
    tokens = align("1", PlainTemplate().compose(RECORD, Omit()), RECORD.response, lm)
    wanted = read_lens(tokens, RECORD, lm, layers=[1])
    found = lens_of(RECORD, lm, layers=[1], template=PlainTemplate())
    np.testing.assert_array_equal(found.effects, wanted.effects)
    assert found.source_text == wanted.source_text


def test_leaving_out_composes_the_prompt_anew():
    lm = stirred("llama")
    found = document_ablation(RECORD, lm, template=PlainTemplate())
    template = PlainTemplate()
    prompts = [RECORD, replace(RECORD, documents=RECORD.documents[1:]),
               replace(RECORD, documents=RECORD.documents[:1])]  # fmt: skip
    contexts = []
    for record in prompts:
        t = align("1", template.compose(record, Omit()), RECORD.response, lm)
        contexts.append(Context(t.prompt_ids, t.response_ids))
    whole, first, second = log_likelihood(contexts, lm)
    assert found.shape == (2, 2)
    np.testing.assert_allclose(found.sum(1), [whole - first, whole - second], atol=1e-3)
    assert abs(found).min() > 1e-4
    assert LeaveOut(1).name == "without document 1"


def test_comparison_over_records():
    lm = stirred("llama")
    records = [RECORD, replace(RECORD, id="2", response="Lily ran away. A fish!")]
    found = lens_against_ablation(records, lm, bootstrap=BootstrapSettings(draws=20))
    assert (found.n, len(found.lens)) == (2, 8)
    first = found.record == 0
    np.testing.assert_allclose(
        found.ablation[first], document_ablation(RECORD, lm).ravel(), atol=1e-4
    )
    np.testing.assert_allclose(
        found.lens[first], lens_of(RECORD, lm).document_sentences.ravel(), atol=1e-6
    )
    assert -1 <= found.documents.low <= found.documents.high <= 1


def test_what_cannot_be_read_says_why():
    lm = stirred("llama")
    with pytest.raises(RecordError, match="record 1 cannot be read: the response is empty"):
        lens_of(replace(RECORD, response=""), lm)
    with pytest.raises(RecordError, match=r"record 1 cannot be read: the prompt has \d+ tokens"):
        lens_of(replace(RECORD, documents=("The dog ran. " * 300,)), lm)
    with pytest.raises(RecordError, match="record 1 has no documents, so none can be left out"):
        document_ablation(replace(RECORD, documents=()), lm)
    with pytest.raises(InputError, match="no record was given"):
        lens_against_ablation([], lm)


@pytest.mark.real
def test_document_totals_rank_like_ablation_on_real_answers(load_preset):
    """Three RAGTruth answers, nine documents: chance gives 0.6 or more once in twenty times."""
    lm = load_preset("smollm2-135m")
    file = Path(__file__).parents[1] / "data" / "ragtruth_qa_200.jsonl"
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    rows = {r["question"]: r for r in reversed(lines)}
    records = [
        Record(id=r["id"], question=r["question"], documents=tuple(r["documents"]),
               response=r["response"])
        for r in list(rows.values())[::-1][:3]
    ]  # fmt: skip
    found = lens_against_ablation(records, lm)
    assert found.n == 3
    assert found.documents.rho > 0.6
    assert found.overall.rho > 0.3
