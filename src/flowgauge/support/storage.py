"""A calibration beside its run: calibration.json and reliability.svg, each replaced whole.

JSON floats survive the way there and back to the last bit, so what is read equals what was stored.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from flowgauge.errors import RunError
from flowgauge.support.calibration import Calibration, Provenance
from flowgauge.support.conformal import ConformalThreshold
from flowgauge.support.diagram import reliability_diagram
from flowgauge.support.proportion import Proportion
from flowgauge.support.reliability import Bin, IsotonicProbability, Reliability

CALIBRATION_VERSION = 1
CALIBRATION_FILE, DIAGRAM_FILE = "calibration.json", "reliability.svg"


def write_calibration(calibration: Calibration, folder: str | Path) -> Path:
    """Store a calibration beside a run; each file is there whole or as it was before.

    Args:
        calibration: What is stored; an older one is replaced.
        folder: The run's folder.

    Returns:
        The JSON file. The reliability picture stands beside it.

    Raises:
        RunError: There is no such folder.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise RunError(f"{folder} is no folder; a calibration is stored in that of its run")
    own = calibration.provenance
    title = f"Reliability of support: {own.run}, {own.model}"
    _write(folder / DIAGRAM_FILE, reliability_diagram(calibration.reliability, title=title))
    text = json.dumps(as_json(calibration), indent=1, ensure_ascii=False)
    _write(folder / CALIBRATION_FILE, text)
    return folder / CALIBRATION_FILE


def as_json(calibration: Calibration) -> dict[str, Any]:
    """A calibration as a JSON-able object, from which `read_calibration` makes the same one."""
    return {
        "version": CALIBRATION_VERSION,
        "words": calibration.words,
        **json.loads(json.dumps(asdict(calibration))),
    }


def read_calibration(folder: str | Path) -> Calibration:
    """The calibration that is stored beside a run.

    Args:
        folder: The run's folder.

    Raises:
        RunError: There is none, it is damaged, or of a newer version.
    """
    path = Path(folder) / CALIBRATION_FILE
    if not path.is_file():
        raise RunError(
            f"there is no calibration in {folder}; make one: flowgauge calibrate LABELS.jsonl "
            f"--run {folder}"
        )
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        number = data["version"]
        if number == CALIBRATION_VERSION:
            return _from_json(data)
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(
            f"{path} is damaged: {type(error).__name__}: {error}; calibrate again"
        ) from error
    raise RunError(
        f"{path} has the version {number!r}, this flowgauge reads {CALIBRATION_VERSION}; update "
        "flowgauge or calibrate again"
    )


def _from_json(data: Mapping[str, Any]) -> Calibration:
    curve, seen, own = data["curve"], data["reliability"], data["provenance"]
    bins = tuple(Bin(**{**b, "observed": Proportion(**b["observed"])}) for b in seen["bins"])
    left_out = tuple((str(i), str(reason)) for i, reason in own["left_out"])
    return Calibration(
        threshold=ConformalThreshold(**data["threshold"]),
        price=Proportion(**data["price"]),
        curve=IsotonicProbability(**{k: tuple(v) for k, v in curve.items()}),
        reliability=Reliability(**{**seen, "bins": bins}),
        provenance=Provenance(**{**own, "left_out": left_out}),
    )


def _write(path: Path, text: str) -> None:
    half = path.with_name(path.name + ".tmp")
    with half.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    half.replace(path)
