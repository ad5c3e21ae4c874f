"""While a text is written: two laws side by side, monitors, what they promise (paper III-D)."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flowgauge.live.event import Action as Action
    from flowgauge.live.event import Event as Event
    from flowgauge.live.event import note as note
    from flowgauge.live.event import stop as stop
    from flowgauge.live.generation import GenerateSettings as GenerateSettings
    from flowgauge.live.generation import Generation as Generation
    from flowgauge.live.generation import generate as generate
    from flowgauge.live.generation import generate_many as generate_many
    from flowgauge.live.monitor import Monitor as Monitor
    from flowgauge.live.sampling_law import SamplingLaw as SamplingLaw
    from flowgauge.live.step import Meter as Meter
    from flowgauge.live.step import Step as Step
    from flowgauge.live.step import flow_of as flow_of
    from flowgauge.live.writing import Generated as Generated

_HOME = {
    "Action": "event",
    "Event": "event",
    "GenerateSettings": "generation",
    "Generated": "writing",
    "Generation": "generation",
    "Meter": "step",
    "Monitor": "monitor",
    "SamplingLaw": "sampling_law",
    "Step": "step",
    "flow_of": "step",
    "generate": "generation",
    "generate_many": "generation",
    "note": "event",
    "stop": "event",
}

__all__ = [
    "Action",
    "Event",
    "GenerateSettings",
    "Generated",
    "Generation",
    "Meter",
    "Monitor",
    "SamplingLaw",
    "Step",
    "flow_of",
    "generate",
    "generate_many",
    "note",
    "stop",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'flowgauge.live' has no attribute {name!r}")
    return getattr(import_module(f"flowgauge.live.{_HOME[name]}"), name)
