"""Samples as estimators read them: checked, shuffled, encoded.

Integer and boolean arrays are discrete, floating-point arrays continuous. Networks read continuous
coordinates through a fixed strictly increasing map (linear near the median, logarithmic in the
tails), which changes no information, and discrete ones as one-hot rows. Numpy alone.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from flowgauge.errors import DistributionError, InputError, SettingsError, ShapeError
from flowgauge.records import FloatArray, IntArray

#: Robust standard deviations within which the map of continuous coordinates is near linear.
_LINEAR_RANGE = 3.0

#: Interquartile range of the standard normal law.
_NORMAL_IQR = 1.3489795003921634


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """Rows of one variable.

    Attributes:
        values: (sample, dim), float64 if continuous, int64 if discrete.
    """

    values: FloatArray | IntArray

    @property
    def is_discrete(self) -> bool:
        """Whether the values are symbols."""
        return bool(np.issubdtype(self.values.dtype, np.integer))


#: Variables known together; the empty tuple is no knowledge at all.
Context = tuple[Variable, ...]


def as_variable(values: Any, name: str) -> Variable:
    """Checks one array of rows and settles whether it is discrete."""
    array = as_array(values, name)
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2 or 0 in array.shape:
        raise ShapeError(
            f"{name} has shape {np.shape(values)}: (sample,) or (sample, dim) is needed, neither 0"
        )
    if array.dtype.kind in "biu":
        return Variable(values=array.astype(np.int64))
    if array.dtype.kind != "f":
        raise InputError(
            f"{name} has dtype {array.dtype}: floats (continuous) or integers (discrete) are needed"
        )
    array = array.astype(np.float64)
    bad = ~np.isfinite(array)
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise DistributionError(
            f"{name} has {int(bad.sum())} values that are not finite, the first "
            f"{array[row, column]} at row {row}, column {column}: drop or repair these rows"
        )
    return Variable(values=array)


def as_array(values: Any, name: str) -> Any:
    """What numpy makes of the values, with their dtype; an error of ours if it cannot."""
    try:
        return np.asarray(values)
    except (RuntimeError, TypeError, ValueError) as error:
        raise ShapeError(
            f"{name} is no array: {error}. All rows must have one length; pad or split them."
        ) from error


def check_rows(n_x: int, n_y: int, minimum: int) -> int:
    """Equal numbers of rows, and enough of them."""
    if n_x != n_y:
        raise ShapeError(f"x has {n_x} rows and y {n_y}: row i of both must be one draw")
    if n_x < minimum:
        raise ShapeError(f"{n_x} rows are too few: at least {minimum} are needed by this estimator")
    return n_x


def take(variable: Variable, rows: IntArray) -> Variable:
    """The variable at some rows, in their order."""
    return Variable(values=variable.values[rows])


def features(context: Context, n_fit: int) -> FloatArray:
    """(sample, feature) what a network reads.

    Location, scale and range come from the first n_fit rows. Coordinates beyond that range are held
    at its ends: a network knows nothing there, and a function of x tells no more about y than x.
    """
    blocks = []
    for variable in context:
        if variable.is_discrete:
            blocks.append(_one_hot(variable.values))
            continue
        block = soft_standardise(variable, n_fit)
        blocks.append(np.clip(block, block[:n_fit].min(axis=0), block[:n_fit].max(axis=0)))
    return np.concatenate(blocks, axis=1)


def symbols(context: Context) -> IntArray | None:
    """(sample,) a number for each distinct row of a discrete context; None if not discrete."""
    if not all(v.is_discrete for v in context):
        return None
    rows = np.concatenate([v.values for v in context], axis=1)
    return np.unique(rows, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)


def coordinates(context: Context) -> FloatArray:
    """(sample, dim) the raw continuous coordinates, for estimators by distances."""
    discrete = [v for v in context if v.is_discrete]
    if discrete:
        raise SettingsError(
            f"integer data of shape {discrete[0].values.shape} came to an estimator by distances, "
            "which needs a density: use DifferenceOfEntropies for symbols, or cast to float if "
            "the integers are measurements"
        )
    return np.concatenate([np.asarray(v.values, dtype=np.float64) for v in context], axis=1)


def soft_standardise(variable: Variable, n_fit: int) -> FloatArray:
    """Median 0, robust scale 1, tails compressed by arcsinh; strictly increasing."""
    values = np.asarray(variable.values, dtype=np.float64)
    low, centre, high = np.quantile(values[:n_fit], [0.25, 0.5, 0.75], axis=0)
    scale = (high - low) / _NORMAL_IQR
    # half the rows may share one value: then the plain spread, and 1 for a constant
    scale = np.where(scale > 0, scale, np.std(values[:n_fit], axis=0))
    scale = np.where(scale > 0, scale, 1.0) * _LINEAR_RANGE
    standardised: FloatArray = np.arcsinh((values - centre) / scale) * _LINEAR_RANGE
    return standardised


def _one_hot(values: Any) -> FloatArray:
    """(sample, Σ alphabet) one-hot rows, column by column."""
    columns = []
    for column in values.T:
        alphabet, index = np.unique(column, return_inverse=True)
        columns.append(np.eye(len(alphabet))[index.reshape(-1)])
    return np.concatenate(columns, axis=1)
