"""Scores: next-token laws over the vocabulary become float64 columns over the response."""

from flowgauge.scores.continuous_cache import ContinuousCache as ContinuousCache
from flowgauge.scores.law import Law as Law
from flowgauge.scores.law import ModelLaw as ModelLaw
from flowgauge.scores.realised import log_likelihood as log_likelihood
from flowgauge.scores.score import ScoreSettings as ScoreSettings
from flowgauge.scores.score import score as score

__all__ = ["ContinuousCache", "Law", "ModelLaw", "ScoreSettings", "log_likelihood", "score"]
