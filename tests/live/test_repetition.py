"""The monitor of repeated text: it speaks exactly where the rule says, on any text."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowgauge.errors import SettingsError
from flowgauge.live import Meter, Repetition, stop
from flowgauge.live.repetition import MOST_LENGTH

LAW = np.log(np.full(5, 0.2))


def said(monitor, tokens):
    """Positions at which it speaks."""
    meter = Meter()
    events = [monitor.observe(meter.read(LAW, LAW, token)) for token in tokens]
    return [e.position for e in events if e]


def repeats(tokens, length, copies):
    """Whether the end is a block of at least `length` tokens, `copies` times running: by trying."""
    for block in range(length, len(tokens) // copies + 1):
        end = tokens[len(tokens) - copies * block :]
        if all(end[k * block : (k + 1) * block] == end[:block] for k in range(copies)):
            return True
    return False


@settings(derandomize=True, deadline=None, max_examples=200)
@given(
    tokens=st.lists(st.integers(0, 1), max_size=40),
    length=st.integers(1, 5),
    copies=st.integers(2, 4),
)
def test_speaks_where_the_end_becomes_a_repeated_block(tokens, length, copies):
    is_loop = [repeats(tokens[: j + 1], length, copies) for j in range(len(tokens))]
    wanted = [j for j, now in enumerate(is_loop) if now and not (j and is_loop[j - 1])]
    assert said(Repetition(length, copies), tokens) == wanted


def test_a_text_without_repetition_says_nothing():
    assert said(Repetition(), [0, 1, 2, 3, 4, 3, 2, 1, 0, 2, 4, 1, 3] * 2) == []


def test_the_words_name_the_block_and_how_often():
    monitor, meter = Repetition(action=stop), Meter()
    events = [monitor.observe(meter.read(LAW, LAW, token)) for token in [4, *[0, 1, 2, 3] * 3]]
    [event] = [e for e in events if e]
    assert (event.position, event.stops, event.values["length_tokens"]) == (12, True, 4)
    assert "its last 4 tokens have stood 3 times running" in event.words
    assert monitor.state == {"repeated_tokens": 8.0, "threshold_tokens": 8.0}


def test_fresh_forgets():
    monitor = Repetition(2, 2)
    assert said(monitor, [0, 1, 0, 1]) == [3]
    again = monitor.fresh()
    assert (again.length, again.copies) == (2, 2)
    assert said(again, [0, 1, 0, 1]) == [3]


@pytest.mark.parametrize(("length", "copies"), [(0, 3), (MOST_LENGTH + 1, 3), (4, 1), (2.5, 3)])
def test_settings_that_are_none(length, copies):
    with pytest.raises(SettingsError, match=r"a block of 1 to 128 tokens and at least 2 copies"):
        Repetition(length, copies)
