"""What a monitor says, and what is done then: an action is a function from the event to "stop?".

    note           keeps the event, goes on
    stop           keeps the event, ends the text
    your function  is called with the event; True ends the text

The event that is kept says whether the text was ended because of it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that a monitor found.

    Attributes:
        monitor: Name of the monitor.
        position: Token (from 0) at which it was found.
        words: The finding as a sentence, with the null or the promise that it stands on.
        values: Numbers behind it, units in their names.
        stops: Whether the text was ended because of it.
    """

    monitor: str
    position: int
    words: str
    values: Mapping[str, float]
    stops: bool = False


Action = Callable[[Event], bool]


def note(event: Event) -> bool:
    """Keep the event and go on.

    Example:
        >>> note(Event(monitor="loop", position=3, words="", values={}))
        False
    """
    return False


def stop(event: Event) -> bool:
    """Keep the event and end the text.

    Example:
        >>> stop(Event(monitor="loop", position=3, words="", values={}))
        True
    """
    return True
