"""Directed information and the flow of one response: paper III-A and III-D."""

from flowgauge.flow.conservation import Conservation, conservation
from flowgauge.flow.directed_information import (
    causally_conditioned_directed_information,
    directed_information,
    transfer_entropy,
)
from flowgauge.flow.doob import DoobDecomposition, doob
from flowgauge.flow.gaussian import (
    GaussianDirectedInformation,
    gaussian_directed_information,
    gaussian_directed_information_rate,
)
from flowgauge.flow.granger import GrangerResult, granger
from flowgauge.flow.mixture_reference import MixtureReference, mixture_reference
from flowgauge.flow.pairwise import pairwise_transfer_entropies
from flowgauge.flow.sandwich import Sandwich, sandwich
from flowgauge.flow.semantic_flow import flow

__all__ = [
    "Conservation",
    "DoobDecomposition",
    "GaussianDirectedInformation",
    "GrangerResult",
    "MixtureReference",
    "Sandwich",
    "causally_conditioned_directed_information",
    "conservation",
    "directed_information",
    "doob",
    "flow",
    "gaussian_directed_information",
    "gaussian_directed_information_rate",
    "granger",
    "mixture_reference",
    "pairwise_transfer_entropies",
    "sandwich",
    "transfer_entropy",
]
