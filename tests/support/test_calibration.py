import dataclasses
import re

import numpy as np
import pytest
from support.runs import MANIFEST, label_rows, memory_run

from flowgauge.errors import (
    InputError,
    RecordError,
    RunError,
    RunMismatchError,
    SettingsError,
    UnreachableError,
)
from flowgauge.support import (
    calibrate,
    clopper_pearson,
    conformal_threshold,
    isotonic_probability,
    labels_from_run,
    measure_reliability,
    parse_labels,
)


@pytest.fixture
def world(rng):
    """(support, supported, run, labels) of 120 responses, 60 of each kind."""
    supported = np.arange(120) % 2 == 0
    support = np.where(supported, rng.beta(6, 2, 120), rng.beta(2, 6, 120))
    run = memory_run(support.tolist())
    return support, supported, run, parse_labels(label_rows(supported), run)


def test_it_joins_threshold_price_curve_and_reliability(world):
    support, supported, run, labels = world
    found = calibrate(run, labels, alpha=0.2, confidence=0.9, future=40)
    assert found.threshold == conformal_threshold(
        support[~supported], alpha=0.2, confidence=0.9, future=40
    )
    passing = int((support[supported] >= found.threshold.threshold).sum())
    assert found.price == clopper_pearson(passing, 60, 0.9)
    assert found.curve == isotonic_probability(support, supported)
    assert found.reliability == measure_reliability(support, supported)
    own = found.provenance
    assert (own.run, own.model, own.fingerprint) == ("toy-run", "toy", "f1")
    assert (own.labels, own.labels_sha256) == (labels.name, labels.sha256)
    assert (own.supported, own.unsupported, own.left_out) == (60, 60, ())
    assert own.score == {
        "law": "model", "reference": "omit", "template": None,
        "parts": ["flow", "pointer"], "constants": {"flow": [0.5, 0.1]},
    }  # fmt: skip
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", own.created)
    assert set(own.versions) == {"flowgauge", "python", "numpy", "scikit-learn", "scipy"}


def test_it_can_be_applied(world):
    support, _, run, labels = world
    found = calibrate(run, labels)
    assert found.passes(support).sum() == found.threshold.passing + found.price.count
    assert found.probability(support) == pytest.approx(found.curve(support), abs=0)
    seen = found.apply(run)
    assert [x.id for x in seen] == list(run)
    assert [x.support for x in seen] == support.tolist()
    assert [x.passes for x in seen] == found.passes(support).tolist()
    assert [x.probability for x in seen] == found.probability(support).tolist()


def test_the_words_name_the_price(world):
    found = calibrate(world[2], world[3])
    p = found.price
    assert found.words == (
        f"{found.threshold.words} Its price: {p.count} of the 60 responses that people found "
        f"supported reach it too ({100 * p.share:.1f} %, 95 % interval {100 * p.lower:.1f} to "
        f"{100 * p.upper:.1f} %); the others are held back."
    )


def test_full_support_of_an_unsupported_response_is_said():
    run = memory_run([1.0] * 30 + [0.9] * 30)
    found = calibrate(run, parse_labels(label_rows([False] * 30 + [True] * 30), run))
    assert "No response can: one that people found unsupported has full support." in found.words
    assert (found.price.count, found.threshold.passing) == (0, 0)


def test_groups_reach_the_folds(world):
    support, supported, run, _ = world
    rows = label_rows(supported)
    for i, row in enumerate(rows[:90]):
        row["group"] = f"s{i // 6}"
    found = calibrate(run, parse_labels(rows, run))
    assert found.reliability.groups == 15 + 30  # a row without a group is its own
    names = [f"group s{i // 6}" if i < 90 else f"id r{i}" for i in range(120)]
    assert found.reliability == measure_reliability(support, supported, groups=names)


def test_responses_without_a_support_are_left_out_and_named(world):
    support, supported, _, _ = world
    values = [*support.tolist()[:-2], None, "its row had no text"]
    run = memory_run(values)
    found = calibrate(run, parse_labels(label_rows(supported), run))
    assert found.provenance.left_out == (
        ("r118", "it was measured but has no support"),
        ("r119", "it could not be measured: its row had no text"),
    )
    assert found.reliability.n == 118
    assert len(found.apply(run)) == 118


def test_of_two_rows_with_one_id_the_measured_one_counts(world):
    support, _, _, labels = world
    values = support.tolist()
    once = memory_run(values)
    rows = once.table("records").to_pylist()
    twice = {**rows[3], "status": "failed", "support": None, "reason": "the id stands already"}
    run = memory_run(values)
    run._tables["records"] = run.table("records").from_pylist(
        [*rows, twice], schema=run.table("records").schema
    )
    assert calibrate(run, labels).threshold == calibrate(once, labels).threshold


def test_from_the_labels_of_the_run(world):
    support, supported, _, labels = world
    rows = memory_run(support.tolist()).table("records").to_pylist()
    for row, fine in zip(rows, supported, strict=True):
        row["labels"] = [] if fine else [{"start": 0, "end": 7, "kind": "conflict"}]
    run = memory_run(support.tolist())
    run._tables["records"] = run.table("records").from_pylist(
        rows, schema=run.table("records").schema
    )
    found = calibrate(run, labels_from_run(run))
    assert found.threshold == calibrate(run, labels).threshold
    assert found.provenance.labels == "records of toy-run"


# -- refused --------------------------------------------------------------------------------------


def test_another_model_is_refused(world):
    support, _, run, labels = world
    found = calibrate(run, labels)
    other = memory_run(
        support.tolist(), {**MANIFEST, "model": {"name": "big", "fingerprint": "f2"}}
    )
    message = (
        r"the calibration 'labels' is for 'toy' \(fingerprint f1\), the run toy-run was seen by "
        r"'big' \(f2\): each model's support has a scale of its own. Calibrate this run"
    )
    for use in (found.check, found.apply):
        with pytest.raises(RunMismatchError, match=message):
            use(other)
    found.check(run)


def test_another_support_score_is_refused(world):
    support, _, run, labels = world
    found = calibrate(run, labels)
    score = {**MANIFEST["support"], "parts": ["flow"]}
    message = (
        r"the calibration 'labels' is for another support score \(parts: \[\"flow\", \"pointer\"\] "
        r"there, \[\"flow\"\] in the run toy-run\); calibrate this run, or measure it again in the"
    )
    with pytest.raises(RunMismatchError, match=message):
        found.check(memory_run(support.tolist(), {**MANIFEST, "support": score}))
    with pytest.raises(RunMismatchError, match=r"\(law: \"model\" there, \"cache\" in the run"):
        found.check(memory_run(support.tolist(), {**MANIFEST, "law": "cache"}))
    # Another threshold or wording is the same score.
    score = {**MANIFEST["support"], "threshold": 0.9, "words": "else"}
    found.check(memory_run(support.tolist(), {**MANIFEST, "support": score}))


def test_runs_that_cannot_be_calibrated(world):
    support, _, _, labels = world
    nameless = memory_run(support.tolist(), {})
    with pytest.raises(RunError, match="the run toy-run does not name the model that saw it"):
        calibrate(nameless, labels)
    empty = memory_run([None] * 120)
    with pytest.raises(RunError, match="has no support: it is null in all 120 records; measure"):
        calibrate(empty, labels)
    old = memory_run([0.5])
    old._tables["records"] = old.table("records").drop_columns(["support"])
    with pytest.raises(RunError, match="no support: its records have no such column; measure it"):
        calibrate(old, parse_labels(label_rows([True]), old))
    short = memory_run(support.tolist()[:5])
    with pytest.raises(RecordError, match="name the record 'r5', which the run toy-run has not"):
        calibrate(short, labels)


def test_too_few_labels_name_those_that_did_not_count():
    run = memory_run([0.1] * 28 + [None] * 7 + [0.8] * 5)
    labels = parse_labels(label_rows([False] * 35 + [True] * 5), run)
    with pytest.raises(
        UnreachableError,
        match=r"28 responses marked unsupported came; 29 are needed .* lower confidence\. 7 "
        r"labelled responses without a support did not count \('r28': it was measured but has no "
        r"support; .*; and 2 more\)$",
    ):
        calibrate(run, labels)
    calibrate(run, labels, alpha=0.2)
    with pytest.raises(SettingsError, match="alpha is 2"):
        calibrate(run, labels, alpha=2)


def test_one_class_only():
    run = memory_run([0.1] * 40)
    with pytest.raises(InputError, match="all 40 responses are marked unsupported; a probability"):
        calibrate(run, parse_labels(label_rows([False] * 40), run))
    with pytest.raises(UnreachableError, match="0 responses marked unsupported came; 29 are need"):
        calibrate(run, parse_labels(label_rows([True] * 40), run))
    with pytest.raises(InputError, match=r"1 supported and 39 unsupported .* at least 2 of each"):
        calibrate(run, parse_labels(label_rows([False] * 39 + [True]), run))


def test_it_is_frozen(world):
    found = calibrate(world[2], world[3])
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.price = None
