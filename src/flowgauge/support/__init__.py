"""Support: how well a response is supported by its sources, calibrated on what people say.

Calibration takes scores and labels, whatever gave the scores; torch never stands here.
"""

from flowgauge.support.calibration import CalibratedResponse as CalibratedResponse
from flowgauge.support.calibration import Calibration as Calibration
from flowgauge.support.calibration import calibrate as calibrate
from flowgauge.support.conformal import ConformalThreshold as ConformalThreshold
from flowgauge.support.conformal import conformal_threshold as conformal_threshold
from flowgauge.support.conformal import labels_needed as labels_needed
from flowgauge.support.constants import Constants as Constants
from flowgauge.support.constants import Levels as Levels
from flowgauge.support.constants import Spread as Spread
from flowgauge.support.constants import constants_from_json as constants_from_json
from flowgauge.support.diagram import reliability_diagram as reliability_diagram
from flowgauge.support.labels import Labels as Labels
from flowgauge.support.labels import SupportLabel as SupportLabel
from flowgauge.support.labels import labels_from_run as labels_from_run
from flowgauge.support.labels import parse_labels as parse_labels
from flowgauge.support.labels import read_labels as read_labels
from flowgauge.support.learn import ResponseColumns as ResponseColumns
from flowgauge.support.learn import learn_constants as learn_constants
from flowgauge.support.local import gaussian_average as gaussian_average
from flowgauge.support.local import local_flow_fraction as local_flow_fraction
from flowgauge.support.proportion import Proportion as Proportion
from flowgauge.support.proportion import clopper_pearson as clopper_pearson
from flowgauge.support.reliability import IsotonicProbability as IsotonicProbability
from flowgauge.support.reliability import Reliability as Reliability
from flowgauge.support.reliability import isotonic_probability as isotonic_probability
from flowgauge.support.reliability import measure_reliability as measure_reliability
from flowgauge.support.score import ALONE as ALONE
from flowgauge.support.score import BOTH as BOTH
from flowgauge.support.score import THRESHOLD as THRESHOLD
from flowgauge.support.score import SupportScores as SupportScores
from flowgauge.support.score import low_mean as low_mean
from flowgauge.support.score import support_scores as support_scores
from flowgauge.support.sources import SourceSpan as SourceSpan
from flowgauge.support.sources import TokenPointers as TokenPointers
from flowgauge.support.sources import source_spans as source_spans
from flowgauge.support.storage import read_calibration as read_calibration
from flowgauge.support.storage import write_calibration as write_calibration

__all__ = [
    "ALONE",
    "BOTH",
    "THRESHOLD",
    "CalibratedResponse",
    "Calibration",
    "ConformalThreshold",
    "Constants",
    "IsotonicProbability",
    "Labels",
    "Levels",
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
    "gaussian_average",
    "isotonic_probability",
    "labels_from_run",
    "labels_needed",
    "learn_constants",
    "local_flow_fraction",
    "low_mean",
    "measure_reliability",
    "parse_labels",
    "read_calibration",
    "read_labels",
    "reliability_diagram",
    "source_spans",
    "support_scores",
    "write_calibration",
]
