"""Intrinsic dimension of a cloud from the distances to its nearest neighbours.

TwoNN and the maximum-likelihood estimator of Levina and Bickel (section 7 of the theory). Both
assume that the density hardly changes across a neighbourhood. Neighbours are scikit-learn's.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from flowgauge.errors import InputError, SettingsError, ShapeError
from flowgauge.geometry.inputs import check_points
from flowgauge.math.validate import as_floats, is_count
from flowgauge.records import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class IntrinsicDimension:
    """An estimate of how many coordinates a cloud locally needs.

    Attributes:
        value: The estimate [dimensions].
        standard_error: As if the points were independent [dimensions]. Neighbouring points share
            neighbours: over 60 uniform cubes of 1,000 points and 1 to 8 dimensions the spread was
            1.0 to 1.5 times this. Bias is not in it (there: −3 % at 3 dimensions, −12 % at 8).
        points: Points that entered.
    """

    value: float
    standard_error: float
    points: int


class DimensionEstimator(Protocol):
    """Estimates a dimension from sorted distances to neighbours."""

    @property
    def neighbours(self) -> int:
        """How many nearest neighbours it looks at."""
        ...

    def __call__(self, distances: FloatArray, /) -> IntrinsicDimension:
        """From (point, neighbour) distances, nearest first, none 0."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoNN:
    """From the ratio μ of the second to the first neighbour's distance, a Pareto law of exponent d.

    Takes the smallest ratios in full and of the largest only that they are larger (censored
    maximum likelihood, unbiased for independent ratios), where Facco et al. fit a line.

    Args:
        discard: Share of the largest ratios that is censored, in [0, 1).
    """

    discard: float = 0.1

    def __post_init__(self) -> None:
        if not 0.0 <= self.discard < 1.0:
            raise SettingsError(f"discard = {self.discard}, a share in [0, 1) is needed")

    @property
    def neighbours(self) -> int:
        """Two."""
        return 2

    def __call__(self, distances: FloatArray) -> IntrinsicDimension:
        """Estimate from (point, 2) distances."""
        distances = _check_distances(distances, 2)
        n = len(distances)
        kept = n - int(self.discard * n)
        ratios = np.sort(np.log(distances[:, 1] / distances[:, 0]))
        total = float(ratios[:kept].sum()) + (n - kept) * float(ratios[kept - 1])
        return _from_sum(total, kept - 1, n)


@dataclass(frozen=True, slots=True, kw_only=True)
class MLE:
    """Maximum likelihood of a Poisson process within k neighbours, one dimension for all points.

    Levina and Bickel's local estimates, averaged as inverses (MacKay and Ghahramani). More
    neighbours: less noise, more bias from edges and curvature (downwards; with 10 of 1,000 points
    −5 % in a cube of 3 dimensions, −16 % of 8).

    Args:
        neighbours: k, at least 2.
    """

    neighbours: int = 20

    def __post_init__(self) -> None:
        if not is_count(self.neighbours, 2):
            raise SettingsError(f"neighbours = {self.neighbours}, at least 2 are needed")

    def __call__(self, distances: FloatArray) -> IntrinsicDimension:
        """Estimate from (point, neighbours) distances."""
        distances = _check_distances(distances, self.neighbours)
        logs = np.log(distances[:, -1:] / distances[:, :-1])
        return _from_sum(float(logs.sum()), logs.size, len(distances))


def intrinsic_dimension(
    x: npt.ArrayLike, estimator: DimensionEstimator | None = None
) -> IntrinsicDimension:
    """Local dimension of a cloud, from distances to nearest neighbours [dimensions].

    How many coordinates points need near each other: a sheet in a thousand dimensions has 2. It is
    *not* the number of dimensions a linear map must keep, and above some ten dimensions edges make
    it an underestimate at any realistic number of points.

    Args:
        x: (point, dimension) the cloud, without duplicates.
        estimator: `TwoNN` (default) or `MLE`.

    Returns:
        ``IntrinsicDimension``.

    Raises:
        ShapeError: Too few points for the neighbours asked.
        InputError: Points coincide, so a distance is 0; shows how many.

    References:
        [facco:17] TwoNN; [levina:04], [mackay:05] MLE.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> sheet = rng.random((2_000, 2)) @ rng.standard_normal((2, 50))
        >>> [round(intrinsic_dimension(sheet, e).value, 1) for e in (TwoNN(), MLE())]
        [2.0, 1.9]
    """
    from sklearn.neighbors import NearestNeighbors

    chosen = estimator or TwoNN()
    points = check_points(x, "x", at_least=max(chosen.neighbours + 1, 4))
    found, _ = NearestNeighbors(n_neighbors=chosen.neighbours).fit(points).kneighbors()
    distances = np.asarray(found, dtype=np.float64)
    zero = int(np.count_nonzero(distances[:, 0] == 0))
    if zero:
        raise InputError(
            f"{zero} of {len(points)} points coincide with another one; distances above 0 are "
            "needed: pass numpy.unique(x, axis=0)"
        )
    return chosen(distances)


def _from_sum(total: float, degrees: int, points: int) -> IntrinsicDimension:
    """Dimension from a sum of exponential variables of that rate."""
    if not total > 0 or degrees < 1:
        raise InputError(
            f"log-ratios of neighbour distances sum to {total} over {points} points: all "
            "neighbours are equally far (a grid?), so they carry no dimension"
        )
    value = degrees / total
    return IntrinsicDimension(
        value=value, standard_error=value / float(np.sqrt(degrees)), points=points
    )


def _check_distances(distances: npt.ArrayLike, neighbours: int) -> FloatArray:
    """(point, neighbour) finite distances above 0, nearest first."""
    found = as_floats(distances, "distances")
    if found.ndim != 2 or found.shape[1] != neighbours or not len(found):
        raise ShapeError(
            f"distances has shape {found.shape}; (point, {neighbours}) was needed, nearest first"
        )
    if not (np.isfinite(found).all() and (found > 0).all() and (np.diff(found, axis=1) >= 0).all()):
        raise InputError(
            f"distances lie in [{found.min()}, {found.max()}]; finite ones above 0, nearest first, "
            "are needed"
        )
    return found
