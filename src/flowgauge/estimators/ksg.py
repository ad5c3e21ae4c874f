"""KSG: mutual and conditional mutual information by neighbour distances, for continuous data.

The first algorithm of Kraskov, Stögbauer & Grassberger (2004) in the maximum norm, and its
conditional form by Frenzel & Pompe (2007), over scipy's KD-trees. Nothing is fitted and nothing
held out.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from flowgauge.errors import DistributionError, SettingsError
from flowgauge.estimators.result import Evaluation
from flowgauge.estimators.samples import Context, Variable, check_rows, coordinates
from flowgauge.math.validate import is_count
from flowgauge.records import FloatArray

#: Groups left out in turn for the standard error.
_GROUPS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class KSG:
    """Mutual information by nearest neighbours, algorithm 1, maximum norm [nats].

    Neither an upper nor a lower bound; the bias grows with dimension and with the information
    itself. The standard error leaves out a tenth of the rows in turn: on the safe side (measured
    1.1 to 1.5 times the true one on Gaussians), and blind to the bias.

    Conventions: x and y are used as they come (the estimate depends on their relative scales);
    neighbours strictly nearer than the k-th in the joint space are counted; no noise is added.

    Args:
        neighbours: k, at least 1: larger means less variance and more bias.

    Raises:
        SettingsError: k is less than 1; shows it.

    References:
        [kraskov:04] Eq. 8; [frenzel:07] for the conditional form; [efron:82] for the
        jackknife.

    Example:
        >>> from flowgauge.estimators import estimate_mutual_information
        >>> rng = np.random.default_rng(0)
        >>> x = rng.normal(size=1000)
        >>> y = 0.8 * x + 0.6 * rng.normal(size=1000)  # −½ log(1 − 0.8²) = 0.511
        >>> estimate = estimate_mutual_information(x, y, estimator=KSG(), rng=rng)
        >>> bool(abs(estimate.value_nats - 0.511) < 0.1)
        True
    """

    is_variational: ClassVar[bool] = False
    neighbours: int = 4

    def __post_init__(self) -> None:
        if not is_count(self.neighbours):
            raise SettingsError(f"neighbours={self.neighbours}: at least 1 is needed")

    def evaluate(
        self, x: Context, y: Variable, z: Context, *, rng: np.random.Generator
    ) -> Evaluation:
        """I(x; y | z) of rows; uses no randomness [nats]."""
        blocks = [coordinates(x), coordinates((y,)), *([coordinates(z)] if z else [])]
        check_rows(len(blocks[0]), len(blocks[1]), 2 * (self.neighbours + _GROUPS))
        value = float(_local_terms(blocks, self.neighbours).mean())
        influence = self._group_influence(blocks, value)
        return Evaluation(value=value, influence=influence, is_lower_bound=False)

    def _group_influence(self, blocks: list[FloatArray], value: float) -> FloatArray:
        """(sample,) influences whose spread/√n is the delete-a-group jackknife error.

        Local terms share neighbours: their own spread/√n is too small by a fifth to two fifths.
        """
        n = len(blocks[0])
        group = np.arange(n) * _GROUPS // n
        without = [
            float(_local_terms([b[group != g] for b in blocks], self.neighbours).mean())
            for g in range(_GROUPS)
        ]
        pseudo = _GROUPS * value - (_GROUPS - 1) * np.array(without)
        influence: FloatArray = np.sqrt(n / (_GROUPS - 1)) * (pseudo - pseudo.mean())[group]
        return influence


def _local_terms(blocks: list[FloatArray], k: int) -> FloatArray:
    """(sample,) terms whose mean is I(x; y) for blocks (x, y), I(x; y | z) for (x, y, z) [nats]."""
    from scipy.special import digamma

    radius = _radius(np.concatenate(blocks, axis=1), k)
    x, y, *rest = blocks
    if not rest:
        counts = digamma(_within(x, radius)) + digamma(_within(y, radius))
        return np.asarray(digamma(k) + digamma(len(x)) - counts)
    z = rest[0]
    given = [np.concatenate([b, z], axis=1) for b in (x, y)]
    counts = digamma(_within(given[0], radius)) + digamma(_within(given[1], radius))
    return np.asarray(digamma(k) + digamma(_within(z, radius)) - counts)


def _radius(joint: FloatArray, k: int) -> FloatArray:
    """(sample,) distance to the k-th neighbour."""
    from scipy.spatial import KDTree

    distance = np.asarray(KDTree(joint).query(joint, k=k + 1, p=np.inf)[0])[:, -1]
    coinciding = int(np.sum(distance == 0))
    if coinciding:
        raise DistributionError(
            f"{coinciding} of {len(joint)} rows have at least {k} exact copies, but distances "
            "need a density: raise neighbours, add noise far below the scale of interest, or give "
            "symbols as integers to DifferenceOfEntropies"
        )
    return distance


def _within(points: FloatArray, radius: FloatArray) -> Any:
    """(sample,) points strictly nearer than the radius, the point itself counted."""
    from scipy.spatial import KDTree

    inside = np.nextafter(radius, 0.0)
    return KDTree(points).query_ball_point(points, inside, p=np.inf, return_length=True)
