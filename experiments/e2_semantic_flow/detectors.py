"""Scores per token that may tell a loop: four of the flow, five rivals. Higher = more like a loop.

Each reads a text up to and with a token, never further, and looks back over a window of tokens. The
window and the sign of each are chosen on the development half, the same way for all; before a
whole window has come the score is −inf, so no detector speaks earlier than another for that reason.
"""

import zlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from e2_semantic_flow.written import Written
from flowgauge.records import FloatArray, IntArray

WINDOWS = (8, 16, 32)
NGRAM = 4
#: Variance below which a window has no residual: the two laws leave nothing to chance [nats²].
LEAST_VARIANCE = 1e-9
#: Characters of a token, about: the compressor looks at windows of the same length as the others.
CHARACTERS_PER_TOKEN = 8

Raw = Callable[[Written, int], FloatArray]


def window_sums(values: FloatArray, window: int) -> FloatArray:
    """(time,) sum over the last `window` values; nan before there are as many.

    Example:
        >>> window_sums(np.array([1.0, 2.0, 3.0]), 2).tolist()
        [nan, 3.0, 5.0]
    """
    out = np.full(len(values), np.nan)
    if len(values) >= window:
        out[window - 1 :] = np.lib.stride_tricks.sliding_window_view(values, window).sum(1)
    return out


def mean_drift(text: Written, window: int) -> FloatArray:
    """Mean KL(P‖Q) of the window [nats per token]; dead in a loop, says the theory."""
    return window_sums(text.drift, window) / window


def mean_density(text: Written, window: int) -> FloatArray:
    """Mean log P/Q of the tokens written: the slope of the flow [nats per token]."""
    return window_sums(text.density, window) / window


def residual(text: Written, window: int) -> FloatArray:
    """|F − A|/√Σv over the window: deviation from the compensator; 0 where Σv is 0."""
    away = window_sums(text.density - text.drift, window)
    variance = window_sums(text.variance, window)
    some = variance > LEAST_VARIANCE
    zero = np.where(np.isnan(variance), np.nan, 0.0)
    return np.where(some, np.abs(away) / np.sqrt(np.where(some, variance, 1.0)), zero)


def drift_per_entropy(text: Written, window: int) -> FloatArray:
    """Drift of the window over its entropy: low where the model is unsure and the source silent."""
    entropy = window_sums(text.entropy_p, window)
    return window_sums(text.drift, window) / np.maximum(entropy, 1e-6)


def mean_entropy(text: Written, window: int) -> FloatArray:
    """Mean entropy of P [nats]; needs no second law."""
    return window_sums(text.entropy_p, window) / window


def mean_surprisal(text: Written, window: int) -> FloatArray:
    """Mean −log P of the tokens written [nats]."""
    return -window_sums(text.log_p, window) / window


def repeated_ngrams(text: Written, window: int) -> FloatArray:
    """How often the window's n-grams stood in the text before, on average; needs no model."""
    seen: Counter[tuple[int, ...]] = Counter()
    before = np.zeros(len(text.ids))
    ids = text.ids.tolist()
    for j in range(NGRAM - 1, len(ids)):
        gram = tuple(ids[j - NGRAM + 1 : j + 1])
        before[j] = seen[gram]
        seen[gram] += 1
    return window_sums(before, window) / window


def repeated_suffix(text: Written, window: int) -> FloatArray:
    """Longest run of tokens ending here that also ended before; the window only says from when."""
    ids: IntArray = text.ids
    out = np.zeros(len(ids))
    lengths = np.zeros(len(ids) + 1, dtype=np.int64)
    for j in range(len(ids)):
        # lengths[i + 1]: how far the text ending at i < j agrees with the text ending at j.
        lengths[1 : j + 1] = np.where(ids[:j] == ids[j], lengths[:j] + 1, 0)
        out[j] = lengths[1 : j + 1].max(initial=0)
    out[: window - 1] = np.nan
    return out


def compression(text: Written, window: int) -> FloatArray:
    """Compressed size over size of the last characters (zlib, level 9); low for repeated text."""
    most = CHARACTERS_PER_TOKEN * window
    out = np.full(len(text.ids), np.nan)
    for j in range(window - 1, len(text.ids)):
        tail = text.text[max(0, int(text.ends[j]) - most) : int(text.ends[j])].encode()
        if len(tail) >= most // 2:
            out[j] = len(zlib.compress(tail, 9)) / len(tail)
    return out


FLOW: Mapping[str, Raw] = {
    "mean drift": mean_drift,
    "mean density": mean_density,
    "residual from the compensator": residual,
    "drift per entropy": drift_per_entropy,
}
RIVALS: Mapping[str, Raw] = {
    "entropy": mean_entropy,
    "surprisal": mean_surprisal,
    "repeated 4-grams": repeated_ngrams,
    "repeated suffix": repeated_suffix,
    "compression": compression,
}
DETECTORS = {**FLOW, **RIVALS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A detector with its window and its sign.

    Attributes:
        name: In DETECTORS.
        window: Tokens it looks back over.
        sign: +1 if high values mean a loop, −1 if low ones do.
    """

    name: str
    window: int
    sign: int

    def score(self, text: Written) -> FloatArray:
        """(time,) score; −inf where there is none."""
        values = self.sign * DETECTORS[self.name](text, self.window)
        return np.where(np.isnan(values), -np.inf, values)
