"""Language models: one small protocol, an adapter a file, presets and their origin."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from flowgauge.models.protocol import Batch as Batch
from flowgauge.models.protocol import Decoder as Decoder
from flowgauge.models.protocol import LanguageModel as LanguageModel
from flowgauge.models.protocol import Pass as Pass
from flowgauge.models.protocol import Tap as Tap

if TYPE_CHECKING:
    from flowgauge.models.huggingface import HuggingFaceModel as HuggingFaceModel
    from flowgauge.models.load import load_model as load_model
    from flowgauge.models.presets import PRESETS as PRESETS
    from flowgauge.models.presets import Preset as Preset
    from flowgauge.models.tabular import TabularModel as TabularModel

_HOME = {
    "HuggingFaceModel": "huggingface",
    "PRESETS": "presets",
    "Preset": "presets",
    "TabularModel": "tabular",
    "load_model": "load",
}

__all__ = [
    "PRESETS",
    "Batch",
    "Decoder",
    "HuggingFaceModel",
    "LanguageModel",
    "Pass",
    "Preset",
    "TabularModel",
    "Tap",
    "load_model",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'flowgauge.models' has no attribute {name!r}")
    return getattr(import_module(f"flowgauge.models.{_HOME[name]}"), name)
