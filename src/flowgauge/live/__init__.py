"""While a text is written: two laws side by side, monitors, what they promise (paper III-D)."""

from typing import TYPE_CHECKING

from flowgauge.lazy import lazy_names

if TYPE_CHECKING:
    from flowgauge.live.change import Change as Change
    from flowgauge.live.event import Event as Event
    from flowgauge.live.event import note as note
    from flowgauge.live.event import stop as stop
    from flowgauge.live.generation import GenerateSettings as GenerateSettings
    from flowgauge.live.generation import Generation as Generation
    from flowgauge.live.generation import generate as generate
    from flowgauge.live.generation import generate_many as generate_many
    from flowgauge.live.grounded import Grounded as Grounded
    from flowgauge.live.hooks import FlowHooks as FlowHooks
    from flowgauge.live.hooks import HookSettings as HookSettings
    from flowgauge.live.loop import Loop as Loop
    from flowgauge.live.loop import LoopCalibration as LoopCalibration
    from flowgauge.live.loop import calibrate_loop as calibrate_loop
    from flowgauge.live.monitor import Monitor as Monitor
    from flowgauge.live.not_from_source import NotFromSource as NotFromSource
    from flowgauge.live.offered import monitor_named as monitor_named
    from flowgauge.live.qq import qq_svg as qq_svg
    from flowgauge.live.repetition import Repetition as Repetition
    from flowgauge.live.sampling_law import SamplingLaw as SamplingLaw
    from flowgauge.live.sampling_of_config import sampling_of as sampling_of
    from flowgauge.live.step import Meter as Meter
    from flowgauge.live.step import Step as Step
    from flowgauge.live.step import flow_of as flow_of
    from flowgauge.live.submartingale import SubmartingaleReport as SubmartingaleReport
    from flowgauge.live.submartingale import submartingale_report as submartingale_report
    from flowgauge.live.sufficient import Sufficient as Sufficient
    from flowgauge.live.writing import Generated as Generated

_HOME = {
    "Change": "change",
    "Event": "event",
    "FlowHooks": "hooks",
    "GenerateSettings": "generation",
    "Generated": "writing",
    "Generation": "generation",
    "Grounded": "grounded",
    "HookSettings": "hooks",
    "Loop": "loop",
    "LoopCalibration": "loop",
    "Meter": "step",
    "Monitor": "monitor",
    "NotFromSource": "not_from_source",
    "Repetition": "repetition",
    "SamplingLaw": "sampling_law",
    "Step": "step",
    "SubmartingaleReport": "submartingale",
    "Sufficient": "sufficient",
    "calibrate_loop": "loop",
    "flow_of": "step",
    "generate": "generation",
    "generate_many": "generation",
    "monitor_named": "offered",
    "note": "event",
    "qq_svg": "qq",
    "sampling_of": "sampling_of_config",
    "stop": "event",
    "submartingale_report": "submartingale",
}

__all__ = [
    "Change",
    "Event",
    "FlowHooks",
    "GenerateSettings",
    "Generated",
    "Generation",
    "Grounded",
    "HookSettings",
    "Loop",
    "LoopCalibration",
    "Meter",
    "Monitor",
    "NotFromSource",
    "Repetition",
    "SamplingLaw",
    "Step",
    "SubmartingaleReport",
    "Sufficient",
    "calibrate_loop",
    "flow_of",
    "generate",
    "generate_many",
    "monitor_named",
    "note",
    "qq_svg",
    "sampling_of",
    "stop",
    "submartingale_report",
]

__getattr__ = lazy_names(__name__, _HOME)
