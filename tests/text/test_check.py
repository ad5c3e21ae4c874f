"""Texts that could not be tokenized or stored are refused before a model sees them."""

import pytest

from flowgauge.errors import RecordError
from flowgauge.records import Label, Record, Turn
from flowgauge.text import check_record
from flowgauge.text.check import storable

GOOD = {"id": "r", "question": "Why?", "response": "So.\tYes\n"}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"response": ""}, "the response is empty"),
        ({"response": " \n"}, "the response is empty"),
        ({"response": None}, "response is NoneType None, a string was needed"),
        ({"response": "a\x00b"}, r"response holds the control character U\+0000 at character 1"),
        ({"response": "\x1b[31m"}, r"control character U\+001B at character 0"),
        ({"question": "ab\x7f"}, r"question holds the control character U\+007F at character 2"),
        ({"response": "\ud800"}, r"response holds the lone surrogate U\+D800 at character 0"),
        ({"id": "\udfff"}, r"id holds the lone surrogate U\+DFFF"),
        ({"id": 3}, "id is int 3"),
        ({"documents": ("ok", "\ud83d")}, r"document 1 holds the lone surrogate U\+D83D"),
        ({"documents": ("ok", 4)}, "document 1 is int 4"),
        ({"documents": "one text"}, "documents is the string 'one text', a tuple"),
        ({"turns": ({"role": "user"},)}, "turn 0 is {'role': 'user'}, a flowgauge.Turn"),
        ({"turns": (Turn(role="\ud800", content="x"),)}, "the role of turn 0 holds"),
        ({"turns": (Turn(role="u", content="\x00"),)}, "the content of turn 0 holds"),
        ({"labels": (Label(start=0, end=1, kind="\ud800"),)}, "the kind of label 0"),
        ({"labels": ((0, 1),)}, r"label 0 is \(0, 1\), a flowgauge.Label"),
        ({"meta": {"a": "\ud800"}}, "meta holds a lone surrogate"),
        ({"meta": {(1, 2): 3}}, "meta cannot be written as JSON"),
    ],
)
def test_says_what_and_where(fields, message):
    with pytest.raises(RecordError, match=message):
        check_record(Record(**{**GOOD, **fields}))


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"response": "tabs\tlines\r\nemoji 😀 bidi \u202e zero-width \u200b nbsp \xa0"},
        {"documents": ()},
        {"documents": ["a list will do"]},
        {"meta": {"a": [1, {"b": object()}], "n": float("nan")}},
    ],
)
def test_lets_everything_else_pass(fields):
    check_record(Record(**{**GOOD, **fields}))


def test_storable_replaces_half_pairs_alone():
    assert storable("a\ud800b😀") == "a\ufffdb😀"
