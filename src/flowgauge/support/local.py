"""Averages over the text around a token: one token is noise, people judge spans.

The weights fall off exponentially on both sides and are normalised, so that the ends of a text are
averages too. Why 8 tokens: experiments/ragtruth/README.md.
"""

import numpy as np

from flowgauge.errors import SettingsError, ShapeError
from flowgauge.records import FloatArray

#: Tokens over which a weight falls to 1/e; 8 to 12 are equally good, less is worse.
SPAN_TOKENS = 8.0
#: Surprise per token below which a fraction of it says nothing [nats].
FLOOR_NATS = 0.3
#: What an impossible token counts as, for infinity has no average [nats].
MOST_NATS = 100.0


def _spread(values: FloatArray, decay: float) -> FloatArray:
    """Sum over all places of value × decay^distance, by one filter forwards and one backwards."""
    from scipy.signal import lfilter

    forwards = lfilter([1.0], [1.0, -decay], values)
    backwards = lfilter([1.0], [1.0, -decay], values[::-1])[::-1]
    return np.asarray(forwards + backwards - values, dtype=np.float64)


def local_average(values: FloatArray, span_tokens: float = SPAN_TOKENS) -> FloatArray:
    """Average (time,) of the values around each token; the unit is kept.

    Weights exp(−distance / span_tokens); a value that is nan has none.

    Args:
        values: (time,) one number a token; may be empty. All nan gives zeros.
        span_tokens: Tokens over which a weight falls to 1/e.

    Raises:
        SettingsError: `span_tokens` is not positive.

    Example:
        >>> local_average(np.array([0.0, 0.0, 3.0, 0.0, 0.0]), 1.0).round(3)
        array([0.258, 0.575, 1.495, 0.575, 0.258])
        >>> local_average(np.array([2.0, np.nan, 2.0]))
        array([2., 2., 2.])
    """
    if not span_tokens > 0:
        raise SettingsError(f"span_tokens is {span_tokens}, a positive number was needed")
    x = np.asarray(values, dtype=np.float64)
    if not len(x):
        return x
    decay = float(np.exp(-1.0 / span_tokens))
    known = ~np.isnan(x)
    weight = _spread(known.astype(np.float64), decay)
    total = _spread(np.where(known, x, 0.0), decay)
    return np.divide(total, weight, out=np.zeros_like(total), where=weight > 0)


def local_flow_fraction(
    density: FloatArray, surprisal_q: FloatArray, span_tokens: float = SPAN_TOKENS
) -> FloatArray:
    """Flow fraction of the text around each token, −1…1.

    `A(density) / max(A(−log Q), 0.3 nats)`, cut to [−1, 1], A the local average: the share of the
    local surprise that the source explains (theory §2, read locally). It is not a probability, and
    where the text surprises nobody it says little: the floor keeps it near 0 there.

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
    gain = np.clip(density, -MOST_NATS, MOST_NATS)
    surprise = local_average(np.minimum(surprisal_q, MOST_NATS), span_tokens)
    return np.clip(local_average(gain, span_tokens) / np.maximum(surprise, FLOOR_NATS), -1.0, 1.0)
