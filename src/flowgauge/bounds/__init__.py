"""Bounds and capacity: ELBOs, generalisation, memory (theory §8 last bullet and §9).

Every result carries what it charges and what it does not claim. Numpy only.
"""

from flowgauge.bounds.gardner import gardner_capacity
from flowgauge.bounds.generalisation import GeneralisationBound, generalisation_bound
from flowgauge.bounds.latent_alignment import LatentAlignmentElbo, latent_alignment_elbo
from flowgauge.bounds.masked_diffusion import (
    ContinuousTime,
    ElboForm,
    KMasked,
    MaskedDiffusionElbo,
    RandomOrder,
    masked_diffusion_elbo,
)
from flowgauge.bounds.memory import MemorisedInformation, memorised_bits
from flowgauge.bounds.perceptron import (
    PerceptronTransition,
    cover_probability,
    is_separable,
    perceptron_transition,
)
from flowgauge.bounds.smoothed_token import SmoothedTokenBound, smoothed_token_bound

__all__ = [
    "ContinuousTime",
    "ElboForm",
    "GeneralisationBound",
    "KMasked",
    "LatentAlignmentElbo",
    "MaskedDiffusionElbo",
    "MemorisedInformation",
    "PerceptronTransition",
    "RandomOrder",
    "SmoothedTokenBound",
    "cover_probability",
    "gardner_capacity",
    "generalisation_bound",
    "is_separable",
    "latent_alignment_elbo",
    "masked_diffusion_elbo",
    "memorised_bits",
    "perceptron_transition",
    "smoothed_token_bound",
]
