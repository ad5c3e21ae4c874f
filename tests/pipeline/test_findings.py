"""Findings: what a run says of each row, with the nearest source of each low sentence."""

import pytest
from pipeline.found import DOCUMENTS, MANIFEST, made_up_run

from flowgauge.errors import RunError, SettingsError
from flowgauge.pipeline.findings import findings, nearest_words, sentence_lines, thresholds
from flowgauge.pipeline.nearest import nearest_by_words


def test_one_finding_a_row_none_passes_in_silence():
    good, bad, none, broken = findings(made_up_run())
    assert (good.id, good.support, good.is_supported, good.sentences) == ("good", 0.8, True, ())
    assert (bad.support, bad.is_supported, bad.has_failed, bad.why_none) == (
        0.123,
        False,
        False,
        "",
    )
    assert [s.text for s in bad.sentences] == ["The cat ate Bob. ", "Zzz!"]
    assert (none.is_supported, none.has_failed) == (False, False)
    assert none.why_none.startswith("it has no source: its documents hold no text")
    assert (broken.is_supported, broken.has_failed, broken.row) == (False, True, 3)
    assert broken.why_none == "it could not be measured: RecordError: the row has no response"


def test_a_threshold_of_ones_own_is_for_sentences_too():
    good, bad, *_ = findings(made_up_run(), 0.9)
    assert [s.text for s in good.sentences] == ["Bob sang."]  # 0.9 reaches 0.9
    assert len(bad.sentences) == 3
    assert all(f.is_supported for f in findings(made_up_run(), 0.0)[:2])


def test_where_no_sentence_is_low_the_least_supported_one_is_shown():
    manifest = {**MANIFEST, "support": {"threshold": 0.9, "sentence_threshold": 0.01, "words": ""}}
    run = made_up_run(manifest)
    assert thresholds(run) == (0.9, 0.01)
    good, bad, *_ = findings(run)
    assert [(s.text, s.is_supported) for s in bad.sentences] == [("Zzz!", True)]
    assert [s.text for s in good.sentences] == ["Bob sang."]


def test_nearest_is_where_it_points_or_else_by_common_words():
    low = findings(made_up_run(), 0.9)[1].sentences
    cat, left, nothing = low
    assert (cat.nearest.found, cat.nearest.text) == ("most words in common", "Then the cat slept.")
    assert sentence_lines(cat, 0.2) == [
        "⚠ unsupported 0.1996: The cat ate Bob.",
        "    nearest source, document 0 (most words in common): Then the cat slept.",
    ]
    assert (left.nearest, left.nearest.found) == (left.sources[0], "pointed at")
    assert nearest_words(left) == "nearest source, document 0 (pointed at): Ann came home."
    assert nothing.nearest is None
    assert nearest_words(nothing) == "no source sentence has a word in common with it"


def test_rare_words_decide_and_the_first_of_equals():
    documents = ["The dog ran. The dog ate.", "The cat ran."]
    assert nearest_by_words("The cat.", documents).text == "The cat ran."
    found = nearest_by_words("the dog", documents)
    assert (found.document, found.start, found.text.strip()) == (0, 0, "The dog ran.")
    assert found.weight == 1.0
    for text in ("", "!?", "zebra"):
        assert nearest_by_words(text, documents) is None
    assert nearest_by_words("dog", []) is None
    assert nearest_by_words("BOB", DOCUMENTS).document == 1


def test_bad_input():
    for value in (-0.1, 1.5, float("nan")):
        with pytest.raises(SettingsError, match=r"at_least is .*, a support between 0 and 1"):
            findings(made_up_run(), value)
    for manifest in ({}, {"support": {}}, {"support": None}):
        with pytest.raises(RunError, match="the run toy-run has no support; measure it again"):
            findings(made_up_run(manifest))
