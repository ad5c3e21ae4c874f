"""The phase transition of compressive sensing: how sparse a vector must be to be found again.

m Gaussian measurements of a k-sparse vector in n dimensions, recovered by orthogonal matching
pursuit or by the LASSO path (section 7 of the theory). Solvers are scikit-learn's; a solver is any
function `(matrix, measured, sparsity)` → vector.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from flowgauge.errors import DistributionError, SettingsError, ShapeError
from flowgauge.math.validate import as_floats, is_count
from flowgauge.records import FloatArray, IntArray

#: From matrix (m, n), measured (m,) and true sparsity to a vector (n,).
SparseSolver = Callable[[FloatArray, FloatArray, int], FloatArray]


@dataclass(frozen=True, slots=True, kw_only=True)
class TransitionSettings:
    """Size of the experiment.

    Args:
        trials: Random problems per sparsity, at least 1.
        tolerance: Recovered means a relative error in the Euclidean norm below this, in (0, 1).
    """

    trials: int = 50
    tolerance: float = 1e-4

    def __post_init__(self) -> None:
        if not is_count(self.trials) or not 0.0 < self.tolerance < 1.0:
            raise SettingsError(f"{self}: trials ≥ 1 and 0 < tolerance < 1 are needed")


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryTransition:
    """Share of random sparse vectors that were found again.

    Attributes:
        dimension: n, length of the vectors.
        measurements: m, numbers measured of each.
        sparsities: (sparsity,) numbers k of entries that are not 0.
        success: (sparsity,) share recovered; its standard error (sparsity,).
        half: Sparsity at which the share falls through ½, interpolated; nan if it never does.
    """

    dimension: int
    measurements: int
    sparsities: IntArray
    success: FloatArray
    standard_error: FloatArray
    half: float


def orthogonal_matching_pursuit(
    matrix: FloatArray, measured: FloatArray, sparsity: int
) -> FloatArray:
    """Greedy: as many columns as the true sparsity, each by its correlation with what is left."""
    from sklearn.linear_model import orthogonal_mp

    matrix, measured = _check_problem(matrix, measured)
    if not is_count(sparsity) or sparsity > matrix.shape[1]:
        raise SettingsError(f"{sparsity = }: 1 … {matrix.shape[1]} entries can be found")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # dependent columns end the search early: a failure
        found = orthogonal_mp(matrix, measured, n_nonzero_coefs=sparsity)
    return np.asarray(found, dtype=np.float64)


def lasso(matrix: FloatArray, measured: FloatArray, sparsity: int) -> FloatArray:
    """End of the LASSO path, the vector of least ℓ₁ norm that fits; does not use the sparsity."""
    from sklearn.linear_model import lars_path

    matrix, measured = _check_problem(matrix, measured)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # the path degenerates only where recovery fails
        _, _, path = lars_path(matrix, measured, method="lasso", max_iter=10 * len(measured))
    return np.asarray(path[:, -1], dtype=np.float64)


def sparse_recovery_transition(
    dimension: int,
    measurements: int,
    sparsities: Sequence[int],
    solver: SparseSolver = orthogonal_matching_pursuit,
    settings: TransitionSettings | None = None,
    *,
    rng: np.random.Generator,
) -> RecoveryTransition:
    """How often k-sparse vectors are recovered from m Gaussian measurements [share].

    Entries and positions are random, entries Gaussian; nothing is noisy. This is the average case:
    it is *not* a guarantee for every vector of that sparsity, and other matrices, signs or noise
    move the transition.

    Args:
        dimension: n, at least 2.
        measurements: m, between 1 and n.
        sparsities: Numbers k of entries that are not 0, each between 1 and m.
        solver: `orthogonal_matching_pursuit`, `lasso` or a function like these.
        settings: Trials and tolerance.
        rng: Randomness of matrices and vectors.

    Returns:
        ``RecoveryTransition``.

    Raises:
        SettingsError: A size outside its range; shows all of them.

    References:
        [donoho:09] the transition; [tropp:07] orthogonal matching pursuit.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> few = sparse_recovery_transition(60, 30, [2, 28], rng=rng)
        >>> few.success
        array([1., 0.])
    """
    chosen = settings or TransitionSettings()
    sizes = list(sparsities)
    whole = is_count(measurements) and is_count(dimension, 2) and measurements <= dimension
    if not whole or not sizes:
        raise SettingsError(
            f"{dimension = }, {measurements = }, sparsities = {sizes}: 1 ≤ measurements ≤ "
            "dimension, dimension ≥ 2 and at least one sparsity are needed"
        )
    if not all(is_count(k) and k <= measurements for k in sizes):
        raise SettingsError(
            f"sparsities = {sizes}: each must lie between 1 and measurements = {measurements}, "
            "more entries than measurements cannot be found"
        )
    success = np.array(
        [
            np.mean(
                [
                    _is_recovered(dimension, measurements, k, solver, chosen, rng)
                    for _ in range(chosen.trials)
                ]
            )
            for k in sizes
        ]
    )
    return RecoveryTransition(
        dimension=dimension,
        measurements=measurements,
        sparsities=np.array(sizes, dtype=np.int64),
        success=success,
        standard_error=np.sqrt(success * (1.0 - success) / chosen.trials),
        half=_crossing(np.array(sizes, dtype=np.float64), success),
    )


def weak_threshold(measured_share: float) -> float:
    """Donoho and Tanner's limit of k/m for ℓ₁ recovery at a given m/n [share].

    Where the LASSO's transition lies as n grows, for signs at random:
    max over z of (1 − (2/δ) h(z)) / (1 + z² − 2 h(z)), h(z) = (1 + z²) Φ(−z) − z φ(z). It is *not*
    the transition of orthogonal matching pursuit, nor that of a small n, which is blurred.

    Args:
        measured_share: δ = m/n, in (0, 1).

    Returns:
        ρ = k/m.

    Raises:
        SettingsError: A share outside (0, 1); shows it.

    References:
        [donoho:09b] the closed form of ρ(δ), entries of either sign.

    Example:
        >>> round(weak_threshold(0.5), 4)
        0.3857
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import ndtr

    if not 0.0 < measured_share < 1.0:
        raise SettingsError(f"{measured_share = }, a share m/n in (0, 1) is needed")

    def negative(z: float) -> float:
        tail = (1.0 + z * z) * ndtr(-z) - z * np.exp(-z * z / 2.0) / np.sqrt(2.0 * np.pi)
        return float(-(1.0 - 2.0 / measured_share * tail) / (1.0 + z * z - 2.0 * tail))

    return float(
        -minimize_scalar(
            negative, bounds=(0.0, 10.0), method="bounded", options={"xatol": 1e-10}
        ).fun
    )


def _is_recovered(
    n: int,
    m: int,
    k: int,
    solver: SparseSolver,
    settings: TransitionSettings,
    rng: np.random.Generator,
) -> bool:
    """Draw one problem and try to solve it."""
    matrix = rng.standard_normal((m, n)) / np.sqrt(m)
    truth = np.zeros(n)
    truth[rng.choice(n, size=k, replace=False)] = rng.standard_normal(k)
    error = np.linalg.norm(solver(matrix, matrix @ truth, k) - truth)
    return bool(error < settings.tolerance * np.linalg.norm(truth))


def _crossing(sizes: FloatArray, success: FloatArray) -> float:
    """First fall through one half, by linear interpolation."""
    order = np.argsort(sizes)
    x, y = sizes[order], success[order]
    falls = np.flatnonzero((y[:-1] >= 0.5) & (y[1:] < 0.5))
    if len(falls) == 0:
        return float("nan")
    i = int(falls[0])
    return float(x[i] + (y[i] - 0.5) / (y[i] - y[i + 1]) * (x[i + 1] - x[i]))


def _check_problem(matrix: npt.ArrayLike, measured: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Finite (m, n) matrix and its (m,) measurements."""
    a, b = as_floats(matrix, "matrix"), as_floats(measured, "measured")
    if a.ndim != 2 or b.shape != a.shape[:1] or not a.size:
        raise ShapeError(
            f"matrix has shape {a.shape}, measured {b.shape}: (m, n) and (m,) are needed"
        )
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise DistributionError("matrix or measured holds NaN or ∞: finite numbers are needed")
    return a, b
