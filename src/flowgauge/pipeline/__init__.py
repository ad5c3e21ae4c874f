"""The pipeline: from records to a run, the one place where the layers are joined."""

from flowgauge.pipeline.measure import Settings as Settings
from flowgauge.pipeline.measure import measure as measure

__all__ = ["Settings", "measure"]
