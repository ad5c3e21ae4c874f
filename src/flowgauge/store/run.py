"""A run as its reader sees it: manifest, three tables, SQL, one item a record."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from flowgauge.errors import RunError
from flowgauge.records import FloatArray, Flow
from flowgauge.store.schema import SCHEMA_VERSION, TABLES

#: What `flowgauge.support.write_calibration` puts beside a run.
CALIBRATION_FILE = "calibration.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One measured record: its row of the table and its token columns as numpy arrays.

    Attributes:
        record: The row of the records table.
        tokens: Text of each scored token.
        columns: Every numeric column of the tokens table, by its stored name, float64 or int64.
        sentences: Rows of the sentences table.
        flow: The flow, ready for `decide`.
    """

    record: Mapping[str, Any]
    tokens: tuple[str, ...]
    columns: Mapping[str, Any]
    sentences: tuple[Mapping[str, Any], ...]
    flow: Flow

    @property
    def density(self) -> FloatArray:
        """(time,) log P/Q of each token [nats]."""
        return self.flow.density

    @property
    def drift(self) -> FloatArray | None:
        """(time,) KL(P‖Q) [nats]."""
        return self.flow.drift

    @property
    def variance(self) -> FloatArray | None:
        """(time,) Var_P[log P/Q] [nats²]."""
        return self.flow.variance


class Run:
    """Results of one measurement, on disk or in memory.

    Args:
        name: What people call it.
        manifest: Provenance and counts.
        tables: The three tables.
        path: Its folder; None in memory.
    """

    def __init__(
        self,
        name: str,
        manifest: Mapping[str, Any],
        tables: Mapping[str, pa.Table],
        path: Path | None = None,
    ) -> None:
        self.name = name
        self.manifest = dict(manifest)
        self.path = path
        self._tables = dict(tables)

    def table(self, name: str) -> pa.Table:
        """One of the tables records, tokens, sentences, in input order."""
        if name not in self._tables:
            raise RunError(f"a run has the tables {', '.join(self._tables)}; {name!r} was asked")
        return self._tables[name]

    def sql(self, query: str) -> pa.Table:
        """Rows of a DuckDB query over the tables records, tokens and sentences.

        Raises:
            RunError: DuckDB refuses the query; shows its message.

        Example:
            >>> from flowgauge.store import tables_from_rows
            >>> run = Run("r", {}, tables_from_rows({"records": [{"row": 0, "id": "a"}]}))
            >>> run.sql("select count(*) as n from records").to_pylist()
            [{'n': 1}]
        """
        import duckdb

        with duckdb.connect() as connection:
            for name, table in self._tables.items():
                connection.register(name, table)
            try:
                found = connection.sql(query)
                if found is None:
                    raise RunError(f"the query {query[:60]!r} gives no rows; a select was needed")
                return found.to_arrow_table()
            except duckdb.Error as error:
                raise RunError(f"the query failed: {error}") from error

    @cached_property
    def _records(self) -> dict[str, dict[str, Any]]:
        return {r["id"]: r for r in self.table("records").to_pylist() if r["status"] == "measured"}

    @cached_property
    def failed(self) -> list[dict[str, Any]]:
        """Rows that could not be measured, with `row`, `id`, `kind`, `reason`."""
        wanted = ("row", "id", "kind", "reason")
        rows = self.table("records").select([*wanted, "status"]).to_pylist()
        return [{k: r[k] for k in wanted} for r in rows if r["status"] == "failed"]

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[str]:
        return iter(self._records)

    def __contains__(self, key: object) -> bool:
        return key in self._records

    def __repr__(self) -> str:
        return f"<Run {self.name}: {len(self)} measured, {len(self.failed)} failed>"

    def __getitem__(self, key: str) -> Item:
        """The measured record with this id.

        Raises:
            RunError: No such id, or its row failed; says why.
        """
        if key not in self._records:
            for row in self.failed:
                if row["id"] == key:
                    raise RunError(f"the record {key!r} could not be measured: {row['reason']}")
            some = ", ".join([*list(self._records)[:5], "…"]) if self._records else "none"
            raise RunError(f"the run {self.name} has no record {key!r}; it has {some}")
        record = self._records[key]
        tokens = self._rows_of("tokens", record["row"])
        columns: dict[str, Any] = {}
        for field in tokens.schema:
            if pa.types.is_floating(field.type) or pa.types.is_integer(field.type):
                columns[field.name] = tokens[field.name].to_numpy()
        moments = tokens["log_moments_nats"].to_pylist()
        orders = np.asarray(self.manifest.get("orders", ()), dtype=np.float64)
        return Item(
            record=record,
            tokens=tuple(tokens["text"].to_pylist()),
            columns=columns,
            sentences=tuple(self._rows_of("sentences", record["row"]).to_pylist()),
            flow=Flow(
                density=columns["density_nats"],
                flow=columns["flow_nats"],
                surprisal_q=-columns["log_q_nats"],
                drift=columns["drift_nats"],
                compensator=columns["compensator_nats"],
                martingale=columns["flow_nats"] - columns["compensator_nats"],
                variance=columns["variance_nats2"],
                log_moments=np.array(moments, dtype=np.float64).reshape(len(moments), len(orders)),
                orders=orders,
                residual=float("nan") if record["residual"] is None else record["residual"],
            ),
        )

    @cached_property
    def _bounds(self) -> dict[str, dict[int, tuple[int, int]]]:
        """First and one-past-last place of each row's records in the sorted tables."""
        out: dict[str, dict[int, tuple[int, int]]] = {}
        for name in ("tokens", "sentences"):
            rows, starts, counts = np.unique(
                self.table(name)["row"].to_numpy(), return_index=True, return_counts=True
            )
            out[name] = {
                int(r): (int(s), int(n)) for r, s, n in zip(rows, starts, counts, strict=True)
            }
        return out

    def _rows_of(self, name: str, row: int) -> pa.Table:
        start, count = self._bounds[name].get(row, (0, 0))
        return self.table(name).slice(start, count)


def open_run(path: str | Path) -> Run:
    """Open a finished or unfinished run.

    A calibration that stands beside it (`flowgauge calibrate`) gives the threshold under which a
    response is called unsupported. Columns that an older version did not write are null.

    Args:
        path: Its folder; a bare name is looked for under `runs/`.

    Raises:
        RunError: No run there, or one of a newer schema.
    """
    folder = Path(path)
    if not folder.is_dir() and folder.name == str(path) and (Path("runs") / folder).is_dir():
        folder = Path("runs") / folder
    if not (folder / "plan.json").is_file():
        raise RunError(f"{folder} is no run: a folder with plan.json was needed")
    plan = _json(folder / "plan.json")
    if plan.get("schema", 0) > SCHEMA_VERSION:
        raise RunError(
            f"{folder} has the schema {plan['schema']}, this flowgauge reads {SCHEMA_VERSION}; "
            "update flowgauge"
        )
    manifest = dict(plan)
    if (folder / "run.json").is_file():
        manifest = _json(folder / "run.json")
    tables = {}
    for name in TABLES:
        tables[name] = _read(name, sorted(folder.glob("part-?????")))
    run = Run(folder.name, manifest, tables, folder)
    if (folder / CALIBRATION_FILE).is_file():
        run.manifest |= _calibrated(run, folder)
    return run


def _calibrated(run: Run, folder: Path) -> dict[str, Any]:
    """Entries of the manifest that a calibration changes; a note if it cannot be used."""
    from flowgauge.support import read_calibration

    entry = run.manifest.get("support")
    changed: dict[str, Any] = {"calibration": CALIBRATION_FILE}
    try:
        found = read_calibration(folder)
        found.check(run)
    except RunError as error:
        note = f"the calibration beside the run is not used: {error}"
        return {**changed, "notes": [*run.manifest.get("notes", ()), note]}
    if not isinstance(entry, Mapping):
        return changed
    own = found.threshold
    told = {
        "threshold": own.threshold,
        "alpha": own.alpha,
        "confidence": own.confidence,
        "n": found.provenance.supported + found.provenance.unsupported,
        "words": found.words,
    }
    return {
        **changed,
        "support": {
            **entry,
            "threshold": own.threshold,  # of responses; a calibration says nothing of sentences
            "sentence_threshold": entry.get("threshold"),
            "calibration": told,
        },
    }


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise RunError(f"{path} is damaged: {error}; measure again into another folder") from error
    if not isinstance(found, dict):
        raise RunError(f"{path} is damaged: it holds {type(found).__name__}, no object")
    return found


def _filled(name: str, table: pa.Table) -> pa.Table:
    """A part with the columns that an older schema lacks, as nulls."""
    from flowgauge.store.schema import arrow_schema

    schema = arrow_schema(name)
    for field in schema:
        if field.name not in table.column_names:
            table = table.append_column(field, pa.nulls(table.num_rows, field.type))
    more = [c for c in table.column_names if c not in schema.names]
    return table.select([*schema.names, *more])


def _read(name: str, parts: list[Path]) -> pa.Table:
    import pyarrow.parquet as pq

    from flowgauge.store.schema import arrow_schema

    try:
        tables = [_filled(name, pq.read_table(part / f"{name}.parquet")) for part in parts]
    except (OSError, pa.ArrowException) as error:
        raise RunError(
            f"a part of the run is damaged: {error}; delete that part-… folder and resume the run"
        ) from error
    if not tables:
        return arrow_schema(name).empty_table()
    whole = pa.concat_tables(tables)
    keys = [("row", "ascending")]
    if name != "records":
        keys.append(("position" if name == "tokens" else "sentence", "ascending"))
    return whole.sort_by(keys)
