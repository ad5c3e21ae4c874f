"""`measure`: the one place where the arrows are joined.

    Record --compose--> Tokens --score--> TokenScores --flow--> Flow --decide--> Verdict
      --write--> Run

Rows are measured in parts; what a part holds depends on the input alone, so an interrupted run that
is resumed has the very numbers of one that was not.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from flowgauge.errors import RecordError
from flowgauge.models.protocol import LanguageModel
from flowgauge.pipeline.job import Job, Rows
from flowgauge.pipeline.plan import manifest_of, parts_of, plan_of
from flowgauge.pipeline.settings import Settings
from flowgauge.records import FailedRow, Record
from flowgauge.store import Run, RunWriter, open_run, tables_from_rows
from flowgauge.text import (
    Template,
    check_record,
    default_template,
    read_records,
    refused,
)

Progress = Callable[[int, int], None]


def measure(
    records: Iterable[Record] | str | Path,
    lm: LanguageModel,
    *,
    out: str | Path | None = None,
    resume: bool = False,
    settings: Settings | None = None,
    template: Template | None = None,
    progress: Progress | None = None,
) -> Run:
    """Measure where each token of each response comes from.

    Args:
        records: Records, or a JSONL or Parquet file of them. A bad row never stops a run: it is
            kept as a failed row with its reason (`run.failed`).
        lm: The observer, from `load_model`.
        out: Folder of the run; without it the run lives in memory.
        resume: Continue the run in `out`.
        settings: Reference law, level, pool test, truncation, precision.
        template: How a record becomes text; by default the model's chat template, or plain text.
        progress: Told (rows done, rows in all).

    Returns:
        The run: `run["id"]` is one item, `run.sql("…")` queries all.

    Raises:
        InputError: The file cannot be read.
        RunError: The folder is taken, locked or was made from something else.

    Example:
        >>> from flowgauge import Record
        >>> from flowgauge.models import TabularModel
        >>> model = TabularModel.random(sources=2, vocabulary=3, length=2, seed=0)
        >>> run = measure([Record(id="r1", question="0", response="ab")], model)
        >>> len(run["r1"].density)
        2
    """
    settings = settings or Settings()
    template = template or default_template(lm)
    rows = _rows(records)
    parts = parts_of(rows, settings.part_rows)
    started = time.monotonic()
    job = Job(lm, settings, template, rows)
    plan = plan_of(records, rows, job)
    count = _Count(progress, len(rows))
    if out is None:
        collected: dict[str, list[Mapping[str, Any]]] = {}
        for part in parts:
            for name, more in job.part(part, count.advance).items():
                collected.setdefault(name, []).extend(more)
            count.reach(len(part))
        ordered = {
            name: sorted(table, key=lambda r: (r["row"], r.get("position", r.get("sentence", 0))))
            for name, table in collected.items()
        }
        tables = tables_from_rows(ordered)
        run = Run("in memory", {}, tables)
        return Run("in memory", manifest_of(plan, run, job, started), tables)
    with RunWriter(Path(out), plan, resume=resume) as writer:
        for number, part in enumerate(parts):
            if not writer.has_part(number):
                writer.write_part(number, job.part(part, count.advance))
            count.reach(len(part))
        writer.finish(manifest_of(plan, open_run(Path(out)), job, started))
    return open_run(Path(out))


class _Count:
    """Counts rows within a part as they are scored, and whole parts as they are finished."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress, self._total = progress, total
        self._finished = self._within = self._told = 0

    def advance(self, more: int) -> None:
        """Some rows of the part at work were scored."""
        self._within += more
        self._tell(self._finished + self._within)

    def reach(self, part: int) -> None:
        """A part is finished: its failed rows, and parts found on disk, count too."""
        self._finished += part
        self._within = 0
        self._tell(self._finished)

    def _tell(self, done: int) -> None:
        # Rows scored again one by one are counted twice; what is told never falls back.
        done = min(done, self._total)
        if self._progress and done > self._told:
            self._told = done
            self._progress(done, self._total)


def _rows(records: Iterable[Record] | str | Path) -> Rows:
    if isinstance(records, str | Path):
        return list(read_records(records))
    rows: list[Record | FailedRow] = []
    seen: set[str] = set()
    for number, record in enumerate(records):
        if not isinstance(record, Record):
            raise RecordError(
                f"record {number} is {type(record).__name__}, a flowgauge.Record was needed "
                "(parse_record makes one from a dictionary)"
            )
        try:
            check_record(record)
            if record.id in seen:
                raise RecordError(f"the id {record.id!r} stands in an earlier record already")
        except RecordError as error:
            rows.append(refused(number, record.id, error))
            continue
        seen.add(record.id)
        rows.append(record)
    return rows
