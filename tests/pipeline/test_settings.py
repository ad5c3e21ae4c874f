"""Settings refuse what cannot be meant, in words."""

import json

import pytest

from flowgauge import Settings
from flowgauge.errors import SettingsError


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"alpha": 0}, "alpha is 0, a level between 0 and 1 was needed"),
        ({"alpha": 1.0}, r"alpha is 1\.0"),
        ({"alpha": float("nan")}, "alpha is nan"),
        ({"pool": 18}, r"a pool of 18 counter-sources cannot reach p = 0\.05; at least 19"),
        ({"pool": -1}, "a pool of -1"),
        ({"precision": "half"}, 'precision is \'half\', "exact" or "fast" was needed'),
        ({"part_rows": 0}, "part_rows is 0, at least 1 was needed"),
        ({"seed": -1}, "seed is -1, 0 or more was needed"),
    ],
)
def test_refused(given, message):
    with pytest.raises(SettingsError, match=message):
        Settings(**given)


def test_every_setting_that_changes_a_number_is_in_the_manifest():
    plain = Settings().as_json()
    json.dumps(plain)
    for change in (
        {"alpha": 0.05}, {"pool": 19}, {"pointers": False}, {"truncate": True},
        {"precision": "fast"}, {"seed": 1}, {"part_rows": 8},
    ):  # fmt: skip
        (key,) = change
        assert Settings(**change).as_json() == {**plain, **change}, key


def test_is_frozen_and_keyword_only():
    with pytest.raises(AttributeError):
        Settings().alpha = 0.5
    with pytest.raises(TypeError):
        Settings(0.05)
