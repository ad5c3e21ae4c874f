"""Support: how well a response is supported by its sources, calibrated on what people say.

The package can be called: `flowgauge.support(question, documents, response)` measures one answer
and tells which of its sentences stand on the documents, see `flowgauge.pipeline.support`.

Calibration takes scores and labels, whatever gave the scores; torch never stands here.
"""

import sys
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType
from typing import Any

from flowgauge.support.calibration import CalibratedResponse as CalibratedResponse
from flowgauge.support.calibration import Calibration as Calibration
from flowgauge.support.calibration import calibrate as calibrate
from flowgauge.support.conformal import ConformalThreshold as ConformalThreshold
from flowgauge.support.conformal import conformal_threshold as conformal_threshold
from flowgauge.support.conformal import labels_needed as labels_needed
from flowgauge.support.constants import Constants as Constants
from flowgauge.support.constants import Levels as Levels
from flowgauge.support.constants import Parts as Parts
from flowgauge.support.constants import Spread as Spread
from flowgauge.support.constants import constants_from_json as constants_from_json
from flowgauge.support.copied import copied_words as copied_words
from flowgauge.support.diagram import reliability_diagram as reliability_diagram
from flowgauge.support.labels import Labels as Labels
from flowgauge.support.labels import SupportLabel as SupportLabel
from flowgauge.support.labels import labels_from_run as labels_from_run
from flowgauge.support.labels import parse_labels as parse_labels
from flowgauge.support.labels import read_labels as read_labels
from flowgauge.support.learn import learn_constants as learn_constants
from flowgauge.support.local import local_average as local_average
from flowgauge.support.local import local_flow_fraction as local_flow_fraction
from flowgauge.support.proportion import Proportion as Proportion
from flowgauge.support.proportion import clopper_pearson as clopper_pearson
from flowgauge.support.reliability import IsotonicProbability as IsotonicProbability
from flowgauge.support.reliability import Reliability as Reliability
from flowgauge.support.reliability import isotonic_probability as isotonic_probability
from flowgauge.support.reliability import measure_reliability as measure_reliability
from flowgauge.support.score import ALL_PARTS as ALL_PARTS
from flowgauge.support.score import NO_POINTERS as NO_POINTERS
from flowgauge.support.score import THRESHOLD as THRESHOLD
from flowgauge.support.score import ResponseColumns as ResponseColumns
from flowgauge.support.score import SupportScores as SupportScores
from flowgauge.support.score import support_scores as support_scores
from flowgauge.support.sources import SourceSpan as SourceSpan
from flowgauge.support.sources import TokenPointers as TokenPointers
from flowgauge.support.sources import source_spans as source_spans
from flowgauge.support.storage import read_calibration as read_calibration
from flowgauge.support.storage import write_calibration as write_calibration

__all__ = [
    "ALL_PARTS",
    "NO_POINTERS",
    "THRESHOLD",
    "CalibratedResponse",
    "Calibration",
    "ConformalThreshold",
    "Constants",
    "IsotonicProbability",
    "Labels",
    "Levels",
    "Parts",
    "Proportion",
    "Reliability",
    "ResponseColumns",
    "SourceSpan",
    "Spread",
    "SupportLabel",
    "SupportScores",
    "TokenPointers",
    "calibrate",
    "clopper_pearson",
    "conformal_threshold",
    "constants_from_json",
    "copied_words",
    "isotonic_probability",
    "labels_from_run",
    "labels_needed",
    "learn_constants",
    "local_average",
    "local_flow_fraction",
    "measure_reliability",
    "parse_labels",
    "read_calibration",
    "read_labels",
    "reliability_diagram",
    "source_spans",
    "support_scores",
    "write_calibration",
]


class _Support(ModuleType):
    """This package as a function, so that `flowgauge.support` is one thing however it is reached.

    A function beside a package of the same name would be hidden by it, or hide it, depending on
    which is imported first.
    """

    def __call__(
        self, question: str, documents: str | Sequence[str], response: str, **options: Any
    ) -> Any:
        """How well a response is supported by its documents; see `flowgauge.pipeline.support`."""
        # By name, since the pipeline stands above: this layer knows nothing of it.
        measured = import_module("flowgauge.pipeline.supported").support
        return measured(question, documents, response, **options)


sys.modules[__name__].__class__ = _Support
