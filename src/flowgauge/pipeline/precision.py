"""What the fast precision costs in accuracy, measured on the run's own first records."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from flowgauge.records import TokenScores

COLUMNS = ("log_p", "log_q", "drift", "variance", "entropy_p", "entropy_q", "log_moments")


def precision_errors(exact: Sequence[TokenScores], fast: Sequence[TokenScores]) -> dict[str, Any]:
    """Largest and median absolute error of each column, and on how many tokens.

    Args:
        exact: Scores of some records in float32.
        fast: Scores of the same records in the fast precision.

    Example:
        >>> precision_errors([], [])
        {'tokens': 0, 'columns': {}}
    """
    tokens = sum(len(s.log_p) for s in exact)
    columns = {}
    for name in COLUMNS if tokens else ():
        pairs = zip(exact, fast, strict=True)
        error = np.concatenate(
            [np.ravel(np.abs(getattr(a, name) - getattr(b, name))) for a, b in pairs]
        )
        columns[name] = {"largest": float(error.max()), "median": float(np.median(error))}
    return {"tokens": tokens, "columns": columns}
