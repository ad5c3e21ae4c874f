"""What will be measured, and what was: the plan and the manifest of a run.

The plan depends on the input, the model and the settings alone; a run may only be resumed under the
plan it was begun with, so that its numbers are those of an uninterrupted one.
"""

import datetime
import hashlib
import platform
import time
from pathlib import Path
from typing import Any

from flowgauge import __version__
from flowgauge.pipeline.job import Job, Rows
from flowgauge.records import Record
from flowgauge.store import Run
from flowgauge.store.schema import SCHEMA_VERSION
from flowgauge.text import source_key


def parts_of(rows: Rows, size: int) -> list[list[int]]:
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


def plan_of(records: Any, rows: Rows, job: Job) -> dict[str, Any]:
    """Everything the numbers of a run depend on, JSON-able."""
    import numpy
    import torch
    import transformers

    lm, settings, template = job.lm, job.settings, job.template
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
        "support": job.support(),
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


def manifest_of(plan: dict[str, Any], run: Run, job: Job, started: float) -> dict[str, Any]:
    """The plan, what came of it, when and how long it took."""
    status = run.table("records")["status"].to_pylist()
    manifest = {
        **plan,
        "measured": status.count("measured"),
        "failed": status.count("failed"),
        "tokens": run.table("tokens").num_rows,
        "notes": [*job.notes(), *_pool_notes(run, job)],
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "seconds": round(time.monotonic() - started, 1),
    }
    if job.is_fast:
        manifest["precision_errors"] = job.precision_errors()
    return manifest


def _pool_notes(run: Run, job: Job) -> list[str]:
    """How many responses went without the pool test, although the run has enough sources."""
    if not job.pool or not job.pool.is_available:
        return []
    rows = run.table("records").select(["status", "pool_size"]).to_pylist()
    without = sum(r["status"] == "measured" and r["pool_size"] is None for r in rows)
    if not without:
        return []
    return [
        f"the pool test was left out for {without} responses: they have no source, or fewer than "
        f"{job.pool.size} others of its kind fit the model's context"
    ]
