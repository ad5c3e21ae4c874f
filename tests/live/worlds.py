"""Prompts and tiny worlds that the tests of generation share."""

from flowgauge import Record, TabularModel
from flowgauge.live import GenerateSettings
from flowgauge.models import load_model
from flowgauge.scores import ModelLaw

STORIES = None
MODEL_LAW = GenerateSettings(law=ModelLaw(), max_tokens=16)


def stories():
    global STORIES
    STORIES = STORIES or load_model("stories-260k")
    return STORIES


def prompts():
    """Strings and records with documents, of several lengths; more than one batch."""
    dog = "Once upon a time there was a little dog who loved to play in the big green park."
    return [
        "Once upon a time",
        Record(id="dog", question="What then?", documents=(dog, "Tom is sad."), response=""),
        "Lily and her mom went to the river to see",
        Record(id="none", question="The cat", documents=(), response=""),
        Record(id="turns", question="The sun", instruction="Be kind.", response="not read"),
        *(f"One day, a boy had {n} red balls" for n in ("two", "three", "ten", "no", "all")),
    ]


def table(length=6, **attributes):
    """A model of four letters; `attributes` are those of its class."""
    inner = TabularModel.random(sources=2, vocabulary=4, length=length, seed=1)
    return type("Table", (TabularModel,), attributes)(inner.joint * 2)


def short(most=6, **more):
    return GenerateSettings(max_tokens=most, **more)
