"""Tests that stay valid however long you look: e-processes, detectors, stopping (paper III-D).

Everything comes twice: a function of the whole array, and a class fed by `update`, one token at a
time, with the same numbers.
"""

from flowgauge.anytime.confidence import (
    ConfidenceInterval,
    ConfidenceSequence,
    MeanConfidence,
    confidence_sequence,
)
from flowgauge.anytime.decide import decide
from flowgauge.anytime.detectors import Cusum, ShiryaevRoberts, cusum, shiryaev_roberts
from flowgauge.anytime.e_process import EProcess, e_process
from flowgauge.anytime.exchangeable import (
    ExchangeableEvidence,
    ExchangeableTest,
    exchangeable_evidence,
)
from flowgauge.anytime.merging import (
    EBH,
    EBHResult,
    EValueMean,
    e_bh,
    merge_e_values,
    multiply_e_values,
)
from flowgauge.anytime.stopping import StoppingForecast, StoppingTime, expected_stopping_time
from flowgauge.anytime.tilted import TiltedEProcess, tilted_e_process
from flowgauge.anytime.ville import FirstCrossing, Ville, VilleTest, first_crossing, ville

__all__ = [
    "EBH",
    "ConfidenceInterval",
    "ConfidenceSequence",
    "Cusum",
    "EBHResult",
    "EProcess",
    "EValueMean",
    "ExchangeableEvidence",
    "ExchangeableTest",
    "FirstCrossing",
    "MeanConfidence",
    "ShiryaevRoberts",
    "StoppingForecast",
    "StoppingTime",
    "TiltedEProcess",
    "Ville",
    "VilleTest",
    "confidence_sequence",
    "cusum",
    "decide",
    "e_bh",
    "e_process",
    "exchangeable_evidence",
    "expected_stopping_time",
    "first_crossing",
    "merge_e_values",
    "multiply_e_values",
    "shiryaev_roberts",
    "tilted_e_process",
    "ville",
]
