"""Constants of an observer from unlabelled text: means and standard deviations, nothing fitted."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from flowgauge.errors import SettingsError
from flowgauge.records import FloatArray
from flowgauge.support.constants import Constants, Levels, Parts, Spread
from flowgauge.support.score import (
    LocalParts,
    ResponseColumns,
    local_parts,
    standard_mean,
    worst_fifth,
)

#: Fewer responses than this say too little about the spread of responses.
MIN_RESPONSES = 30


def learn_constants(responses: Sequence[ResponseColumns], text: str) -> Constants:
    """Constants of the observer that measured these responses.

    Args:
        responses: Ordinary responses with their documents, at least 30; labels are not needed.
        text: What they are, in a few words; goes into every manifest.

    Raises:
        SettingsError: Too few responses, or all alike.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> def one():
        ...     q = rng.uniform(1, 4, 20)
        ...     return ResponseColumns(density=q * rng.uniform(0, 1, 20), surprisal_q=q,
        ...         copied_words=rng.integers(0, 5, 20), pointer=None,
        ...         sentence=np.repeat([0, 1], 10))
        >>> c = learn_constants([one() for _ in range(30)], "random numbers")
        >>> round(c.parts.fraction.mean, 1), c.parts.pointer
        (0.5, None)
    """
    used = [r for r in responses if len(r.density)]
    if len(used) < MIN_RESPONSES:
        raise SettingsError(
            f"{len(used)} responses with documents came, at least {MIN_RESPONSES} are needed for "
            "constants of support; measure a larger file of ordinary responses (no labels needed)"
        )
    parts = [local_parts(r) for r in used]
    pointers = [p.pointer for p in parts if p.pointer is not None]
    complete = len(pointers) == len(parts)
    constants = Parts(
        fraction=_spread(np.concatenate([p.fraction for p in parts])),
        copied=_spread(np.concatenate([p.copied for p in parts])),
        pointer=_spread(np.concatenate(pointers)) if complete else None,
    )
    without = replace(constants, pointer=None)
    return Constants(
        parts=constants,
        with_pointer=_levels(parts, constants, used) if complete else None,
        without_pointer=_levels(parts, without, used),
        text=text,
    )


def _spread(values: FloatArray) -> Spread:
    return Spread(mean=float(values.mean()), sd=float(values.std()))


def _levels(
    parts: Sequence[LocalParts], constants: Parts, responses: Sequence[ResponseColumns]
) -> Levels:
    totals = [standard_mean(p, constants) for p in parts]
    sentences = [
        total[r.sentence == k].mean()
        for total, r in zip(totals, responses, strict=True)
        for k in np.unique(r.sentence)
    ]
    return Levels(
        tokens=_spread(np.concatenate(totals)),
        sentences=_spread(np.array(sentences)),
        responses=_spread(np.array([worst_fifth(t) for t in totals])),
    )
