"""Information from samples where densities are missing, or as a cross-check; theory §1.

Two doors, `estimate_mutual_information` and `estimate_directed_information`, and six estimators as
settings objects: `DifferenceOfEntropies` (default), `DonskerVaradhan`, `NWJ`, `InfoNCE`, `SMILE`
with learnt critics, `KSG` by neighbours. torch and scipy are imported when an estimate is made, not
here.
"""

from flowgauge.estimators.difference_of_entropies import DifferenceOfEntropies
from flowgauge.estimators.directed_information import estimate_directed_information
from flowgauge.estimators.estimate import estimate_mutual_information
from flowgauge.estimators.ksg import KSG
from flowgauge.estimators.result import InformationEstimate
from flowgauge.estimators.training import Training
from flowgauge.estimators.variational import NWJ, SMILE, DonskerVaradhan, InfoNCE

__all__ = [
    "KSG",
    "NWJ",
    "SMILE",
    "DifferenceOfEntropies",
    "DonskerVaradhan",
    "InfoNCE",
    "InformationEstimate",
    "Training",
    "estimate_directed_information",
    "estimate_mutual_information",
]
