"""`flowgauge calibrate`: what it prints and stores, and how it ends."""

import json

import numpy as np
import pytest
from cli.commands import run_here, write_rows
from support.runs import disk_run, label_rows

from flowgauge.support import read_calibration


@pytest.fixture
def flowgauge(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: run_here(capsys, monkeypatch, *arguments)


@pytest.fixture
def world(tmp_path, rng):
    """A run of 100 responses under runs/toy, with a file of labels beside."""
    supported = np.arange(100) % 2 == 0
    support = np.where(supported, rng.beta(6, 2, 100), rng.beta(2, 6, 100)).tolist()
    run = disk_run(tmp_path / "runs" / "toy", support)
    write_rows(tmp_path / "labels.jsonl", label_rows(supported))
    return run


def test_it_prints_threshold_promise_and_table_and_stores_them(flowgauge, world):
    status, out, err = flowgauge("calibrate", "labels.jsonl", "--run", "toy")
    assert (status, err) == (0, "")
    found = read_calibration(world.path)
    lines = out.splitlines()
    assert lines[0] == (
        "50 responses marked supported and 50 marked unsupported (labels.jsonl), seen by toy"
    )
    assert lines[1] == f"threshold: {found.threshold.shown}"
    assert lines[2] == found.words
    assert lines[2].startswith("Of all unsupported responses to come, at most 10 % reach a support")
    assert lines[3].endswith("on responses it was not fitted to (10 folds):")
    assert lines[4].split("\t") == [
        "predicted", "observed", "responses", "95 % interval of the observed",
    ]  # fmt: skip
    bins = found.reliability.bins
    for line, b in zip(lines[5 : 5 + len(bins)], bins, strict=True):
        assert line.split("\t") == [
            f"{100 * b.predicted:.1f} %",
            f"{100 * b.observed.share:.1f} %",
            str(b.observed.n),
            f"{100 * b.observed.lower:.1f} to {100 * b.observed.upper:.1f} %",
        ]
    assert lines[-2] == (
        f"Brier score {found.reliability.brier:.4f} ({found.reliability.brier_base:.4f} for the "
        f"same probability always), log loss {found.reliability.log_loss_nats:.4f} nats, expected "
        f"calibration error {found.reliability.expected_calibration_error:.4f}"
    )
    assert lines[-1] == "stored: runs/toy/calibration.json, runs/toy/reliability.svg"
    assert (world.path / "reliability.svg").read_text().startswith("<svg")


def test_the_options_reach_it_and_json_is_one_object(flowgauge, world):
    status, out, _ = flowgauge(
        "calibrate", "labels.jsonl", "-r", "runs/toy", "--alpha", "0.3", "--confidence", "0.8",
        "--future", "20", "--json",
    )  # fmt: skip
    assert status == 0
    assert out.count("\n") == 1
    told = json.loads(out)
    assert told["run"] == "runs/toy"
    assert told["files"] == ["runs/toy/calibration.json", "runs/toy/reliability.svg"]
    assert told["calibration"] == json.loads((world.path / "calibration.json").read_text())
    threshold = told["calibration"]["threshold"]
    assert (threshold["alpha"], threshold["confidence"], threshold["future"]) == (0.3, 0.8, 20)
    assert threshold["confidence_held"] >= 0.8


def test_labels_of_the_records_themselves(flowgauge, tmp_path, rng):
    rows = [{"start": 0, "end": 5, "kind": "clash"}]
    disk_run(tmp_path / "run", [*rng.random(40).tolist()], labels=rows)
    status, out, err = flowgauge("calibrate", "--from-run", "--run", "run")
    assert (status, out) == (2, "")
    assert "all 40 responses are marked unsupported; a probability needs both answers" in err
    assert not (tmp_path / "run" / "calibration.json").exists()


def test_what_has_no_support_is_named_and_is_one(flowgauge, tmp_path, rng):
    supported = np.arange(90) % 2 == 0
    support = [*rng.random(80).tolist(), *[None] * 9, "no \x9b text"]
    disk_run(tmp_path / "run", support)
    write_rows(tmp_path / "labels.jsonl", label_rows(supported))
    status, out, _ = flowgauge("calibrate", "labels.jsonl", "--run", "run")
    assert status == 1
    assert "left out: r80: it was measured but has no support\n" in out
    assert "left out: 5 more, all in run/calibration.json\n" in out
    assert out.count("left out") == 6
    assert "\x9b" not in out
    left_out = read_calibration(tmp_path / "run").provenance.left_out
    assert left_out[-1] == ("r89", "it could not be measured: no \x9b text")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("labels.jsonl",), "Missing option '--run'"),
        (("--run", "toy"), "neither a file of labels and --from-run came; give one"),
        (("labels.jsonl", "--from-run", "--run", "toy"), "both a file of labels and --from-run"),
        (("labels.jsonl", "--run", "nowhere"), "nowhere is no run: a folder with plan.json"),
        (("nowhere.jsonl", "--run", "toy"), "there is no file nowhere.jsonl; a JSONL file with"),
        (("unknown.jsonl", "--run", "toy"), "the run toy has no record 'x'; it has 'r0', 'r1', "),
        (("outside.jsonl", "--run", "toy"), "label 0 spans 3:99 but the response has 15 charac"),
        (("few.jsonl", "--run", "toy"), "5 responses marked unsupported came; 29 are needed"),
        (("one.jsonl", "--run", "toy"), "all 50 responses are marked unsupported; a probability"),
        (("labels.jsonl", "--run", "toy", "--alpha", "10"), "alpha is 10.0, a number between 0"),
        (("labels.jsonl", "--run", "toy", "--future", "0"), "future is 0; a number of responses"),
        (("--from-run", "--run", "toy"), "none of the 100 records of the run toy came with a span"),
    ],
)
def test_wrong_use_is_two_and_stores_nothing(flowgauge, world, tmp_path, arguments, message):
    labels = label_rows(np.arange(100) % 2 == 0)
    write_rows(tmp_path / "unknown.jsonl", [{"id": "x", "supported": True}])
    write_rows(tmp_path / "outside.jsonl", [{"id": "r0", "labels": [{"start": 3, "end": 99}]}])
    write_rows(tmp_path / "few.jsonl", labels[:10])
    write_rows(tmp_path / "one.jsonl", labels[1::2])
    status, out, err = flowgauge("calibrate", *arguments)
    assert (status, out) == (2, "")
    assert message in err
    assert "Traceback" not in err
    assert not (world.path / "calibration.json").exists()


def test_a_calibration_that_is_there_outlives_a_wrong_one(flowgauge, world, tmp_path):
    assert flowgauge("calibrate", "labels.jsonl", "--run", "toy")[0] == 0
    before = (world.path / "calibration.json").read_bytes()
    write_rows(tmp_path / "bad.jsonl", [b"no"])
    assert flowgauge("calibrate", "bad.jsonl", "--run", "toy")[0] == 2
    assert (world.path / "calibration.json").read_bytes() == before
