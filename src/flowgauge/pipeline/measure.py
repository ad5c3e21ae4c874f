"""`measure`: the one place where the arrows are joined.

    Record --compose--> Tokens --score--> TokenScores --flow--> Flow --decide--> Verdict
      --write--> Run

Rows are measured in parts; what a part holds depends on the input alone, so an interrupted run that
is resumed has the very numbers of one that was not.
"""

import datetime
import hashlib
import platform
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flowgauge import __version__
from flowgauge.errors import RecordError, SettingsError
from flowgauge.models.protocol import LanguageModel
from flowgauge.pipeline.pool import MIN_POOL, Pool
from flowgauge.pipeline.precision import precision_errors
from flowgauge.pipeline.prepare import Prepared, prepare
from flowgauge.pipeline.rows import failed_row, measured_rows
from flowgauge.records import FailedRow, Record
from flowgauge.scores import ScoreSettings, score
from flowgauge.store import Run, RunWriter, open_run, tables_from_rows
from flowgauge.store.schema import SCHEMA_VERSION
from flowgauge.text import (
    ChatTemplate,
    Omit,
    PlainTemplate,
    Reference,
    Template,
    read_records,
    source_key,
)

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a run is measured; goes into its manifest.

    Args:
        reference: The reference law Q.
        alpha: Level of each verdict.
        pool: Counter-sources of the exact test for text that somebody else wrote; 0 for none,
            otherwise at least 19 (so that its p-value can reach 0.05).
        truncate: Cut documents that do not fit the model's context, noted in the row, instead of
            failing the row.
        precision: "exact" for the model's own weights, "fast" for bfloat16 where the processor
            multiplies it faster; its error is then measured and stored.
        seed: Chooses the pool.
        part_rows: Rows measured and written together.
        score: How columns are computed.
    """

    reference: Reference = field(default_factory=Omit)
    alpha: float = 0.01
    pool: int = 0
    truncate: bool = False
    precision: str = "exact"
    seed: int = 0
    part_rows: int = 32
    score: ScoreSettings = field(default_factory=ScoreSettings)

    def __post_init__(self) -> None:
        if not 0 < self.alpha < 1:
            raise SettingsError(f"alpha is {self.alpha}, a level between 0 and 1 was needed")
        if self.pool and self.pool < MIN_POOL:
            raise SettingsError(
                f"a pool of {self.pool} counter-sources cannot reach p = 0.05; at least {MIN_POOL} "
                "are needed (or 0 for no pool test)"
            )
        if self.precision not in ("exact", "fast"):
            raise SettingsError(f'precision is {self.precision!r}, "exact" or "fast" was needed')
        if self.part_rows < 1:
            raise SettingsError(f"part_rows is {self.part_rows}, at least 1 was needed")

    def as_json(self) -> dict[str, Any]:
        """For the manifest."""
        return {
            "reference": self.reference.name,
            "law": "model",
            "alpha": self.alpha,
            "pool": self.pool,
            "truncate": self.truncate,
            "precision": self.precision,
            "seed": self.seed,
            "part_rows": self.part_rows,
            "orders": list(self.score.orders),
            "alternatives": self.score.alternatives,
            "batch_tokens": self.score.batch_tokens,
        }


Rows = Sequence[Record | FailedRow]


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
    template = template or (ChatTemplate(lm.chat) if lm.has_chat_template else PlainTemplate())
    rows = _rows(records)
    parts = _parts(rows, settings.part_rows)
    plan = _plan(records, rows, lm, settings, template)
    started = time.monotonic()
    job = _Job(lm, settings, template, rows)
    if out is None:
        collected: dict[str, list[Mapping[str, Any]]] = {}
        for part in parts:
            for name, more in job.part(part).items():
                collected.setdefault(name, []).extend(more)
            _tell(progress, len(part), job, len(rows))
        ordered = {
            name: sorted(table, key=lambda r: (r["row"], r.get("position", r.get("sentence", 0))))
            for name, table in collected.items()
        }
        tables = tables_from_rows(ordered)
        run = Run("in memory", {}, tables)
        return Run("in memory", _manifest(plan, run, job, started), tables)
    with RunWriter(Path(out), plan, resume=resume) as writer:
        for number, part in enumerate(parts):
            if not writer.has_part(number):
                writer.write_part(number, job.part(part))
            _tell(progress, len(part), job, len(rows))
        writer.finish(_manifest(plan, open_run(Path(out)), job, started))
    return open_run(Path(out))


def _tell(progress: Progress | None, more: int, job: "_Job", total: int) -> None:
    job.done += more
    if progress:
        progress(job.done, total)


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
        if record.id in seen:
            reason = f"the id {record.id!r} stands in an earlier record already"
            rows.append(FailedRow(row=number, id=record.id, kind="RecordError", reason=reason))
            continue
        seen.add(record.id)
        rows.append(record)
    return rows


def _parts(rows: Rows, size: int) -> list[list[int]]:
    """Row numbers, those of one source side by side so that its prefix is computed once."""
    first: dict[str, int] = {}
    keys = []
    for number, row in enumerate(rows):
        key = source_key(row) if isinstance(row, Record) else f"failed {number}"
        keys.append(first.setdefault(key, number))
    order = sorted(range(len(rows)), key=lambda i: (keys[i], i))
    return [order[i : i + size] for i in range(0, len(order), size)]


def _digest(rows: Rows) -> str:
    digest = hashlib.sha256()
    for row in rows:
        digest.update(repr(row).encode("utf-8", "backslashreplace"))
    return digest.hexdigest()[:32]


def _plan(
    records: Any, rows: Rows, lm: LanguageModel, settings: Settings, template: Template
) -> dict[str, Any]:
    import numpy
    import torch
    import transformers

    return {
        "schema": SCHEMA_VERSION,
        "input": {
            "name": Path(records).name if isinstance(records, str | Path) else "records",
            "rows": len(rows),
            "sha256": _digest(rows),
        },
        "model": {
            "name": lm.name,
            "fingerprint": lm.fingerprint,
            "tokenizer": lm.tokenizer_fingerprint,
            "vocabulary": lm.vocabulary_size,
            "context_length": lm.context_length,
            "weights": lm.precision,
        },
        "template": template.name,
        **settings.as_json(),
        "versions": {
            "flowgauge": __version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "numpy": numpy.__version__,
        },
        # Sums are split between threads, so their last digits depend on the number.
        "threads": torch.get_num_threads(),
    }


def _manifest(plan: dict[str, Any], run: Run, job: "_Job", started: float) -> dict[str, Any]:
    status = run.table("records")["status"].to_pylist()
    manifest = {
        **plan,
        "measured": status.count("measured"),
        "failed": status.count("failed"),
        "tokens": run.table("tokens").num_rows,
        "notes": job.notes(),
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "seconds": round(time.monotonic() - started, 1),
    }
    if job.is_fast:
        manifest["precision_errors"] = job.precision_errors()
    return manifest


class _Job:
    """What every part needs; holds no result."""

    def __init__(
        self, lm: LanguageModel, settings: Settings, template: Template, rows: Rows
    ) -> None:
        self.lm, self.settings, self.template, self.rows = lm, settings, template, rows
        fast = lm.fast() if settings.precision == "fast" else None
        self.is_fast = fast is not None
        self.scorer: LanguageModel = fast or lm
        self.done = 0
        self.pool = Pool(rows, settings.pool, settings.seed) if settings.pool else None

    def notes(self) -> list[str]:
        """What a reader of the manifest should know."""
        notes = []
        if self.settings.precision == "fast" and not self.is_fast:
            notes.append(
                "precision=fast was asked, but this processor multiplies bfloat16 no faster; "
                "float32 was used"
            )
        if self.pool and not self.pool.is_available:
            notes.append(self.pool.why_not)
        return notes

    def _prepared(self, numbers: Iterable[int]) -> Iterator[Prepared | FailedRow]:
        for number in numbers:
            row = self.rows[number]
            if isinstance(row, FailedRow):
                yield row
                continue
            yield prepare(number, row, self.lm, self.template, self.settings.reference,
                          truncate=self.settings.truncate)  # fmt: skip

    def part(self, numbers: Sequence[int]) -> dict[str, list[Mapping[str, Any]]]:
        """Rows of the three tables for these rows of the input."""
        items = list(self._prepared(numbers))
        good = [i for i in items if isinstance(i, Prepared)]
        scores = score([p.tokens for p in good], self.scorer, self.settings.score)
        evidence = (
            self.pool.evidence(good, scores, self.scorer, self.template, self.settings.score)
            if self.pool and self.pool.is_available
            else [None] * len(good)
        )
        out: dict[str, list[Mapping[str, Any]]] = {"records": [], "tokens": [], "sentences": []}
        for item in items:
            if isinstance(item, FailedRow):
                out["records"].append(failed_row(item))
        for item, columns, found in zip(good, scores, evidence, strict=True):
            rows = measured_rows(item, columns, found, self.lm, self.settings.alpha)
            for name, more in rows.items():
                out[name].extend(more)
        return out

    def precision_errors(self, most: int = 4) -> dict[str, Any]:
        """Error of the fast twin on the first records, against the exact model."""
        sample: list[Prepared] = []
        for item in self._prepared(range(len(self.rows))):
            if isinstance(item, Prepared):
                sample.append(item)
            if len(sample) == most:
                break
        tokens = [p.tokens for p in sample]
        return precision_errors(
            score(tokens, self.lm, self.settings.score),
            score(tokens, self.scorer, self.settings.score),
        )
