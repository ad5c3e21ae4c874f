"""What stands beside a run or is missing from it: calibrations, and files of an older schema."""

import json

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from store.rows import PLAN, rows
from support.runs import MANIFEST, disk_run, label_rows

from flowgauge.store import RunWriter, open_run
from flowgauge.support import calibrate, parse_labels, write_calibration

NEW = {
    "records": ("support", "pointer"),
    "tokens": (
        "pointer", "pointer_document", "pointer_start", "pointer_end", "copied_words",
        "local_fraction", "support",
    ),
    "sentences": ("pointer", "support", "sources"),
}  # fmt: skip


def test_a_run_of_an_older_schema_has_nulls(tmp_path):
    folder = tmp_path / "old"
    with RunWriter(folder, {**PLAN, "schema": 1}, resume=False) as writer:
        writer.write_part(0, rows(0, 1))
        writer.write_part(1, rows(2))
    names = {name: open_run(folder).table(name).schema for name in NEW}
    for name, columns in NEW.items():
        file = folder / "part-00000" / f"{name}.parquet"  # only one part is older
        pq.write_table(pq.read_table(file).drop_columns(list(columns)), file)
    run = open_run(folder)
    for name, columns in NEW.items():
        table = run.table(name)
        assert table.schema.equals(names[name])
        older = table.filter(pc.less(table["row"], 2))
        for column in columns:
            assert older[column].null_count == older.num_rows > 0
            assert table[column].null_count == older.num_rows
    item = run["r1"]
    assert item.record["support"] is None
    assert np.isnan(item.columns["pointer"]).all()
    assert item.sentences[0]["sources"] is None
    assert run.sql("select count(support) as n from sentences").to_pylist() == [{"n": 1}]


@pytest.fixture
def calibrated(tmp_path, rng):
    supported = np.arange(100) % 2 == 0
    support = np.where(supported, rng.beta(6, 2, 100), rng.beta(2, 6, 100)).tolist()
    run = disk_run(tmp_path / "toy", support)
    found = calibrate(run, parse_labels(label_rows(supported), run))
    write_calibration(found, run.path)
    return run.path, found


def test_a_calibration_gives_the_threshold_of_responses(calibrated):
    folder, found = calibrated
    manifest = open_run(folder).manifest
    assert manifest["calibration"] == "calibration.json"
    entry = manifest["support"]
    assert entry["threshold"] == found.threshold.threshold
    assert entry["sentence_threshold"] == MANIFEST["support"]["threshold"]
    assert entry["calibration"] == {
        "threshold": found.threshold.threshold, "alpha": 0.1, "confidence": 0.95, "n": 100,
        "words": found.words,
    }  # fmt: skip
    json.dumps(manifest)
    # It is still the run's own, for the threshold is no part of the score.
    found.check(open_run(folder))
    assert "calibration" not in json.loads((folder / "run.json").read_text())


def test_a_calibration_that_cannot_be_used_is_a_note(calibrated):
    folder, _ = calibrated
    file = folder / "calibration.json"
    data = json.loads(file.read_text())
    other = {**data, "provenance": {**data["provenance"], "fingerprint": "another"}}
    for text, why in (("{", "is damaged"), (json.dumps(other), "each model's support has a scale")):
        file.write_text(text)
        run = open_run(folder)
        assert run.manifest["calibration"] == "calibration.json"
        assert run.manifest["support"] == MANIFEST["support"]
        (note,) = run.manifest["notes"]
        assert note.startswith("the calibration beside the run is not used: ")
        assert why in note


def test_without_one_the_manifest_is_as_written(tmp_path):
    run = disk_run(tmp_path / "toy", [0.5])
    assert run.manifest == MANIFEST
