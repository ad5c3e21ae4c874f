"""Averages over the text around a token: one token is noise, people judge spans (docs/support.md).

A Gaussian average with normalised weights, so that the ends of a text are averages too.
"""

import numpy as np

from flowgauge.errors import SettingsError, ShapeError
from flowgauge.records import FloatArray

#: Standard deviation of the Gaussian, in tokens; 8 to 12 are equally good, less is worse.
SPAN_TOKENS = 8.0
#: Surprise per token below which a fraction of it says nothing [nats].
FLOOR_NATS = 0.3


def gaussian_average(values: FloatArray, span_tokens: float = SPAN_TOKENS) -> FloatArray:
    """Average (time,) of the values around each token, Gaussian weights; the unit is kept.

    Args:
        values: (time,) one number a token; may be empty.
        span_tokens: Standard deviation of the weights, in tokens.

    Raises:
        SettingsError: `span_tokens` is not positive.

    Example:
        >>> gaussian_average(np.array([0.0, 0.0, 3.0, 0.0, 0.0]), 1.0).round(3)
        array([0.232, 0.771, 1.208, 0.771, 0.232])
        >>> gaussian_average(np.full(4, 2.0))
        array([2., 2., 2., 2.])
    """
    if not span_tokens > 0:
        raise SettingsError(f"span_tokens is {span_tokens}, a positive number was needed")
    x = np.asarray(values, dtype=np.float64)
    if not len(x):
        return x
    from scipy.ndimage import gaussian_filter1d

    def spread(v: FloatArray) -> FloatArray:
        return gaussian_filter1d(v, span_tokens, mode="constant", truncate=5.0)

    return spread(x) / spread(np.ones_like(x))


def local_flow_fraction(
    density: FloatArray, surprisal_q: FloatArray, span_tokens: float = SPAN_TOKENS
) -> FloatArray:
    """Flow fraction of the text around each token, −1…1.

    `G(density) / max(G(−log Q), 0.3 nats)`, cut to [−1, 1], G the Gaussian average: the share of
    the local surprise that the source explains (theory §2, read locally). It is not a probability,
    and where the text surprises nobody it says little: the floor keeps it near 0 there.

    Args:
        density: (time,) log P/Q of the tokens written [nats].
        surprisal_q: (time,) −log Q of the tokens written [nats].
        span_tokens: Width of the average.

    Raises:
        ShapeError: The two differ in length.

    Example:
        >>> local_flow_fraction(np.array([1.0, 1.0]), np.array([2.0, 2.0]))
        array([0.5, 0.5])
        >>> local_flow_fraction(np.array([0.1]), np.array([0.1])).round(3)
        array([0.333])
    """
    if len(density) != len(surprisal_q):
        raise ShapeError(
            f"density has {len(density)} tokens and surprisal_q {len(surprisal_q)}; "
            "the same response was needed"
        )
    surprise = np.maximum(gaussian_average(surprisal_q, span_tokens), FLOOR_NATS)
    return np.clip(gaussian_average(density, span_tokens) / surprise, -1.0, 1.0)
