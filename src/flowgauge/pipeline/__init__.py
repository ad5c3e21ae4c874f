"""The pipeline: from records to a run, the one place where the layers are joined."""

from flowgauge.pipeline.measuring import measure as measure
from flowgauge.pipeline.settings import Settings as Settings

__all__ = ["Settings", "measure"]
