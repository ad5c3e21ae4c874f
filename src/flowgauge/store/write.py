"""The writer of a run: killed at any moment, it has lost at most the part in flight.

`plan.json` says what will be measured and is written first; a part is a folder of three Parquet
files that is renamed into place whole; `run.json` is written last. On resume the plan must be the
same, so that the numbers of every part are those of an uninterrupted run.
"""

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock, Timeout

from flowgauge.errors import RunExistsError, RunLockedError, RunMismatchError
from flowgauge.store.schema import TABLES, arrow_schema

Rows = Mapping[str, Sequence[Mapping[str, Any]]]


def tables_from_rows(rows: Rows) -> dict[str, pa.Table]:
    """Arrow tables of the schema from lists of rows; absent columns are null."""
    return {
        name: pa.Table.from_pylist(list(rows.get(name, ())), schema=arrow_schema(name))
        for name in TABLES
    }


def _write_atomically(path: Path, text: str) -> None:
    half = path.with_suffix(".tmp")
    with half.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    half.replace(path)


class RunWriter:
    """Writes one run folder; a context manager that holds the folder's lock.

    Args:
        folder: Where the run lives.
        plan: What is measured: input, model, settings, parts. JSON-able.
        resume: Continue a run with the same plan.

    Raises:
        RunExistsError: The folder holds something and `resume` is off.
        RunMismatchError: The folder's plan differs; shows what.
        RunLockedError: Another process writes to it.
    """

    def __init__(self, folder: Path, plan: Mapping[str, Any], *, resume: bool) -> None:
        self.folder = Path(folder)
        self.plan = json.loads(json.dumps(plan))
        self._resume = resume
        # The lock file stays: removing it would let a third process lock a new one beside it.
        self._lock = FileLock(self.folder / ".lock")

    def __enter__(self) -> "RunWriter":
        if self.folder.exists() and not self.folder.is_dir():
            raise RunExistsError(f"{self.folder} is a file; a folder for the run was needed")
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise RunLockedError(
                f"another process writes to {self.folder}; wait for it or choose another --out"
            ) from None
        try:
            self._open()
        except BaseException:
            self._lock.release()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def _open(self) -> None:
        plan_file = self.folder / "plan.json"
        # A lens page may be there before the run that it belongs to.
        if {f.name for f in self.folder.iterdir()} - {".lock", "plan.tmp", "lens.html"}:
            if not plan_file.is_file():
                raise RunExistsError(
                    f"{self.folder} holds files but no run of flowgauge; choose another --out"
                )
            if not self._resume:
                raise RunExistsError(
                    f"{self.folder} holds a run already; continue it with --resume or choose "
                    "another --out"
                )
            try:
                found = json.loads(plan_file.read_text(encoding="utf-8"))
            except ValueError as error:
                raise RunMismatchError(
                    f"{plan_file} is damaged: {error}; use another --out"
                ) from error
            self._compare(found)
            for half in self.folder.glob("*.tmp"):
                shutil.rmtree(half) if half.is_dir() else half.unlink()
            return
        _write_atomically(plan_file, json.dumps(self.plan, indent=1, ensure_ascii=False))

    def _compare(self, found: Mapping[str, Any]) -> None:
        differ = sorted(k for k in {*found, *self.plan} if found.get(k) != self.plan.get(k))
        if differ:
            shown = "; ".join(
                f"{k}: {json.dumps(there)[:80]} there, {json.dumps(now)[:80]} now"
                for k, there, now in ((k, found.get(k), self.plan.get(k)) for k in differ)
            )
            raise RunMismatchError(
                f"{self.folder} was made from something else ({shown}); measure with the same "
                "input, model and settings, or choose another --out"
            )

    def _part(self, number: int) -> Path:
        return self.folder / f"part-{number:05d}"

    def has_part(self, number: int) -> bool:
        """Whether a part is there, whole."""
        return self._part(number).is_dir()

    def write_part(self, number: int, rows: Rows) -> None:
        """Write one part so that it is there whole or not at all."""
        half = self._part(number).with_suffix(".tmp")
        if half.exists():
            shutil.rmtree(half)
        half.mkdir()
        for name, table in tables_from_rows(rows).items():
            path = half / f"{name}.parquet"
            pq.write_table(table, path, compression="zstd")
            with path.open("rb") as file:
                os.fsync(file.fileno())
        half.replace(self._part(number))

    def finish(self, manifest: Mapping[str, Any]) -> None:
        """Write the manifest; the run is complete from here on."""
        text = json.dumps(manifest, indent=1, ensure_ascii=False, sort_keys=False)
        _write_atomically(self.folder / "run.json", text)
