import dataclasses

import pytest

from flowgauge.live.event import Event, note, stop

EVENT = Event(monitor="loop", position=3, words="The drift has died.", values={"window": 16})


def test_a_note_goes_on_and_a_stop_ends():
    assert note(EVENT) is False
    assert stop(EVENT) is True


def test_an_event_is_frozen_and_ends_nothing_by_itself():
    assert EVENT.stops is False
    with pytest.raises(dataclasses.FrozenInstanceError):
        EVENT.stops = True
