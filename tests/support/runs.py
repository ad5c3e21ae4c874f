"""Runs whose records have a support, in memory and on disk, without a model."""

from flowgauge.store import Run, RunWriter, open_run, tables_from_rows

MANIFEST = {
    "schema": 1,
    "model": {"name": "toy", "fingerprint": "f1"},
    "law": "model",
    "reference": "omit",
    "support": {
        "threshold": 0.3,
        "parts": ["flow", "pointer"],
        "constants": {"flow": [0.5, 0.1]},
        "words": "how well",
    },
}


def record(row, support, **more):
    """A row of the records table; failed if `support` is an error text."""
    base = {"row": row, "id": f"r{row}", "status": "measured", "response": "A short answer."}
    if isinstance(support, str):
        return {**base, "status": "failed", "response": None, "reason": support, **more}
    return {**base, "support": support, **more}


def memory_run(supports, manifest=MANIFEST, **more):
    rows = [record(i, s, **more) for i, s in enumerate(supports)]
    return Run("toy-run", manifest, tables_from_rows({"records": rows}))


def disk_run(folder, supports, manifest=MANIFEST, **more):
    with RunWriter(folder, manifest, resume=False) as writer:
        writer.write_part(0, {"records": [record(i, s, **more) for i, s in enumerate(supports)]})
        writer.finish(manifest)
    return open_run(folder)


def label_rows(supported):
    return [{"id": f"r{i}", "supported": bool(s)} for i, s in enumerate(supported)]
