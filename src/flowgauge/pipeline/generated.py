"""Texts that were measured while they were drawn, as a run like any other.

    Generated --rows--> Run

The columns are those that were seen live: nothing is scored again. Copy heads are not watched
while a text is written; measure the record again for source pointers.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from flowgauge.errors import SettingsError
from flowgauge.live import Event, Generated
from flowgauge.models.protocol import LanguageModel
from flowgauge.pipeline.job import NOT_THIS_LAW, Job
from flowgauge.pipeline.plan import manifest_of, plan_of
from flowgauge.pipeline.prepare import Prepared
from flowgauge.pipeline.rows import measured_rows
from flowgauge.pipeline.settings import Settings
from flowgauge.store import Run, RunWriter, open_run, tables_from_rows
from flowgauge.text import Template, default_template

END_TOKEN_NOTE = "the last token ended the text and has no characters"


def save_generated(
    generated: Sequence[Generated],
    lm: LanguageModel,
    *,
    out: str | Path | None = None,
    alpha: float = 0.01,
    template: Template | None = None,
) -> Run:
    """A run of texts that flowgauge drew, with the numbers seen while they were drawn.

    Args:
        generated: From `generate` or `generate_many`, with different ids.
        lm: The model that drew them.
        out: Folder of the run; without it the run lives in memory.
        alpha: Level of each verdict. It is exact where the columns are of the law sampled from.
        template: The one they were drawn with, if not the default; it names itself in the manifest.

    Returns:
        The run.

    Raises:
        SettingsError: Nothing was given, two have the same id, or their laws differ.
        RunError: The folder is taken.

    Example:
        >>> from flowgauge.live import GenerateSettings, generate
        >>> from flowgauge.models import TabularModel
        >>> model = TabularModel.random(sources=2, vocabulary=3, length=4, seed=0)
        >>> text = generate("0", model, settings=GenerateSettings(max_tokens=4)).finish()
        >>> run = save_generated([text], model)
        >>> run["generated"].record["is_exact"], len(run["generated"].density)
        (True, 4)
    """
    _check(generated)
    template = template or default_template(lm)
    started = time.monotonic()
    rows = [g.record for g in generated]
    job = Job(lm, Settings(pointers=False, alpha=alpha), template, rows)
    plan = _plan(generated, plan_of("generated", rows, job))
    tables: dict[str, list[Mapping[str, Any]]] = {}
    for number, g in enumerate(generated):
        for name, more in _rows(number, g, job).items():
            tables.setdefault(name, []).extend(more)
    if out is None:
        written = tables_from_rows(tables)
        run = Run("in memory", {}, written)
        return Run("in memory", manifest_of(plan, run, job, started), written)
    with RunWriter(Path(out), plan, resume=False) as writer:
        writer.write_part(0, tables)
        writer.finish(manifest_of(plan, open_run(Path(out)), job, started))
    return open_run(Path(out))


def _check(generated: Sequence[Generated]) -> None:
    if not generated:
        raise SettingsError("no generated text came; at least one was needed")
    ids = [g.record.id for g in generated]
    twice = sorted({i for i in ids if ids.count(i) > 1})
    if twice:
        raise SettingsError(
            f"the id {twice[0]!r} comes {ids.count(twice[0])} times; give each prompt its own id"
        )
    laws = sorted({g.law for g in generated})
    if len(laws) > 1:
        raise SettingsError(
            f"texts under the laws {' and '.join(laws)} came; a run holds columns of one law"
        )


def _plan(generated: Sequence[Generated], plan: dict[str, Any]) -> dict[str, Any]:
    """The plan of a measurement with what is different about a generation."""
    law = generated[0].law
    ways = {repr(g.record.sampling): g.record.sampling for g in generated}
    is_own = law == "model" or all(s is not None and s.is_plain for s in ways.values())
    support = plan["support"]
    return {
        **plan,
        "input": {**plan["input"], "name": "generated"},
        "law": law,
        "sampling": [asdict(s) for s in ways.values() if s is not None],
        "seeds": [g.seed for g in generated],
        "support": {**support, "words": support["words"] + ("" if is_own else NOT_THIS_LAW)},
    }


def _rows(number: int, g: Generated, job: Job) -> dict[str, list[Mapping[str, Any]]]:
    notes = [*g.tokens.notes, f"generated: {g.stopped_by}; seed {g.seed}"]
    start, end = g.tokens.offsets[-1].tolist()
    if start == end:
        notes.append(END_TOKEN_NOTE)
    record = replace(g.record, meta={**g.record.meta, "events": [_event(e) for e in g.events]})
    item = Prepared(
        row=number,
        record=record,
        read=record,
        composition=g.composition,
        tokens=replace(g.tokens, notes=tuple(notes)),
    )
    return measured_rows(
        item, g.scores, None, job.lm, job.settings, job.known.constants,
        is_sampled_law=g.law == "sampling",
    )  # fmt: skip


def _event(event: Event) -> dict[str, Any]:
    return {
        "monitor": event.monitor,
        "position": event.position,
        "words": event.words,
        "values": {k: v if abs(v) < float("inf") else str(v) for k, v in event.values.items()},
        "stops": event.stops,
    }
