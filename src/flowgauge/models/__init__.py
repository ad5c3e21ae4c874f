"""Language models: one small protocol, an adapter a file, presets and their origin."""

from typing import TYPE_CHECKING

from flowgauge.lazy import lazy_names
from flowgauge.models.protocol import Batch as Batch
from flowgauge.models.protocol import Decoder as Decoder
from flowgauge.models.protocol import LanguageModel as LanguageModel
from flowgauge.models.protocol import Pass as Pass
from flowgauge.models.protocol import Tap as Tap

if TYPE_CHECKING:
    from flowgauge.models.huggingface import HuggingFaceModel as HuggingFaceModel
    from flowgauge.models.load import load_model as load_model
    from flowgauge.models.masked_diffusion import MaskedDiffusionModel as MaskedDiffusionModel
    from flowgauge.models.masked_diffusion import MaskedLanguageModel as MaskedLanguageModel
    from flowgauge.models.presets import PRESETS as PRESETS
    from flowgauge.models.presets import Preset as Preset
    from flowgauge.models.tabular import TabularModel as TabularModel
    from flowgauge.models.tabular_masked import TabularMaskedDiffusion as TabularMaskedDiffusion

_HOME = {
    "HuggingFaceModel": "huggingface",
    "PRESETS": "presets",
    "Preset": "presets",
    "TabularModel": "tabular",
    "MaskedDiffusionModel": "masked_diffusion",
    "MaskedLanguageModel": "masked_diffusion",
    "TabularMaskedDiffusion": "tabular_masked",
    "load_model": "load",
}

__all__ = [
    "PRESETS",
    "Batch",
    "Decoder",
    "HuggingFaceModel",
    "LanguageModel",
    "MaskedDiffusionModel",
    "MaskedLanguageModel",
    "Pass",
    "Preset",
    "TabularMaskedDiffusion",
    "TabularModel",
    "Tap",
    "load_model",
]

__getattr__ = lazy_names(__name__, _HOME)
