"""The pipeline: from records to a run, the one place where the layers are joined."""

from flowgauge.pipeline.generated import save_generated as save_generated
from flowgauge.pipeline.measuring import measure as measure
from flowgauge.pipeline.settings import Settings as Settings
from flowgauge.pipeline.supported import Support as Support
from flowgauge.pipeline.supported import support as support

__all__ = ["Settings", "Support", "measure", "save_generated", "support"]
