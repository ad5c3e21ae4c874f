"""Loop thresholds that travel with the presets: what ordinary texts of a model hold, measured."""

import json
from dataclasses import fields
from importlib.resources import files

from flowgauge.live.loop import LoopCalibration


def loop_calibration(model: str) -> LoopCalibration | None:
    """The calibration of `Loop` for a preset; None where none was made.

    It holds for texts like those it was measured on; `measured_on` says which they are.

    Args:
        model: Name of the preset.

    Example:
        >>> loop_calibration("nobody's model") is None
        True
    """
    file = files("flowgauge") / "data" / "loop" / "calibrations.json"
    known = json.loads(file.read_text(encoding="utf-8"))
    if model not in known:
        return None
    entry = known[model]
    return LoopCalibration(**{f.name: entry[f.name] for f in fields(LoopCalibration)})
