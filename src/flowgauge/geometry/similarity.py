"""Linear centred kernel alignment: similarity of two representations of the same things.

Section 7 of the theory. Imports numpy alone.
"""

import numpy as np
import numpy.typing as npt

from flowgauge.errors import InputError
from flowgauge.geometry.inputs import check_paired
from flowgauge.records import FloatArray


def linear_cka(x: npt.ArrayLike, y: npt.ArrayLike) -> float:
    """Linear CKA of two representations [share, 0 to 1].

    ‖Yᵀ X‖²_F / (‖Xᵀ X‖_F ‖Yᵀ Y‖_F) of the centred columns: 1 when one is a rotated, scaled and
    shifted copy of the other. Invariant to these, *not* to other invertible maps. It is biased
    upwards: with fewer points than dimensions unrelated clouds come near 1, so compare with the
    value after shuffling the rows of one; and a few directions of large variance decide it.

    Args:
        x: (n, dimension) points.
        y: (n, dimension) the same things elsewhere, in any number of dimensions.

    Returns:
        The similarity.

    Raises:
        ShapeError: Not as many points in both; shows the numbers.
        InputError: All points of one coincide, or a coordinate is not finite.

    References:
        [kornblith:19] section 3.

    Example:
        >>> cloud = np.random.default_rng(0).standard_normal((100, 8))
        >>> round(linear_cka(cloud, 3.0 - 2.0 * cloud[:, ::-1]), 12)
        1.0
    """
    first, second = check_paired(x, y)
    left, right = _centred(first, "x"), _centred(second, "y")
    n = len(left)
    if max(left.shape[1], right.shape[1]) <= n:
        cross = float(np.linalg.norm(right.T @ left)) ** 2
        sizes = float(np.linalg.norm(left.T @ left) * np.linalg.norm(right.T @ right))
    else:  # the same numbers from (n, n) Gram matrices, smaller here
        gram, other = left @ left.T, right @ right.T
        cross = float(np.sum(gram * other))
        sizes = float(np.linalg.norm(gram) * np.linalg.norm(other))
    return min(cross / sizes, 1.0)


def _centred(points: FloatArray, name: str) -> FloatArray:
    """Columns without their means, scaled to largest entry 1 so that no square overflows."""
    size = float(np.abs(points).max()) or 1.0
    points = points / size  # the sum behind the mean must not overflow either
    centred = points - points.mean(axis=0)
    largest = float(np.abs(centred).max())
    # what rounding of the mean alone leaves is no spread
    if largest <= 1e-14:
        raise InputError(
            f"all {len(points)} points of {name} coincide, so its similarity to anything is "
            "undefined: distinct points are needed"
        )
    return np.asarray(centred / largest, dtype=np.float64)
