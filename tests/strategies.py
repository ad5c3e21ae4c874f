"""Hypothesis strategies shared by the tests: joint tables, log laws, log ratios."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays


@st.composite
def joint_tables(draw, shape):
    """Joint probabilities of a given shape; some entries may be exactly 0."""
    weights = draw(arrays(np.float64, shape, elements=st.floats(0, 1)))
    total = weights.sum()
    return weights / total if total > 1e-3 else np.full(shape, 1.0 / np.prod(shape))


@st.composite
def log_laws(draw, size, zeros=True):
    """Log-probabilities of `size` tokens, normalised; −inf entries if `zeros`."""
    logits = draw(arrays(np.float64, size, elements=st.floats(-30, 30)))
    if zeros:
        gone = draw(arrays(np.bool_, size))
        gone[draw(st.integers(0, size - 1))] = False
        logits = np.where(gone, -np.inf, logits)
    return logits - np.logaddexp.reduce(logits)


def log_ratios(max_size=12, infinite=False):
    """(time,) log ratios; ±∞ among them if `infinite`."""
    finite = st.floats(-20, 20)
    extra = st.sampled_from([-np.inf, np.inf])
    elements = st.one_of(finite, extra) if infinite else finite
    return st.lists(elements, min_size=1, max_size=max_size).map(np.array)
