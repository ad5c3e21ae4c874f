"""The written contract: every column has a type, a unit or none, a meaning."""

import pyarrow as pa
import pytest

from flowgauge.store import SCHEMA_VERSION, TABLES, arrow_schema

UNITS = {"", "words", "nats", "nats²", "tokens", "characters"}


@pytest.mark.parametrize("table", TABLES)
def test_every_column_is_documented(table):
    names = [c.name for c in TABLES[table]]
    assert len(set(names)) == len(names)
    for column in TABLES[table]:
        assert column.unit in UNITS, column
        assert len(column.meaning) >= 6, column
        # The unit travels in the name where it is one of information.
        assert column.name.endswith("_nats") == (column.unit == "nats"), column
        assert column.name.endswith("_nats2") == (column.unit == "nats²"), column
    assert names[0] == "row"


@pytest.mark.parametrize("table", TABLES)
def test_the_files_carry_unit_and_meaning(table):
    schema = arrow_schema(table)
    assert schema.metadata == {b"flowgauge_schema": str(SCHEMA_VERSION).encode()}
    for field, column in zip(schema, TABLES[table], strict=True):
        assert field.name == column.name
        assert field.type == column.type
        assert field.metadata == {
            b"unit": column.unit.encode(),
            b"meaning": column.meaning.encode(),
        }


def test_numbers_are_float64_and_places_int64():
    for columns in TABLES.values():
        for column in columns:
            assert not pa.types.is_float32(column.type)
            if column.unit in ("nats", "nats²") and not pa.types.is_list(column.type):
                assert column.type == pa.float64()
