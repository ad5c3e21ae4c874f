"""JSON and events as they travel."""

import json
import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from flowgauge.serve.stream import Message, encode_event, jsonable, to_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(VALUES)
def test_what_travels_is_json_in_utf8_and_comes_back(value):
    assert json.loads(to_json(value).decode("utf-8")) == jsonable(value)


@given(VALUES, st.integers(1, 10**6))
def test_an_event_is_three_lines_whatever_it_carries(value, number):
    event = encode_event(number, Message("step", {"value": value}))
    first, second, third, *rest = event.split(b"\n")
    assert (first, second, rest) == (b"id: %d" % number, b"event: step", [b"", b""])
    assert third.startswith(b"data: ")
    assert b"\r" not in event
    assert json.loads(third[6:]) == {"value": jsonable(value)}


def test_numbers_that_json_lacks():
    numbers = [math.inf, -math.inf, math.nan, np.float64("inf"), np.int64(3), np.float32(0.5)]
    assert jsonable(numbers) == ["Infinity", "-Infinity", None, "Infinity", 3, 0.5]
    assert json.loads(to_json({"x": np.array([1.0, math.nan])})) == {"x": [1.0, None]}


def test_half_a_character_travels_as_an_escape():
    assert to_json("a\ud800b") == b'"a\\ud800b"'
    assert to_json("😀") == '"😀"'.encode()
