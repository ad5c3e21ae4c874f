"""Trainable models of the family: any stack of members as a model of the transformers library."""

from typing import TYPE_CHECKING

from flowgauge.lazy import lazy_names

if TYPE_CHECKING:
    from flowgauge.architectures.family.blocks import Block as Block
    from flowgauge.architectures.family.blocks import feed_forward_of as feed_forward_of
    from flowgauge.architectures.family.blocks import mixer_of as mixer_of
    from flowgauge.architectures.family.cache import FamilyCache as FamilyCache
    from flowgauge.architectures.family.causal import FamilyForCausalLM as FamilyForCausalLM
    from flowgauge.architectures.family.causal import FamilyModel as FamilyModel
    from flowgauge.architectures.family.causal import register_family as register_family
    from flowgauge.architectures.family.config import FamilyConfig as FamilyConfig
    from flowgauge.architectures.family.diffusion import (
        FamilyForMaskedDiffusion as FamilyForMaskedDiffusion,
    )
    from flowgauge.architectures.family.diffusion import (
        MaskedDiffusionConfig as MaskedDiffusionConfig,
    )
    from flowgauge.architectures.family.sizing import (
        active_parameter_count as active_parameter_count,
    )
    from flowgauge.architectures.family.sizing import matched as matched
    from flowgauge.architectures.family.sizing import parameter_count as parameter_count

_HOME = {
    "active_parameter_count": "sizing",
    "Block": "blocks",
    "FamilyCache": "cache",
    "FamilyConfig": "config",
    "FamilyForCausalLM": "causal",
    "FamilyForMaskedDiffusion": "diffusion",
    "FamilyModel": "causal",
    "MaskedDiffusionConfig": "diffusion",
    "feed_forward_of": "blocks",
    "matched": "sizing",
    "mixer_of": "blocks",
    "parameter_count": "sizing",
    "register_family": "causal",
}

__all__ = [
    "Block",
    "FamilyCache",
    "FamilyConfig",
    "FamilyForCausalLM",
    "FamilyForMaskedDiffusion",
    "FamilyModel",
    "MaskedDiffusionConfig",
    "active_parameter_count",
    "feed_forward_of",
    "matched",
    "mixer_of",
    "parameter_count",
    "register_family",
]

__getattr__ = lazy_names(__name__, _HOME)
