"""The pipeline: from records to a run, the one place where the layers are joined."""

from flowgauge.pipeline.generated import save_generated as save_generated
from flowgauge.pipeline.lensing import LeaveOut as LeaveOut
from flowgauge.pipeline.lensing import document_ablation as document_ablation
from flowgauge.pipeline.lensing import lens_against_ablation as lens_against_ablation
from flowgauge.pipeline.lensing import lens_of as lens_of
from flowgauge.pipeline.measuring import measure as measure
from flowgauge.pipeline.settings import Settings as Settings
from flowgauge.pipeline.supported import Support as Support
from flowgauge.pipeline.supported import support as support

__all__ = [
    "LeaveOut",
    "Settings",
    "Support",
    "document_ablation",
    "lens_against_ablation",
    "lens_of",
    "measure",
    "save_generated",
    "support",
]
