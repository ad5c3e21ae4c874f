"""Ways to sample: what is one, what is plain, what is refused."""

import json
from dataclasses import FrozenInstanceError, asdict

import pytest

from flowgauge import Sampling
from flowgauge.errors import SettingsError


def test_plain_sampling_is_the_models_own_law():
    assert Sampling().is_plain
    assert Sampling(temperature=1, top_k=0, top_p=1, min_p=0, repetition_penalty=1).is_plain
    for more in (
        {"temperature": 0.7}, {"temperature": 0}, {"top_k": 1}, {"top_p": 0.99}, {"min_p": 0.01},
        {"repetition_penalty": 1.1}, {"repetition_penalty": 0.9},
    ):  # fmt: skip
        assert not Sampling(**more).is_plain, more


@pytest.mark.parametrize(
    "more",
    [
        {"temperature": -0.1}, {"temperature": float("inf")}, {"temperature": float("nan")},
        {"temperature": 1e-320}, {"top_k": -1},
        {"top_p": 0}, {"top_p": 1.01}, {"top_p": float("nan")},
        {"min_p": -0.01}, {"min_p": 1.01}, {"min_p": float("nan")},
        {"repetition_penalty": 0}, {"repetition_penalty": -1},
        {"repetition_penalty": float("inf")}, {"repetition_penalty": float("nan")},
    ],
    ids=str,
)  # fmt: skip
def test_no_way_to_sample(more):
    [(name, value)] = more.items()
    with pytest.raises(
        SettingsError, match=rf"{name}={value}.* is no way to sample: temperature 0"
    ):
        Sampling(**more)


@pytest.mark.parametrize(
    "more",
    [
        {"temperature": 0}, {"temperature": 1e9}, {"top_k": 10**6}, {"top_p": 1e-12}, {"min_p": 1},
        {"repetition_penalty": 1e-3},
    ],
    ids=str,
)  # fmt: skip
def test_ends_that_are_ways(more):
    assert asdict(Sampling(**more)) == {**asdict(Sampling()), **more}


def test_settings_are_equal_by_value_hashable_and_fixed():
    a, b = Sampling(top_k=3, min_p=0.1), Sampling(min_p=0.1, top_k=3)
    assert a == b
    assert {a, b} == {a}
    with pytest.raises(FrozenInstanceError):
        a.top_k = 4


def test_settings_come_back_from_json():
    given = Sampling(temperature=0.5, top_k=3, top_p=0.9, min_p=0.05, repetition_penalty=1.2)
    assert Sampling(**json.loads(json.dumps(asdict(given)))) == given
