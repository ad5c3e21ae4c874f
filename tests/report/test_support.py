import pytest

from flowgauge.report.support import MISSING, is_unsupported, support_line, support_view


def test_the_view_of_a_run_with_calibrated_support() -> None:
    entry = {"threshold": 0.4, "words": "Two parts.", "calibration": {"words": "On 60 labels."}}
    view = support_view({"support": entry})
    assert (view.threshold, view.words) == (0.4, "Two parts.")
    assert view.calibration == "On 60 labels."
    assert view.missing == ""


@pytest.mark.parametrize("manifest", [{}, {"support": None}, {"support_missing": ""}])
def test_a_run_from_before_support_says_so(manifest: dict[str, object]) -> None:
    view = support_view(manifest)
    assert view.missing == MISSING
    assert view.threshold is None


def test_only_a_support_below_the_threshold_is_unsupported() -> None:
    assert is_unsupported(0.0, 0.4)
    assert not is_unsupported(0.4, 0.4)
    assert not is_unsupported(None, 0.4)
    assert not is_unsupported(0.1, None)


@pytest.mark.parametrize(
    ("supports", "words"),
    [
        ([], ""),
        ([None], ""),
        ([0.1], "The response is unsupported (support below 0.4)."),
        ([0.4], "The response is supported."),
        ([0.4, 0.5], "None of 2 responses is unsupported (support below 0.4)."),
        ([0.1, 0.2, 0.5], "2 of 3 responses are unsupported (support below 0.4)."),
        (
            [0.1, 0.5, None, None],
            "1 of 2 responses is unsupported (support below 0.4); 2 have no support.",
        ),
    ],
)
def test_support_line(supports: list[float | None], words: str) -> None:
    assert support_line(supports, 0.4) == words
    assert support_line(supports, None) == ""


def test_a_calibration_moves_the_threshold_of_responses_alone() -> None:
    view = support_view({"support": {"threshold": 0.5, "sentence_threshold": 0.2}})
    assert (view.threshold, view.sentence_threshold) == (0.5, 0.2)
