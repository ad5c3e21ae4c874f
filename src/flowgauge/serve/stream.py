"""JSON and server-sent events as they travel: UTF-8, infinities as text, no NaN.

id: 3
event: step
data: {"position":2,"token":117,…}
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

#: How long a browser waits before it asks again for a stream that broke off [ms].
RETRY = b"retry: 1000\n\n"
HEARTBEAT = b": still here\n\n"


@dataclass(frozen=True, slots=True)
class Message:
    """One event of a job: its name and its data, which `to_json` can write."""

    name: str
    data: Mapping[str, Any]


def jsonable(value: Any) -> Any:
    """The value with what JSON lacks replaced: NaN by null, infinities by text.

    Example:
        >>> jsonable({"a": [1.5, math.inf, -math.inf, math.nan]})
        {'a': [1.5, 'Infinity', '-Infinity', None]}
    """
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, Mapping):
        return {str(key): jsonable(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [jsonable(entry) for entry in value]
    return value


def to_json(value: Any) -> bytes:
    """The value as JSON in UTF-8; a lone surrogate, which UTF-8 lacks, as its JSON escape.

    Example:
        >>> to_json({"text": "é"}).decode()
        '{"text":"é"}'
    """
    text = json.dumps(jsonable(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    # Python's escape of a surrogate, \\udXXX, is JSON's too.
    return text.encode("utf-8", "backslashreplace")


def encode_event(number: int, message: Message) -> bytes:
    r"""One server-sent event; JSON holds no line break, so one data line carries it.

    Example:
        >>> encode_event(1, Message("done", {"n": 2}))
        b'id: 1\nevent: done\ndata: {"n":2}\n\n'
    """
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (
        number,
        message.name.encode("ascii"),
        to_json(message.data),
    )
