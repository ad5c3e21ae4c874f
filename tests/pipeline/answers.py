"""Answers with documents, in runs with and without source pointers, on the bundled story model."""

from pipeline.worlds import stories

import flowgauge.pipeline.job as job
from flowgauge import Record, measure
from flowgauge.lens import CopyHeads

DOCUMENTS = (
    "Tom had a red ball. He played with it in the park all day.",
    "Lily was a little girl. She liked to sing.\n\nHer mom was happy.",
)
RESPONSE = "Tom had a red ball. Lily liked to sing. The 7 pirates ate 99 cakes on Mars."
#: Any heads will do for the columns; the story model has no real copy heads.
HEADS = CopyHeads(heads=((0, 0), (1, 2)), scores=(0.9, 0.8), best=0.9)


def answers(n=3):
    return [
        Record(
            id=f"a{i}", question="What happened?", documents=DOCUMENTS, response=RESPONSE[: 75 - i]
        )
        for i in range(n)
    ]


def with_pointers(monkeypatch):
    """From here on the story model passes for one with copy heads."""
    monkeypatch.setattr(job, "copy_heads", lambda lm: HEADS)


def pointed_run(monkeypatch, records=None, **more):
    with_pointers(monkeypatch)
    return measure(answers() if records is None else records, stories(), **more)
