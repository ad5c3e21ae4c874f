"""A text at work: steps, monitors, what ends it, what cannot be done."""

import copy
import itertools

import numpy as np
import pytest
from live.worlds import MODEL_LAW, prompts, short, stories, table
from oracles.scores import largest_difference, scores_of
from oracles.tiny_models import tiny

from flowgauge import Record
from flowgauge.errors import AlignmentError, ContextLengthError, RecordError, SettingsError
from flowgauge.flow import flow
from flowgauge.live import (
    Generated,
    GenerateSettings,
    Generation,
    Monitor,
    Step,
    flow_of,
    generate,
    generate_many,
    note,
    stop,
    writing,
)
from flowgauge.live.writing import END_TOKEN, FULL_CONTEXT, MOST_TOKENS
from flowgauge.records import ORDERS
from flowgauge.scores import ContinuousCache, ModelLaw
from flowgauge.text import Composition, PlainTemplate

# Single precision; a tenth of it is what is seen.
TOLERANCE = 1e-4


class Counts(Monitor):
    """Says something at every `every`-th token."""

    name = "counts"
    promise = "none"

    def __init__(self, every, *, action=note):
        super().__init__(action=action)
        self.every, self.seen = every, []

    def observe(self, step):
        self.seen.append(step.token)
        if len(self.seen) % self.every:
            return None
        return self._tell(step.position, "counted", tokens=len(self.seen))

    def fresh(self):
        return Counts(self.every, action=self.action)

    @property
    def state(self):
        return {"tokens": len(self.seen)}


def test_steps_come_one_by_one_with_the_text():
    lm = stories()
    generation = generate("Once upon a time", lm, settings=MODEL_LAW)
    assert isinstance(generation, Generation)
    assert (generation.text, generation.events, generation.stopped_by) == ("", (), "")
    text, steps = "", []
    for step in generation:
        assert isinstance(step, Step)
        assert step.position == len(steps)
        text += step.text
        steps.append(step)
        assert generation.text == text
    assert generation.stopped_by == MOST_TOKENS
    assert list(generation) == []
    found = generation.result()
    assert isinstance(found, Generated)
    assert found.record.response == text
    assert found.steps == tuple(steps)
    mine, s = flow_of(steps), found.scores
    wanted = flow(s.log_p, s.log_q, s.drift, s.variance, log_moments=s.log_moments, orders=s.orders)
    assert np.array_equal(mine.flow, wanted.flow)
    assert steps[-1].flow == pytest.approx(wanted.total_nats, abs=1e-9)
    assert steps[-1].compensator == pytest.approx(float(wanted.compensator[-1]), abs=1e-9)


def test_nothing_is_drawn_before_it_is_iterated():
    model = table(decoder=lambda self, prefixes: pytest.fail("a prefix was read"))
    generation = generate("0", model)
    assert generation.prompt.tokens.prompt_ids.tolist() == [4]
    with pytest.raises(RecordError, match=r"no token was drawn yet; iterate first, or call finish"):
        generation.result()
    generation.stop()
    assert list(generation) == []


def test_a_look_at_the_result_changes_nothing(monkeypatch):
    """Not even in the middle of a character."""
    lm = stories()
    ids = lm.tokenize("a😀 b😀").ids.tolist()

    def written(*, look):
        forced = iter(ids)
        monkeypatch.setattr(writing, "draw", lambda logits, rng: next(forced))
        generation = generate("Tom", lm, settings=short(len(ids)))
        for _ in generation:
            if look:
                here = generation.result()
                assert len(here.tokens.offsets) == len(here.steps)
        return generation.result()

    found = written(look=True)
    assert found.record.response == written(look=False).record.response == " a😀 b😀"
    assert len(found.tokens.offsets) == len(ids)


def test_it_can_be_stopped_from_outside():
    generation = generate("0", table(), settings=short())
    next(generation)
    generation.stop("the reader has seen enough")
    generation.stop("a second reason")
    assert list(generation) == []
    found = generation.result()
    assert (len(found.steps), found.stopped_by) == (1, "the reader has seen enough")
    going = generate("0", table(), settings=short())
    next(going)
    assert going.result().stopped_by == "it was stopped from outside"
    assert going.stopped_by == ""
    assert len(going.finish().steps) == 6


def test_monitors_read_every_step_and_start_anew():
    monitor = Counts(2)
    generation = generate("0", table(), monitors=[monitor], settings=short())
    found = generation.finish()
    assert monitor.seen == []
    [mine] = generation.monitors
    assert mine.seen == found.tokens.response_ids.tolist()
    assert [e.position for e in found.events] == [1, 3, 5]
    assert found.events == generation.events
    assert not any(e.stops for e in found.events)
    assert found.stopped_by == MOST_TOKENS
    many = generate_many(["0", "1"], table(), monitors=[monitor, Counts(3)], settings=short())
    assert [[e.position for e in g.events] for g in many] == [[1, 2, 3, 5, 5]] * 2


def test_a_monitor_stops_a_text_and_no_other():
    heard = []

    def on_the_second(event):
        heard.append(event)
        return len(heard) == 2

    found = generate(
        "0", table(), monitors=[Counts(2, action=on_the_second)], settings=short()
    ).finish()
    assert len(found.steps) == 4
    assert found.stopped_by == "the monitor counts stopped it"
    assert [e.stops for e in found.events] == [False, True]

    class OfLetter(Counts):
        def observe(self, step):
            return self._tell(step.position, "an a") if step.text == "a" else None

        def fresh(self):
            return OfLetter(1, action=self.action)

    texts = generate_many(
        ["0", "1"] * 4, table(), monitors=[OfLetter(1, action=stop)], settings=short()
    )
    free = generate_many(["0", "1"] * 4, table(), settings=short())
    assert len({len(g.steps) for g in texts}) > 1
    for g, whole in zip(texts, free, strict=True):
        first = whole.record.response.find("a")
        wanted = whole.record.response[: first + 1] if first >= 0 else whole.record.response
        assert g.record.response == wanted


def test_the_model_ends_a_text_before_a_monitor_does():
    model = table(end_ids=(0, 1, 2, 3))
    found = generate("0", model, monitors=[Counts(1, action=stop)], settings=short()).finish()
    assert found.stopped_by == END_TOKEN
    assert len(found.events) == len(found.steps) == 1


def test_the_context_of_the_model_is_the_end():
    lm = tiny("gpt2")  # places for 512 tokens and no more
    text = "Once upon a time there was a dog. " * 60
    ids = lm.tokenize(text).ids
    cut = lm.tokenize(text).offsets[505, 0]
    assert lm.context_length == 512
    found = generate(text[:cut], lm, settings=short(24, law=ModelLaw())).finish()
    used = len(found.tokens.prompt_ids)
    assert used + len(found.steps) == 512
    assert found.stopped_by == FULL_CONTEXT
    assert largest_difference(found.scores, scores_of(lm._model, found.tokens, ORDERS)) < TOLERANCE
    assert len(ids) > 512
    with pytest.raises(
        ContextLengthError, match=r"the prompt has \d+ tokens and gpt2 reads at most"
    ):
        generate(text, lm)


def test_the_reference_and_the_template_are_those_asked_for():
    class Other:
        name = "the other source"

        def reads(self, record):
            return Record(id=record.id, question="1", response=record.response)

    class Shouting(PlainTemplate):
        def compose(self, record, reference):
            inner = super().compose(record, reference)
            return Composition(
                prompt=inner.prompt + "b", reference=inner.reference + "b",
                documents=None, source=inner.source,
            )  # fmt: skip

    settings = short(1, reference=Other(), template=Shouting())
    model = table()
    found = generate("0", model, settings=settings).finish()
    assert found.tokens.prompt_ids.tolist() == [4, 1]
    assert found.tokens.reference_ids.tolist() == [5, 1]
    token = found.steps[0].token
    assert found.steps[0].log_q == pytest.approx(np.log(model.law(1, ())[token]), abs=1e-12)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda m: GenerateSettings(max_tokens=0), SettingsError, "max_tokens is 0, at least 1"),
        (
            lambda m: GenerateSettings(law=ContinuousCache()),
            SettingsError,
            r"SamplingLaw\(\) or ModelLaw\(\) was needed: a text cannot be drawn from another law",
        ),
        (lambda m: generate("0", m, seed=-1), SettingsError, "seed is -1, 0 or more was needed"),
        (
            lambda m: generate_many(["0", "1"], m, seeds=[1]),
            SettingsError,
            "1 seeds came for 2 prompts; one a prompt",
        ),
        (lambda m: generate_many(["0"], m, seeds=[-4]), SettingsError, "0 or more, was needed"),
        (lambda m: generate(7, m), RecordError, "prompt is int, a string or a flowgauge.Record"),
        (lambda m: generate("00000", m), ContextLengthError, "5 tokens and tabular reads at"),
        (
            lambda m: generate("0", table(has_empty_context_law=False)),
            AlignmentError,
            "the reference has no token before the response and the model no BOS token",
        ),
    ],
    ids=itertools.count(),
)  # fmt: skip
def test_what_cannot_be_done_is_said(make, error, message):
    with pytest.raises(error, match=message):
        make(table(context_length=5))


def test_no_prompts_no_texts():
    assert generate_many([], table()) == []


def test_the_prompt_is_not_changed():
    record = prompts()[1]
    before = copy.deepcopy(record)
    generate(record, stories(), settings=short()).finish()
    assert record == before
