"""Constants of an observer from unlabelled text: means and standard deviations, nothing fitted."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from flowgauge.errors import SettingsError
from flowgauge.records import FloatArray, IntArray
from flowgauge.support.constants import Constants, Levels, Spread
from flowgauge.support.local import gaussian_average, local_flow_fraction
from flowgauge.support.score import combine, low_mean

#: Fewer responses than this say too little about the spread of responses.
MIN_RESPONSES = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseColumns:
    """What support needs of one response.

    Attributes:
        density, surprisal_q: (time,) [nats].
        pointer: (time,) 0…1, or None without copy heads.
        sentence: (time,) sentence of each token.
    """

    density: FloatArray
    surprisal_q: FloatArray
    pointer: FloatArray | None
    sentence: IntArray


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
        ...         pointer=None, sentence=np.repeat([0, 1], 10))
        >>> c = learn_constants([one() for _ in range(30)], "random numbers")
        >>> round(c.fraction.mean, 1), c.pointer
        (0.5, None)
    """
    used = [r for r in responses if len(r.density)]
    if len(used) < MIN_RESPONSES:
        raise SettingsError(
            f"{len(used)} responses with documents came, at least {MIN_RESPONSES} are needed for "
            "constants of support; measure a larger file of ordinary responses (no labels needed)"
        )
    fractions = [local_flow_fraction(r.density, r.surprisal_q) for r in used]
    pointers = [gaussian_average(r.pointer) for r in used if r.pointer is not None]
    fraction = _spread(np.concatenate(fractions))
    alone = _levels([fraction.standardise(f) for f in fractions], used)
    if len(pointers) < len(used):
        return Constants(fraction=fraction, pointer=None, with_pointer=None, alone=alone, text=text)
    pointer = _spread(np.concatenate(pointers))
    both = [combine(f, p, fraction, pointer) for f, p in zip(fractions, pointers, strict=True)]
    return Constants(
        fraction=fraction,
        pointer=pointer,
        with_pointer=_levels(both, used),
        alone=alone,
        text=text,
    )


def _spread(values: FloatArray) -> Spread:
    return Spread(mean=float(values.mean()), sd=float(values.std()))


def _levels(totals: list[FloatArray], responses: Sequence[ResponseColumns]) -> Levels:
    sentences = [
        total[r.sentence == k].mean()
        for total, r in zip(totals, responses, strict=True)
        for k in np.unique(r.sentence)
    ]
    return Levels(
        tokens=_spread(np.concatenate(totals)),
        sentences=_spread(np.array(sentences)),
        responses=_spread(np.array([low_mean(t) for t in totals])),
    )
