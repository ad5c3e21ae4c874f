"""The folder of saved runs: a list, one run, one record; nothing outside it.

A run counts as saved once its `run.json` stands there, which is written last.
"""

from pathlib import Path
from typing import Any

from flowgauge.errors import RunError
from flowgauge.report.payload import blocks, measured_rows
from flowgauge.report.support import support_view
from flowgauge.serve.answers import Refusal
from flowgauge.serve.names import inside
from flowgauge.store import Run, open_run

Entry = dict[str, Any]


class Shelf:
    """Reads the runs of one folder.

    Args:
        folder: Where they are; it may not exist yet.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._known: dict[str, tuple[int, Entry]] = {}

    def has(self, name: str) -> bool:
        """Whether something of this name stands there."""
        return inside(self.folder, name).exists()

    def open(self, name: str) -> Run:
        """The run of this name.

        Raises:
            SettingsError: It is no name of a run.
            Refusal: There is no such run, or it is not finished.
        """
        folder = inside(self.folder, name)
        if not (folder / "run.json").is_file():
            is_begun = (folder / "plan.json").is_file()
            why = f"the run {name} is not finished" if is_begun else f"there is no run {name}"
            raise Refusal(404, "RunError", f"{why}; /api/runs lists those that can be read")
        return open_run(folder)

    def runs(self) -> list[Entry]:
        """What there is, newest first; a damaged run is listed with its reason."""
        found: dict[str, tuple[int, Entry]] = {}
        for file in self.folder.glob("*/run.json"):
            name = file.parent.name
            try:
                inside(self.folder, name)
                stamp = file.stat().st_mtime_ns
            except (ValueError, OSError):  # a name that no address can have, or gone meanwhile
                continue
            known = self._known.get(name)
            found[name] = known if known and known[0] == stamp else (stamp, self._entry(name))
        self._known = found
        order = sorted(found.values(), key=lambda e: (e[1].get("created") or "", e[0]))
        return [entry for _, entry in reversed(order)]

    def _entry(self, name: str) -> Entry:
        try:
            run = self.open(name)
            return _entry(run)
        except (RunError, Refusal, KeyError, TypeError, ValueError) as error:
            return {"name": name, "created": None, "damaged": str(error)}

    def record(self, name: str, record: str) -> dict[str, Any]:
        """The columns of one record, as the report's data has them, and its documents.

        Raises:
            Refusal: The run has no such measured record; says why.
        """
        run = self.open(name)
        if record not in run:
            try:
                run[record]
            except RunError as error:
                raise Refusal(404, "RunError", str(error)) from None
        measured = measured_rows(run.table("records"))
        place = measured.column("id").to_pylist().index(record)
        one = measured.slice(place, 1)
        row = one.column("row")[0].as_py()
        view = support_view(run.manifest)
        tokens, sentences = (
            table.filter([r == row for r in table.column("row").to_pylist()])
            for table in (run.table("tokens"), run.table("sentences"))
        )
        [(_, block)] = blocks(one, tokens, sentences, threshold=view.sentence_threshold)
        texts = one.column("documents")[0].as_py()
        block["document_texts"] = None if texts is None else [text or "" for text in texts]
        return {"run": name, **block}


def _entry(run: Run) -> Entry:
    """One line of the list; sums over the records, the least support of them."""
    rows = [r for r in run.table("records").to_pylist() if r["status"] == "measured"]
    flow = sum(r["flow_nats"] for r in rows)
    surprise = sum(r["surprisal_q_nats"] for r in rows)
    model = run.manifest.get("model")
    return {
        "name": run.name,
        "created": run.manifest.get("created"),
        "model": model.get("name") if isinstance(model, dict) else model,
        "law": run.manifest.get("law"),
        "records": len(rows),
        "failed": len(run.failed),
        "ids": [r["id"] for r in rows[:100]],
        "title": next((_title(r) for r in rows), ""),
        "tokens": sum(r["n_tokens"] for r in rows),
        "flow_nats": flow,
        "flow_fraction": flow / surprise if surprise > 0 else None,
        "support": min((r["support"] for r in rows if r["support"] is not None), default=None),
        "outcomes": sorted({r["outcome"] for r in rows}),
    }


def _title(record: dict[str, Any]) -> str:
    text = " ".join((record["question"] or record["response"] or "").split())
    return text if len(text) <= 80 else text[:79] + "…"
