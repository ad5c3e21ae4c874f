"""A run in one JSON-able object: plan, records, least supported sentences, failed rows."""

from typing import Any

from flowgauge.pipeline.findings import thresholds
from flowgauge.store import Run

_KEPT = (
    "row", "id", "n_tokens", "support", "pointer", "flow_nats", "flow_fraction",
    "compensator_nats", "residual", "outcome", "first_crossing", "is_exact", "pool_size",
    "pool_e_value", "pool_p_value", "left_out", "notes",
)  # fmt: skip
_MOST_SENTENCES = 5


def summary(run: Run) -> dict[str, Any]:
    """Manifest, measured records, least supported sentences and failed rows."""
    rows = run.table("records").to_pylist()
    return {
        "run": str(run.path or run.name),
        "manifest": run.manifest,
        "records": [{k: r[k] for k in _KEPT} for r in rows if r["status"] == "measured"],
        "least_supported": least_supported(run) if has_support(run) else [],
        "failed": run.failed,
    }


def has_support(run: Run) -> bool:
    """Whether any response of a run has a support."""
    column = run.table("records")["support"]
    return "support" in run.manifest and column.null_count < len(column)


def least_supported(run: Run, most: int = _MOST_SENTENCES) -> list[dict[str, Any]]:
    """The sentences with the least support; short ones only where there are no others."""
    rows = [s for s in run.table("sentences").to_pylist() if s["support"] is not None]
    longest = max((s["n_tokens"] for s in rows), default=0)
    rows = [s for s in rows if s["n_tokens"] >= min(5, longest)]
    rows.sort(key=lambda s: (s["support"], s["row"], s["sentence"]))
    keep = ("row", "id", "sentence", "start", "end", "text", "support", "sources")
    threshold = thresholds(run)[1] if rows else 0.0
    return [
        {**{k: s[k] for k in keep}, "is_supported": s["support"] >= threshold} for s in rows[:most]
    ]
