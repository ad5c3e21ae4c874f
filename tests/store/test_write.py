"""The writer: what goes in comes out, killed at any moment, one at a time."""

import json
import math
import subprocess
import sys
import textwrap

import pytest
from store.rows import PLAN, RECORD, SENTENCE, TOKEN, rows

from flowgauge.errors import RunExistsError, RunLockedError, RunMismatchError
from flowgauge.store import TABLES, RunWriter, open_run, tables_from_rows
from flowgauge.store import write as writing


def written(folder, *parts, plan=PLAN, resume=False, finish=True):
    with RunWriter(folder, plan, resume=resume) as writer:
        for number, part in enumerate(parts):
            if not writer.has_part(number):
                writer.write_part(number, part)
        if finish:
            writer.finish({**plan, "measured": 1})
    return open_run(folder)


def test_the_made_up_rows_fill_every_column():
    for name, one in (("records", RECORD), ("tokens", TOKEN), ("sentences", SENTENCE)):
        place = {"records": set(), "tokens": {"position"}, "sentences": {"sentence"}}[name]
        assert {"row", "id", *place, *one} == {c.name for c in TABLES[name]}


@pytest.mark.parametrize("table", TABLES)
def test_every_column_is_read_as_it_was_written(tmp_path, table):
    run = written(tmp_path / "run", rows(0, 1), rows(2))
    wanted = rows(0, 1, 2)[table]
    assert run.table(table).to_pylist() == wanted
    assert run.table(table).schema.metadata[b"flowgauge_schema"] == b"2"


def test_absent_columns_are_null_and_nan_is_kept_apart_from_null(tmp_path):
    run = written(
        tmp_path / "run",
        {"records": [{"row": 0, "id": "r0", "status": "failed", "flow_nats": math.nan}]},
    )
    (row,) = run.table("records").to_pylist()
    assert math.isnan(row["flow_nats"])
    assert row["residual"] is None
    assert row["documents"] is None
    assert run.table("tokens").num_rows == 0


def test_parts_may_be_out_of_order_tables_are_not(tmp_path):
    run = written(tmp_path / "run", rows(4, 1, tokens=3), rows(0, 9, sentences=2))
    assert run.table("records")["row"].to_pylist() == [0, 1, 4, 9]
    assert run.table("tokens")["row"].to_pylist() == [0, 0, 1, 1, 1, 4, 4, 4, 9, 9]
    assert run.table("sentences")["sentence"].to_pylist() == [0, 1, 0, 0, 0, 1]
    assert run["r4"].columns["flow_nats"].tolist() == [4.0, 4 + 1 / 3, 4 + 2 / 3]


def test_unknown_columns_do_not_slip_in(tmp_path):
    table = tables_from_rows({"records": [{"row": 0, "id": "a", "unheard_of": 1}]})["records"]
    assert "unheard_of" not in table.column_names


# -- killed ---------------------------------------------------------------------------------------


def test_a_half_written_part_is_no_part(tmp_path):
    folder = tmp_path / "run"
    written(folder, rows(0), finish=False)
    half = folder / "part-00001.tmp"
    half.mkdir()
    (half / "records.parquet").write_bytes(b"PAR1 and then the power went")
    (folder / "run.tmp").write_text('{"half')
    assert len(open_run(folder)) == 1
    run = written(folder, rows(0), rows(1), resume=True)
    assert run.table("records")["row"].to_pylist() == [0, 1]
    assert not list(folder.glob("*.tmp"))


def test_killed_before_the_plan_was_whole(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / ".lock").touch()
    (folder / "plan.tmp").write_text('{"half')
    assert len(written(folder, rows(0))) == 1


@pytest.mark.parametrize("at", ["records", "tokens", "sentences", "rename"])
def test_killed_while_a_part_is_written(tmp_path, monkeypatch, at):
    folder = tmp_path / "run"
    written(folder, rows(0), finish=False)

    def dies(*_, **__):
        raise SystemExit

    real = writing.pq.write_table

    def write_table(table, path, **more):
        if path.stem == at:
            path.write_bytes(b"PAR1")
            raise SystemExit
        return real(table, path, **more)

    with monkeypatch.context() as patch:
        patch.setattr(writing.pq, "write_table", write_table)
        if at == "rename":
            patch.setattr(writing.Path, "replace", dies)
        with pytest.raises(SystemExit):
            written(folder, rows(0), rows(1), resume=True)
    assert open_run(folder).table("records")["row"].to_pylist() == [0]
    assert not (folder / "run.json").exists()
    assert written(folder, rows(0), rows(1), resume=True).table("tokens").num_rows == 4


def test_the_manifest_is_whole_or_absent(tmp_path, monkeypatch):
    folder = tmp_path / "run"

    def dies(*_):
        raise SystemExit

    with monkeypatch.context() as patch, RunWriter(folder, PLAN, resume=False) as writer:
        patch.setattr(writing.Path, "replace", dies)
        with pytest.raises(SystemExit):
            writer.finish({"a": 1})
    assert not (folder / "run.json").exists()
    assert open_run(folder).manifest == PLAN


# -- the wrong folder -----------------------------------------------------------------------------


def test_a_run_is_not_overwritten(tmp_path):
    written(tmp_path / "run", rows(0))
    with pytest.raises(RunExistsError, match="holds a run already; continue it with --resume"):
        written(tmp_path / "run", rows(1))
    assert open_run(tmp_path / "run").table("records")["row"].to_pylist() == [0]


@pytest.mark.parametrize("resume", [False, True])
def test_a_folder_of_something_else_is_left_alone(tmp_path, resume):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(RunExistsError, match="holds files but no run of flowgauge"):
        written(tmp_path, rows(0), resume=resume)
    assert (tmp_path / "thesis.tex").read_text() == "years of work"
    assert not (tmp_path / "plan.json").exists()


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "run").write_text("x")
    with pytest.raises(RunExistsError, match="is a file; a folder for the run was needed"):
        written(tmp_path / "run", rows(0))


def test_an_empty_or_missing_folder_may_be_resumed(tmp_path):
    (tmp_path / "empty").mkdir()
    assert len(written(tmp_path / "empty", rows(0), resume=True)) == 1
    assert len(written(tmp_path / "deep" / "er", rows(0), resume=True)) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": {"name": "other"}}, r'model: {"name": "m"} there, {"name": "other"} now'),
        ({"orders": [1.0]}, r"orders: \[-1\.0, 0\.5\] there, \[1\.0\] now"),
        ({"more": 1}, r"more: null there, 1 now"),
    ],
)
def test_a_run_made_from_something_else_names_it(tmp_path, change, message):
    written(tmp_path / "run", rows(0))
    with pytest.raises(RunMismatchError, match=message):
        written(tmp_path / "run", rows(0), plan={**PLAN, **change}, resume=True)


def test_a_damaged_plan_is_said(tmp_path):
    written(tmp_path / "run", rows(0))
    (tmp_path / "run" / "plan.json").write_text("{")
    with pytest.raises(RunMismatchError, match=r"plan\.json is damaged"):
        written(tmp_path / "run", rows(0), resume=True)


# -- two at once ----------------------------------------------------------------------------------

HOLDER = """
import sys
from pathlib import Path
from flowgauge.store import RunWriter
with RunWriter(Path(sys.argv[1]), {"schema": 1}, resume=True):
    print("held", flush=True)
    sys.stdin.readline()
"""


def test_a_folder_held_by_another_process(tmp_path):
    folder = tmp_path / "run"
    command = [sys.executable, "-c", textwrap.dedent(HOLDER), str(folder)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(RunLockedError, match=r"another process writes to .*; wait for it"):
            written(folder, rows(0), plan={"schema": 1}, resume=True)
        holder.kill()  # as kill -9 would: no cleanup
        holder.wait()
    assert len(written(folder, rows(0), plan={"schema": 1}, resume=True)) == 1


def test_the_lock_is_given_back_after_an_error(tmp_path):
    written(tmp_path / "run", rows(0))
    with pytest.raises(RunExistsError):
        written(tmp_path / "run", rows(0))
    with pytest.raises(ZeroDivisionError), RunWriter(tmp_path / "run", PLAN, resume=True):
        raise ZeroDivisionError
    assert len(written(tmp_path / "run", rows(0), resume=True)) == 1


def test_the_manifest_is_json_anyone_can_read(tmp_path):
    written(tmp_path / "run", rows(0))
    manifest = json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))
    assert manifest == {**PLAN, "measured": 1}
