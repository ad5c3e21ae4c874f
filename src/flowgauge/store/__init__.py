"""Runs on disk: the written schema, the atomic writer, the reader with SQL."""

from flowgauge.store.run import Item as Item
from flowgauge.store.run import Run as Run
from flowgauge.store.run import open_run as open_run
from flowgauge.store.schema import SCHEMA_VERSION as SCHEMA_VERSION
from flowgauge.store.schema import TABLES as TABLES
from flowgauge.store.schema import arrow_schema as arrow_schema
from flowgauge.store.write import RunWriter as RunWriter
from flowgauge.store.write import tables_from_rows as tables_from_rows

__all__ = [
    "SCHEMA_VERSION",
    "TABLES",
    "Item",
    "Run",
    "RunWriter",
    "arrow_schema",
    "open_run",
    "tables_from_rows",
]
