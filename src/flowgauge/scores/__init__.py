"""Scores: next-token laws over the vocabulary become float64 columns over the response."""

from flowgauge.scores.continuous_cache import ContinuousCache as ContinuousCache
from flowgauge.scores.law import Law as Law
from flowgauge.scores.law import ModelLaw as ModelLaw
from flowgauge.scores.realised import log_likelihood as log_likelihood
from flowgauge.scores.score import ScoreSettings as ScoreSettings
from flowgauge.scores.score import score as score
from flowgauge.scores.unmasking import UnmaskedScores as UnmaskedScores
from flowgauge.scores.unmasking import masked_log_probabilities as masked_log_probabilities
from flowgauge.scores.unmasking import score_steps as score_steps
from flowgauge.scores.unmasking import score_unmasking as score_unmasking
from flowgauge.scores.unmasking_draw import DrawnText as DrawnText
from flowgauge.scores.unmasking_draw import draw_unmasked as draw_unmasked
from flowgauge.scores.unmasking_order import AtRandom as AtRandom
from flowgauge.scores.unmasking_order import LargestProbability as LargestProbability
from flowgauge.scores.unmasking_order import LeastEntropy as LeastEntropy
from flowgauge.scores.unmasking_order import LeftToRight as LeftToRight
from flowgauge.scores.unmasking_order import LowConfidenceRemasking as LowConfidenceRemasking
from flowgauge.scores.unmasking_order import Unmasking as Unmasking

__all__ = [
    "AtRandom",
    "ContinuousCache",
    "DrawnText",
    "LargestProbability",
    "Law",
    "LeastEntropy",
    "LeftToRight",
    "LowConfidenceRemasking",
    "ModelLaw",
    "ScoreSettings",
    "UnmaskedScores",
    "Unmasking",
    "draw_unmasked",
    "log_likelihood",
    "masked_log_probabilities",
    "score",
    "score_steps",
    "score_unmasking",
]
