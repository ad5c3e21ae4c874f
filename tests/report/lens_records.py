"""Records read by a tiny model for the lens page's tests, and a reader of packed arrays."""

import base64
import functools
import zlib

import numpy as np
from oracles.lens import stirred

from flowgauge.lens import read_lens
from flowgauge.records import Record
from flowgauge.text import Omit, PlainTemplate, align

HOSTILE = "</script><img src=x onerror=alert(1)>"
RECORD = Record(
    id="two",
    question="What then?",
    documents=("The dog ran. It was big! A cat sat.", "", "Lily saw a fish. She was happy."),
    response="The dog ran. Lily was happy.\n\nThe end",
)


@functools.cache
def lens_on(record_id="two", response=RECORD.response, documents=RECORD.documents, question=""):
    """The lens of a tiny attention model on a record."""
    lm = stirred("llama")
    record = Record(id=record_id, response=response, documents=documents,
                    question=question or RECORD.question)  # fmt: skip
    tokens = align(record.id, PlainTemplate().compose(record, Omit()), response, lm)
    return read_lens(tokens, record, lm)


def unpacked(packed):
    """(layer, row, column) [nats] of a packed array as the page reads it."""
    raw = zlib.decompress(base64.b64decode(packed["data"]))
    steps = np.frombuffer(raw, dtype=f"<i{packed['bits'] // 8}").reshape(packed["shape"])
    return steps * packed["step"]
