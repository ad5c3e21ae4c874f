"""Lens: what is read off the inside of the passes that score a response."""

from typing import TYPE_CHECKING

from flowgauge.lazy import lazy_names

if TYPE_CHECKING:
    from flowgauge.lens.contributions import Contributions as Contributions
    from flowgauge.lens.contributions import token_contributions as token_contributions
    from flowgauge.lens.effects import DirectEffects as DirectEffects
    from flowgauge.lens.effects import direct_effects as direct_effects
    from flowgauge.lens.induction import CopyHeads as CopyHeads
    from flowgauge.lens.induction import copy_heads as copy_heads
    from flowgauge.lens.induction import induction_scores as induction_scores
    from flowgauge.lens.pointers import SourcePointers as SourcePointers
    from flowgauge.lens.reading import Lens as Lens
    from flowgauge.lens.reading import read_lens as read_lens

_HOME = {
    "Contributions": "contributions",
    "CopyHeads": "induction",
    "DirectEffects": "effects",
    "Lens": "reading",
    "SourcePointers": "pointers",
    "copy_heads": "induction",
    "direct_effects": "effects",
    "induction_scores": "induction",
    "read_lens": "reading",
    "token_contributions": "contributions",
}

__all__ = [
    "Contributions",
    "CopyHeads",
    "DirectEffects",
    "Lens",
    "SourcePointers",
    "copy_heads",
    "direct_effects",
    "induction_scores",
    "read_lens",
    "token_contributions",
]

__getattr__ = lazy_names(__name__, _HOME)
