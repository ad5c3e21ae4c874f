import json
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from support.runs import disk_run, label_rows

from flowgauge.errors import RunError
from flowgauge.store import open_run
from flowgauge.support import calibrate, parse_labels, read_calibration, write_calibration
from flowgauge.support.storage import as_json


@pytest.fixture
def stored(tmp_path, rng):
    """(run, calibration) on disk, with one response left out."""
    supported = np.arange(80) % 2 == 0
    support = np.where(supported, rng.beta(6, 2, 80), rng.beta(2, 6, 80)).tolist()
    run = disk_run(tmp_path / "run", [*support, None])
    found = calibrate(run, parse_labels(label_rows([*supported, True]), run), future=30)
    write_calibration(found, run.path)
    return run, found


def test_what_is_read_equals_what_was_stored(stored):
    run, found = stored
    assert read_calibration(run.path) == found
    assert read_calibration(str(run.path)) == found
    data = json.loads((run.path / "calibration.json").read_text(encoding="utf-8"))
    assert data == as_json(found)
    assert data["words"] == found.words
    assert data["threshold"]["threshold"] == found.threshold.threshold


def test_the_picture_stands_beside_and_the_run_stays_a_run(stored):
    run, found = stored
    root = ET.fromstring((run.path / "reliability.svg").read_text(encoding="utf-8"))
    assert root.find("{http://www.w3.org/2000/svg}title").text == (
        "Reliability of support: run, toy"
    )
    assert not list(run.path.glob("*.tmp"))
    found.check(open_run(run.path))


def test_a_later_one_replaces_it_whole(stored, monkeypatch):
    run, found = stored
    labels = parse_labels(label_rows(np.arange(80) % 2 == 0), run)
    other = calibrate(run, labels, alpha=0.3)
    write_calibration(other, run.path)
    assert read_calibration(run.path) == other != found

    import flowgauge.support.storage as module

    def full(*_):
        raise OSError("no space left")

    monkeypatch.setattr(module.os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        write_calibration(found, run.path)
    assert read_calibration(run.path) == other


def test_no_place_and_no_calibration(stored, tmp_path):
    with pytest.raises(RunError, match="nowhere is no folder; a calibration is stored in that of"):
        write_calibration(stored[1], tmp_path / "nowhere")
    with pytest.raises(RunError, match=r"there is no calibration in .*; make one: flowgauge"):
        read_calibration(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: "{half", "is damaged: JSONDecodeError"),
        (lambda d: "[]", "is damaged: TypeError"),
        (lambda d: d.pop("price") and d, "is damaged: KeyError: 'price'; calibrate again"),
        (lambda d: d["threshold"].pop("n") and d, "is damaged: TypeError.*missing.*'n'"),
        (lambda d: d["curve"]["support"].reverse() or d, "is damaged: InputError: the knots"),
        (lambda d: d.update(version=2) or d, "has the version 2, this flowgauge reads 1; update"),
    ],
)
def test_a_damaged_file_is_said(stored, change, message):
    file = stored[0].path / "calibration.json"
    changed = change(json.loads(file.read_text(encoding="utf-8")))
    file.write_text(changed if isinstance(changed, str) else json.dumps(changed))
    with pytest.raises(RunError, match=message):
        read_calibration(stored[0].path)
