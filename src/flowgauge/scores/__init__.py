"""Scores: next-token laws over the vocabulary become float64 columns over the response."""

from flowgauge.scores.realised import log_likelihood as log_likelihood
from flowgauge.scores.score import ScoreSettings as ScoreSettings
from flowgauge.scores.score import score as score

__all__ = ["ScoreSettings", "log_likelihood", "score"]
