"""How many dimensions keep all distances: the Johnson–Lindenstrauss bound of Dasgupta and Gupta.

Section 7 of the theory, dimension planning. No array enters.
"""

from math import ceil, exp, log

from flowgauge.errors import SettingsError
from flowgauge.math.validate import is_count


def johnson_lindenstrauss_dimension(n: int, epsilon: float) -> int:
    """Dimensions into which n points fit with all squared distances within 1 ± ε [dimensions].

    The least integer m ≥ 4 ln n / (ε²/2 − ε³/3). In so many dimensions a map *exists*: a random
    Gaussian one succeeds with probability at least 1/n by the union bound. It is *not* what a
    given cloud needs (often far less, see `projection_distortion`) and does not depend on the
    dimension the points have: a result above that says only that no map is needed.

    Args:
        n: Number of points, at least 2.
        epsilon: Largest relative change of a squared distance, in (0, 1).

    Returns:
        Number of dimensions m.

    Raises:
        SettingsError: Fewer than two points or an epsilon outside (0, 1); shows them.

    References:
        [dasgupta:03] theorem 2.1.

    Example:
        >>> johnson_lindenstrauss_dimension(50_000, 0.1)
        9275
    """
    _check(n, epsilon)
    return ceil(4.0 * log(n) / _exponent(epsilon))


def johnson_lindenstrauss_failure(n: int, epsilon: float, dimensions: int) -> float:
    """Bound of the probability that a random Gaussian map changes some distance by more than ε.

    Union bound min(1, n(n − 1) exp(−m (ε²/2 − ε³/3)/2)) over both tails of all pairs [probability].
    It is *not* the failure probability itself, which is lower, often by orders of magnitude.

    Args:
        n: Number of points, at least 2.
        epsilon: Largest relative change of a squared distance, in (0, 1).
        dimensions: Dimensions m after the map, at least 1.

    Returns:
        The bound, in (0, 1].

    Raises:
        SettingsError: A value outside its range; shows it.

    References:
        [dasgupta:03] lemma 2.2.

    Example:
        >>> johnson_lindenstrauss_failure(2, 0.5, 200) < 1e-3
        True
    """
    _check(n, epsilon)
    if not is_count(dimensions):
        raise SettingsError(f"{dimensions = }, at least 1 is needed")
    log_bound = log(n) + log(n - 1) - dimensions * _exponent(epsilon) / 2.0
    return exp(min(0.0, log_bound))


def _exponent(epsilon: float) -> float:
    return epsilon**2 / 2.0 - epsilon**3 / 3.0


def _check(n: int, epsilon: float) -> None:
    if not is_count(n, 2) or not 0.0 < epsilon < 1.0:
        raise SettingsError(
            f"{n = } and {epsilon = }: at least 2 points and 0 < epsilon < 1 are needed"
        )
