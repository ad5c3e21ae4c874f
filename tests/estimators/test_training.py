"""Settings of fits and the three splits."""

import pytest

from flowgauge.errors import SettingsError, ShapeError
from flowgauge.estimators import Training


def test_splits_cover_all_rows():
    for n in (50, 333, 2000):
        assert sum(Training().split_sizes(n)) == n


def test_too_few_rows_are_refused_in_words():
    with pytest.raises(ShapeError, match=r"30 rows make splits of \(15, 6, 9\)"):
        Training().split_sizes(30)


@pytest.mark.parametrize(
    "wrong",
    [
        {"hidden": (0,)},
        {"batch_size": 1},
        {"max_steps": 0},
        {"patience": 0},
        {"learning_rate": 0.0},
        {"learning_rate": float("nan")},
    ],
)
def test_settings_out_of_range_are_refused_in_words(wrong):
    with pytest.raises(SettingsError, match="widths, steps and patience of at least 1"):
        Training(**wrong)


@pytest.mark.parametrize("fractions", [(0.0, 0.3), (0.5, 0.5), (0.2, -0.1)])
def test_fractions_that_leave_nothing_are_refused_in_words(fractions):
    with pytest.raises(SettingsError, match="both fractions must be positive"):
        Training(validation_fraction=fractions[0], evaluation_fraction=fractions[1])
