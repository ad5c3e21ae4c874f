"""Support: how well a response is supported by its sources, calibrated on what people say.

Calibration takes scores and labels, whatever gave the scores; torch never stands here.
"""

from flowgauge.support.calibration import CalibratedResponse as CalibratedResponse
from flowgauge.support.calibration import Calibration as Calibration
from flowgauge.support.calibration import calibrate as calibrate
from flowgauge.support.conformal import ConformalThreshold as ConformalThreshold
from flowgauge.support.conformal import conformal_threshold as conformal_threshold
from flowgauge.support.conformal import labels_needed as labels_needed
from flowgauge.support.diagram import reliability_diagram as reliability_diagram
from flowgauge.support.labels import Labels as Labels
from flowgauge.support.labels import SupportLabel as SupportLabel
from flowgauge.support.labels import labels_from_run as labels_from_run
from flowgauge.support.labels import parse_labels as parse_labels
from flowgauge.support.labels import read_labels as read_labels
from flowgauge.support.proportion import Proportion as Proportion
from flowgauge.support.proportion import clopper_pearson as clopper_pearson
from flowgauge.support.reliability import IsotonicProbability as IsotonicProbability
from flowgauge.support.reliability import Reliability as Reliability
from flowgauge.support.reliability import isotonic_probability as isotonic_probability
from flowgauge.support.reliability import measure_reliability as measure_reliability
from flowgauge.support.storage import read_calibration as read_calibration
from flowgauge.support.storage import write_calibration as write_calibration

__all__ = [
    "CalibratedResponse",
    "Calibration",
    "ConformalThreshold",
    "IsotonicProbability",
    "Labels",
    "Proportion",
    "Reliability",
    "SupportLabel",
    "calibrate",
    "clopper_pearson",
    "conformal_threshold",
    "isotonic_probability",
    "labels_from_run",
    "labels_needed",
    "measure_reliability",
    "parse_labels",
    "read_calibration",
    "read_labels",
    "reliability_diagram",
    "write_calibration",
]
