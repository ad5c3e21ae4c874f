import pytest

from flowgauge.report.words import (
    BOTH,
    DRIVEN,
    NEITHER,
    NOT_FROM,
    headline,
    provenance_lines,
    remainder,
)


@pytest.mark.parametrize(
    ("outcomes", "failed", "words"),
    [
        ([], 0, "This run holds no responses."),
        ([], 3, "No response could be measured."),
        ([DRIVEN], 0, "The response is driven by its source."),
        ([NOT_FROM], 1, "The response was not written from its source."),
        (
            [NEITHER],
            0,
            "The evidence does not settle whether the response is driven by its source.",
        ),
        (
            [BOTH],
            0,
            "The response fits neither law: not the model with its source, not the model without.",
        ),
        (["new"], 0, "One response was measured: new."),
        ([NEITHER, NOT_FROM], 0, "None of 2 responses is shown to be driven by its source."),
        ([DRIVEN, NOT_FROM], 0, "1 of 2 responses is driven by its source."),
        ([DRIVEN, DRIVEN, NOT_FROM], 0, "2 of 3 responses are driven by their sources."),
        ([DRIVEN] * 1200, 0, "All 1,200 responses are driven by their sources."),
    ],
)
def test_headline(outcomes: list[str], failed: int, words: str) -> None:
    assert headline(outcomes, failed) == words


@pytest.mark.parametrize(
    ("outcomes", "failed", "words"),
    [
        ([], 0, ""),
        ([DRIVEN, DRIVEN], 0, ""),
        ([NEITHER], 0, ""),
        ([], 1, "1 row failed."),
        (
            [DRIVEN, NEITHER, BOTH, BOTH],
            2,
            "1 is not settled by the evidence, 2 fit neither law, 2 rows failed.",
        ),
        ([NOT_FROM, NOT_FROM], 0, "2 were not written from their sources."),
    ],
)
def test_remainder(outcomes: list[str], failed: int, words: str) -> None:
    assert remainder(outcomes, failed) == words


def test_an_empty_manifest_has_no_lines() -> None:
    assert provenance_lines({}) == []


def test_a_manifest_of_any_shape_becomes_lines() -> None:
    manifest = {
        "a_b": {"c": {"d": 1}, "empty": {}},
        "rows": [1, 2],
        "parts": [{"n": 1}, {"n": None}],
        "none": [],
        "flag": True,
        "off": False,
        "blank": "",
    }
    assert provenance_lines(manifest) == [
        ("a b › c", "d: 1"),
        ("a b › empty", "–"),
        ("rows", "1, 2"),
        ("parts › 0", "n: 1"),
        ("parts › 1", "n: –"),
        ("none", "–"),
        ("flag", "yes"),
        ("off", "no"),
        ("blank", "–"),
    ]
