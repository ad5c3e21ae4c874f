"""Constants of the loop monitor from ordinary generations, with what they stand on."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from e2_semantic_flow import alarms, plan
from e2_semantic_flow.detectors import Form
from e2_semantic_flow.generations import Texts
from e2_semantic_flow.labels import Sorted, sort
from e2_semantic_flow.written import Written
from flowgauge.errors import FlowgaugeError
from flowgauge.live.loop import calibrate_loop

WINDOW = 16
FALSE_ALARMS_PER_1000 = 1.0


def calibration(
    texts: Sequence[Written], model: str, sampling: str, prompts: str
) -> dict[str, Any]:
    """`calibrate_loop` on the texts of one condition that do not loop; or why it cannot be."""
    found = sort(texts)
    kept = [t.drift for t in found.ordinary]
    out: dict[str, Any] = {
        "model": model,
        "sampling": sampling,
        "prompts": prompts,
        "law": "sampling",
        "texts_drawn": found.texts,
        "looping": len(found.looping),
        "left_out": found.left_out,
    }
    try:
        constants = calibrate_loop(kept, false_alarms_per_1000=FALSE_ALARMS_PER_1000, window=WINDOW)
    except FlowgaugeError as error:
        return out | {"absent": str(error)}
    return out | asdict(constants) | {"words": constants.words}


def calibrations(conditions: Sequence[plan.Condition], texts: Texts) -> list[dict[str, Any]]:
    """Constants from plain and warm texts; plain ones are tried on cold texts of such prompts.

    At temperature 1 the law of the sampling is the model's own, which cold texts were read under.
    """
    out = []
    for c in conditions:
        if c.sampling in plan.COLD:
            continue
        row = calibration(texts[c.model, c.name], c.model, plan.WORDS[c.sampling], c.prompts)
        colder = [replace(c, sampling=s).name for s in plan.COLD if c.sampling == "plain"]
        cold = sort([t for name in colder for t in texts.get((c.model, name), [])])
        if "absent" not in row and cold.ordinary:
            row |= on_cold(cold, row["threshold_nats"])
        out.append(row)
    return out


def on_cold(cold: Sorted, threshold_nats: float) -> dict[str, Any]:
    """The monitor with these constants on texts of temperature 0 and 0.3 under the model's laws."""
    form = Form(name="mean drift", window=WINDOW, sign=-1)
    found = [
        bool((form.score(t)[loop.onset :] >= -threshold_nats).any()) for t, loop in cold.looping
    ]
    scores = [form.score(t) for t in cold.ordinary]
    return {
        "cold_false_alarms_per_1000": round(alarms.rate(scores, -threshold_nats), 3),
        "cold_found": [sum(found), len(found)],
    }
