"""Loop thresholds that travel with the presets: what ordinary texts of a model hold, measured."""

import json
from importlib.resources import files

from flowgauge.live.event import Action, note
from flowgauge.live.loop import Loop, LoopCalibration


def calibrated_loop(model: str, *, action: Action = note) -> Loop | None:
    """`Loop` with the threshold measured for a preset; None where none was.

    Its rate holds for texts drawn like those that it was measured on, which its promise names; at
    lower temperatures ordinary texts have several times as many false alarms
    (experiments/e2_semantic_flow).

    Args:
        model: Name of the preset.
        action: What is done with an event.

    Example:
        >>> calibrated_loop("stories-260k").promise[:40]
        'False alarms: at most 1 per 1,000 tokens'
        >>> calibrated_loop("nobody's model") is None
        True
    """
    file = files("flowgauge") / "data" / "loop" / "calibrations.json"
    known = json.loads(file.read_text(encoding="utf-8"))
    if model not in known:
        return None
    entry = dict(known[model])
    texts = entry.pop("texts")
    found = LoopCalibration(**entry)
    return Loop(
        found.threshold_nats,
        found.window,
        found.false_alarms_per_1000,
        measured_on=f"{texts}; {found.words}",
        action=action,
    )
