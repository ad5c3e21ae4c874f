"""A cloud cut into k-means cells: few centres that stand for many points.

Section 7 of the theory, for clouds whose distance matrices do not fit in memory. The radius bounds
what the cut changes: √value between a cloud and its centres. k-means is scikit-learn's.
"""

import warnings
from dataclasses import dataclass

import numpy as np

from flowgauge.records import FloatArray, IntArray

#: From here on k-means looks at small batches: a full pass costs n · anchors · dimension.
MANY_POINTS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantisation:
    """A cloud and the cells it was cut into.

    Attributes:
        points: (point, dimension) all points, and their weights (point,).
        labels: (point,) the cell of each point.
        centres: (cell, dimension) weighted means of the cells, and their weights (cell,).
        radius: Root mean square of the sum of two random points' distances to their centres: the
            square root of the value between cloud and centres is at most this [unit].
    """

    points: FloatArray
    weights: FloatArray
    labels: IntArray
    centres: FloatArray
    centre_weights: FloatArray
    radius: float

    def draw(self, cells: IntArray, rng: np.random.Generator) -> IntArray:
        """One random point of each of these cells, by weight."""
        order = np.argsort(self.labels, kind="stable")
        ends = np.cumsum(self.weights[order])
        size = np.bincount(self.labels, minlength=len(self.centres))
        last = np.cumsum(size) - 1
        before = np.concatenate([[0.0], ends[last[:-1]]])[cells]
        level = before + rng.random(len(cells)) * (ends[last[cells]] - before)
        position = np.clip(
            np.searchsorted(ends, level, side="right"), last[cells] - size[cells] + 1, last[cells]
        )
        return np.asarray(order[position], dtype=np.int64)


def quantise(
    points: FloatArray, weights: FloatArray, anchors: int, rng: np.random.Generator
) -> Quantisation:
    """Cut a cloud into at most so many k-means cells; empty ones are dropped.

    Example:
        >>> ends = np.array([[0.0], [0.2], [5.0], [5.2]])
        >>> cut = quantise(ends, np.full(4, 0.25), 2, np.random.default_rng(0))
        >>> np.sort(cut.centres.ravel()).round(12), round(cut.radius, 12)
        (array([0.1, 5.1]), 0.2)
    """
    from sklearn.cluster import KMeans, MiniBatchKMeans

    kind = MiniBatchKMeans if len(points) > MANY_POINTS else KMeans
    model = kind(min(anchors, len(points)), n_init=1, random_state=int(rng.integers(2**31)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # fewer distinct points than cells: the empty ones go below
        found = model.fit(points, sample_weight=weights).labels_
    mass = np.bincount(found, weights=weights)
    # a cell without mass holds only points without weight, which count nowhere: any cell will do
    used = np.flatnonzero(mass > 0)
    place = np.zeros(len(mass), dtype=np.int64)
    place[used] = np.arange(len(used))
    labels = place[found]
    centre_weights = mass[used]
    sums = np.zeros((len(used), points.shape[1]))
    np.add.at(sums, labels, points * weights[:, None])
    centres = sums / centre_weights[:, None]
    away = np.linalg.norm(points - centres[labels], axis=1)
    radius = np.sqrt(2.0 * float(weights @ away**2) + 2.0 * float(weights @ away) ** 2)
    return Quantisation(
        points=points,
        weights=weights,
        labels=labels,
        centres=centres,
        centre_weights=centre_weights / centre_weights.sum(),
        radius=float(radius),
    )
