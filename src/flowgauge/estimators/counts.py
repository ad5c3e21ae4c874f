"""Laws of symbols by counting, smoothed towards the law given less; theory §1, for discrete data.

    p(y)      counts + ½ per symbol
    p(y | c)  (counts in c + a · p(y | less)) / (total in c + a),  a chosen on the validation split

With a → ∞ the richer law becomes the poorer one, so a context that does not help costs nothing.
Numpy alone.
"""

from collections.abc import Sequence

import numpy as np

from flowgauge.records import FloatArray, IntArray

#: Weights a of the poorer law that are tried; the last is "the context does not help".
STRENGTHS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 256.0, np.inf)


def held_out_log_p(
    y: IntArray, contexts: Sequence[IntArray], n_fit: int, n_validation: int
) -> list[FloatArray]:
    """Held-out log p of y: given nothing, then given each context in turn [nats].

    Args:
        y: (sample,) symbols 0..K−1.
        contexts: Each (sample,), finer from one to the next; each law is smoothed towards the one
            before.
        n_fit: Rows counted.
        n_validation: Rows after those, by which the smoothing is chosen.

    Returns:
        1 + len(contexts) arrays (n_evaluated,).

    Example:
        >>> y = np.array([0, 1] * 20)
        >>> nothing, all_of_it = held_out_log_p(y, [y], 20, 10)
        >>> bool(nothing.mean() < -0.69 and all_of_it.mean() > -0.03)
        True
    """
    n_symbols = int(y.max()) + 1
    counts = np.bincount(y[:n_fit], minlength=n_symbols) + 0.5
    probability: FloatArray = (counts / counts.sum())[y]
    validation = slice(n_fit, n_fit + n_validation)
    laws = [probability]
    for context in contexts:
        in_context = np.bincount(context[:n_fit], minlength=int(context.max()) + 1)[context]
        pair = context * n_symbols + y
        both = np.bincount(pair[:n_fit], minlength=int(pair.max()) + 1)[pair]
        candidates = [_smooth(both, in_context, probability, a) for a in STRENGTHS]
        losses = [-float(np.mean(np.log(c[validation]))) for c in candidates]
        # the strongest smoothing among equals
        best = len(losses) - 1 - int(np.argmin(losses[::-1]))
        probability = candidates[best]
        laws.append(probability)
    return [np.log(law[n_fit + n_validation :]) for law in laws]


def _smooth(
    both: IntArray, in_context: IntArray, poorer: FloatArray, strength: float
) -> FloatArray:
    if np.isinf(strength):
        return poorer
    smoothed: FloatArray = (both + strength * poorer) / (in_context + strength)
    return smoothed
