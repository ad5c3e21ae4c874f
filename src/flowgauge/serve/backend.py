"""Measuring and writing on the one model, as steps that a worker can interleave.

Each `next` does one step and gives its messages; the last message is `done`. A measurement is one
step, a text one step a token.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flowgauge import errors
from flowgauge.errors import RecordError, SettingsError
from flowgauge.live import (
    Event,
    GenerateSettings,
    Generation,
    Monitor,
    SamplingLaw,
    Step,
    generate,
)
from flowgauge.models.protocol import LanguageModel
from flowgauge.pipeline import measure, save_generated
from flowgauge.pipeline.prepare import prepare
from flowgauge.pipeline.settings import Settings
from flowgauge.pipeline.summary import summary
from flowgauge.records import FailedRow, Record
from flowgauge.scores import ModelLaw
from flowgauge.serve.asks import GenerateAsk
from flowgauge.serve.jobs import Steps
from flowgauge.serve.monitors import monitor
from flowgauge.serve.stream import Message
from flowgauge.store import Run
from flowgauge.text import check_record, default_template


class Backend:
    """What the server can do with one model; its steps run in one thread.

    Args:
        lm: The model.
        runs: Folder of the saved runs.
    """

    def __init__(self, lm: LanguageModel, runs: Path) -> None:
        self.lm, self.runs = lm, runs

    def measure(self, record: Record, name: str) -> Steps:
        """Measure a response and save the run; one step.

        Raises:
            RecordError: It cannot be measured; nothing is saved then.
            RunError: The folder is taken.
        """
        settings = Settings()
        template = default_template(self.lm)
        ready = prepare(0, record, self.lm, template, settings.reference, truncate=False)
        if isinstance(ready, FailedRow):  # before a folder is made for it
            raise getattr(errors, ready.kind, RecordError)(ready.reason)
        run = measure([record], self.lm, out=self.runs / name, settings=settings)
        if run.failed:
            raise RecordError(f"{run.failed[0]['reason']} (saved as the run {name})")
        yield [Message("done", {"run": name, "record": _record(run)})]

    def generate(self, ask: GenerateAsk, name: str) -> Steps:
        """Write a text, a token a step, and save it; the last step gives the run.

        Raises:
            RecordError: The prompt cannot be used.
        """
        started = time.monotonic()
        text = self._generation(ask)
        told = 0
        for step in text:
            messages = [Message("step", step_data(step, text.monitors))]
            messages += [Message("event", event_data(e)) for e in text.events[told:]]
            told = len(text.events)
            yield messages
        result = text.result()
        run = save_generated([result], self.lm, out=self.runs / name)
        data = {
            "run": name,
            "record": _record(run),
            "text": text.text,
            "stopped_by": text.stopped_by,
            "n_tokens": len(result.steps),
            "seconds": round(time.monotonic() - started, 3),
        }
        yield [Message("done", data)]

    def _generation(self, ask: GenerateAsk) -> Generation:
        law = SamplingLaw() if ask.law == "sampling" else ModelLaw()
        return generate(
            ask.record(),
            self.lm,
            sampling=ask.sampling.sampling(),
            monitors=[monitor(m, self.lm.name) for m in ask.monitors],
            seed=ask.seed,
            settings=GenerateSettings(law=law, max_tokens=ask.max_tokens),
        )


def check_generate(ask: GenerateAsk) -> None:
    """Whether a request to write can be met, as far as that is known without the model.

    Raises:
        InputError: A text, a setting of the sampling or of a monitor is none.
    """
    check_record(ask.record(response="x"))  # the response comes later; the other texts must hold
    ask.sampling.sampling()
    names = [monitor(wanted, "").name for wanted in ask.monitors]
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        raise SettingsError(f"the monitor {twice[0]} was asked twice; once was needed")


def step_data(step: Step, monitors: Sequence[Monitor]) -> dict[str, Any]:
    """A token as it travels, units in the names."""
    return {
        "position": step.position,
        "token": step.token,
        "text": step.text,
        "density_nats": step.density,
        "flow_nats": step.flow,
        "drift_nats": step.drift,
        "compensator_nats": step.compensator,
        "variance_nats2": step.variance,
        "log_p_nats": step.log_p,
        "log_q_nats": step.log_q,
        "entropy_p_nats": step.entropy_p,
        "state": {m.name: dict(m.state) for m in monitors},
    }


def event_data(event: Event) -> dict[str, Any]:
    """What a monitor said, as it travels."""
    return {
        "monitor": event.monitor,
        "position": event.position,
        "words": event.words,
        "values": dict(event.values),
        "stops": event.stops,
    }


def _record(run: Run) -> dict[str, Any] | None:
    """Summary of the one record; None where nothing of it could be measured."""
    return next(iter(summary(run)["records"]), None)
