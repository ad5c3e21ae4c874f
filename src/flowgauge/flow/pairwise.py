"""Transfer entropy between all pairs of series of a Gaussian vector autoregression; theory §4."""

import numpy as np
import numpy.typing as npt

from flowgauge.errors import ShapeError
from flowgauge.flow.gaussian import gaussian_directed_information_rate
from flowgauge.math.validate import as_floats
from flowgauge.records import FloatArray


def pairwise_transfer_entropies(
    coefficients: npt.ArrayLike, innovations: npt.ArrayLike
) -> FloatArray:
    """Transfer entropy rate from each series to each other, the rest left out [nats per step].

    Exact for the coefficients that came, which may be those of the process, a least-squares fit, or
    read off a trained model. Not conditional: what reaches y from x through a third series counts.

    Args:
        coefficients: (lag, dim, dim) A_1 … A_p, or (dim, dim) for one lag, axes out and in.
        innovations: (dim, dim) Σ, positive definite.

    Returns:
        (source, target); 0 on the diagonal, since a series tells nothing beyond its own past.

    Raises:
        ShapeError: Shapes do not fit, or there is one series alone.
        DistributionError: The process is not stationary, or Σ is no covariance; shows the number.

    References:
        [barnett:09]; [barnett:15]; theory §4.

    Example:
        >>> noise = np.diag([1.0, 0.25])  # y_t = 0.5 y_{t−1} + 0.8 x_{t−1} + e
        >>> pairwise_transfer_entropies([[0, 0], [0.8, 0.5]], noise).round(3).tolist()
        [[0.0, 0.635], [0.0, 0.0]]
    """
    dim = len(np.atleast_1d(as_floats(innovations, "innovations")))
    if dim < 2:
        raise ShapeError(f"innovations have shape {np.shape(innovations)}: two series are needed")
    found = np.zeros((dim, dim))
    for x in range(dim):
        for y in range(x + 1, dim):
            rate = gaussian_directed_information_rate(coefficients, innovations, [x], [y])
            found[x, y] = rate.transfer_entropy_nats
            found[y, x] = rate.backward_nats
    # rounding of log-determinants may fall below 0, a transfer entropy does not
    return np.maximum(found, 0.0)
