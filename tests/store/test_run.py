"""Reading a run: items, SQL, and what is not there."""

import json
import math

import numpy as np
import pytest
from store.rows import PLAN, rows

from flowgauge.anytime import decide
from flowgauge.errors import RunError
from flowgauge.store import Run, RunWriter, open_run, tables_from_rows


def a_run(*numbers, failed=(), **more):
    tables = rows(*numbers, **more)
    tables["records"] += [
        {"row": 100 + i, "id": name, "status": "failed", "kind": "RecordError", "reason": "so"}
        for i, name in enumerate(failed)
    ]
    return Run("test", PLAN, tables_from_rows(tables))


def test_an_item_holds_every_number_as_numpy():
    item = a_run(0, 1, tokens=3)["r1"]
    assert item.record["flow_fraction"] == 1 / 3
    assert item.tokens == ("a", "a", "a")
    assert item.columns["flow_nats"].tolist() == [1.0, 1 + 1 / 3, 1 + 2 / 3]
    assert item.columns["flow_nats"].dtype == np.float64
    assert item.columns["token_id"].dtype == np.int64
    assert item.columns["log_q_nats"].tolist() == [-math.inf] * 3
    assert item.flow.surprisal_q.tolist() == [math.inf] * 3
    assert item.flow.log_moments.tolist() == [[0.1, -0.1]] * 3
    assert item.flow.orders.tolist() == [-1.0, 0.5]
    assert math.isnan(item.flow.residual)
    assert item.drift.tolist() == [0.3] * 3
    assert item.density is item.flow.density
    assert item.variance.tolist() == [0.0] * 3
    assert [s["text"] for s in item.sentences] == ["ab"]
    np.testing.assert_allclose(
        item.flow.martingale, item.columns["flow_nats"] - item.columns["compensator_nats"]
    )


def test_an_item_without_tokens():
    item = a_run(0, tokens=0, sentences=0)["r0"]
    assert item.tokens == ()
    assert item.flow.total_nats == 0
    assert item.flow.log_moments.shape == (0, 2)
    assert decide(item.flow).outcome == "neither"


def test_a_run_is_a_mapping_of_its_measured_records():
    run = a_run(0, 1, failed=("bad",))
    assert list(run) == ["r0", "r1"]
    assert len(run) == 2
    assert "r0" in run
    assert "bad" not in run
    assert 7 not in run
    assert repr(run) == "<Run test: 2 measured, 1 failed>"
    assert run.failed == [{"row": 100, "id": "bad", "kind": "RecordError", "reason": "so"}]


def test_what_is_not_there():
    run = a_run(*range(7), failed=("bad",))
    with pytest.raises(RunError, match="the record 'bad' could not be measured: so"):
        run["bad"]
    with pytest.raises(RunError, match="no record 'nope'; it has r0, r1, r2, r3, r4, …"):
        run["nope"]
    with pytest.raises(RunError, match="no record 'nope'; it has none"):
        a_run()["nope"]
    with pytest.raises(RunError, match="tables records, tokens, sentences; 'sentence' was asked"):
        run.table("sentence")


@pytest.mark.parametrize(
    "key", ["'; drop table records; --", "../../etc/passwd", "", "a\nb", "😀", "%s", '"', "row-0"]
)
def test_hostile_ids_are_only_ids(tmp_path, key):
    tables = rows(0)
    for table in tables.values():
        table[0]["id"] = key
    tables["tokens"] = [{**t, "id": key} for t in tables["tokens"]]
    with RunWriter(tmp_path / "run", PLAN, resume=False) as writer:
        writer.write_part(0, tables)
    run = open_run(tmp_path / "run")
    assert run[key].record["id"] == key
    assert len(run[key].tokens) == 2
    found = run.sql("select id, count(*) as n from tokens group by id").to_pylist()
    assert found == [{"id": key, "n": 2}]
    assert sorted(f.name for f in (tmp_path / "run").iterdir()) == [
        ".lock", "part-00000", "plan.json",
    ]  # fmt: skip


def test_sql_sees_the_three_tables():
    run = a_run(0, 1, 2)
    found = run.sql(
        "select r.id, sum(t.drift_nats) as a, any_value(s.text) as text from records r "
        "join tokens t using (row) join sentences s using (row) group by r.id order by r.id"
    )
    assert found.to_pylist() == [{"id": f"r{i}", "a": 0.6, "text": "ab"} for i in range(3)]
    assert run.sql("select labels[1].kind as k from records limit 1").to_pylist() == [{"k": "k"}]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("selec", "the query failed: Parser Error"),
        ("select nope from records", "the query failed: Binder Error"),
        ("select * from nope", "the query failed: Catalog Error"),
        ("", "gives no rows; a select was needed"),
        ("-- a remark", "gives no rows; a select was needed"),
    ],
)
def test_sql_that_fails_says_why(query, message):
    with pytest.raises(RunError, match=message):
        a_run(0).sql(query)


def test_a_query_changes_nothing():
    run = a_run(0)
    run.sql("create table x as select 1 as a")
    with pytest.raises(RunError):
        run.sql("delete from records")
    with pytest.raises(RunError):
        run.sql("select * from x")
    assert len(run) == 1


# -- opening --------------------------------------------------------------------------------------


def finished(folder):
    with RunWriter(folder, PLAN, resume=False) as writer:
        writer.write_part(0, rows(0))
        writer.finish({**PLAN, "measured": 1})
    return folder


def test_a_bare_name_is_looked_for_under_runs(tmp_path, monkeypatch):
    finished(tmp_path / "runs" / "mine")
    monkeypatch.chdir(tmp_path)
    run = open_run("mine")
    assert run.name == "mine"
    assert run.manifest["measured"] == 1
    assert len(open_run(tmp_path / "runs" / "mine")) == 1


def test_what_is_no_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RunError, match=r"nope is no run: a folder with plan\.json was needed"):
        open_run("nope")
    (tmp_path / "plain").mkdir()
    with pytest.raises(RunError, match="plain is no run"):
        open_run("plain")


def test_a_newer_schema_asks_for_a_newer_flowgauge(tmp_path):
    folder = finished(tmp_path / "run")
    plan = json.loads((folder / "plan.json").read_text())
    (folder / "plan.json").write_text(json.dumps({**plan, "schema": 99}))
    with pytest.raises(RunError, match="has the schema 99, this flowgauge reads 2; update"):
        open_run(folder)


@pytest.mark.parametrize("name", ["plan.json", "run.json"])
@pytest.mark.parametrize("content", ["{", "", "[1]", "\x00"])
def test_damaged_json_is_said(tmp_path, name, content):
    folder = finished(tmp_path / "run")
    (folder / name).write_text(content)
    with pytest.raises(RunError, match=rf"{name} is damaged"):
        open_run(folder)


@pytest.mark.parametrize("damage", ["missing", "empty", "garbage", "cut"])
def test_a_damaged_part_is_said(tmp_path, damage):
    folder = finished(tmp_path / "run")
    file = folder / "part-00000" / "tokens.parquet"
    whole = file.read_bytes()
    if damage == "missing":
        file.unlink()
    else:
        file.write_bytes({"empty": b"", "garbage": b"no", "cut": whole[: len(whole) // 2]}[damage])
    with pytest.raises(RunError, match=r"a part of the run is damaged: .*delete that part-"):
        open_run(folder)


def test_an_unfinished_run_opens_with_its_plan(tmp_path):
    with RunWriter(tmp_path / "run", PLAN, resume=False) as writer:
        writer.write_part(3, rows(5))
    run = open_run(tmp_path / "run")
    assert run.manifest == PLAN
    assert run["r5"].flow.orders.tolist() == [-1.0, 0.5]
