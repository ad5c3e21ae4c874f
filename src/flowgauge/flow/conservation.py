"""Conservation of information between two directions (paper III-A; Massey and Massey 2005)."""

from dataclasses import dataclass

import numpy.typing as npt

from flowgauge.flow._tables import Axes, check_joint, check_steps, conditional_information
from flowgauge.flow.directed_information import directed_information


@dataclass(frozen=True, slots=True, kw_only=True)
class Conservation:
    """The three informations of one joint table.

    Attributes:
        forward: I(X^N→Y^N) [nats].
        backward: I(0·Y^{N−1}→X^N), what earlier y tell about the next x [nats].
        mutual: I(X^N; Y^N), from entropies of its own [nats].
    """

    forward: float
    backward: float
    mutual: float

    @property
    def gap(self) -> float:
        """Mutual − forward − backward: round-off, 0 by the law [nats]."""
        return self.mutual - self.forward - self.backward


def conservation(joint: npt.ArrayLike, x_axes: Axes, y_axes: Axes) -> Conservation:
    """Forward and feedback information beside the mutual one, which is their sum [nats].

    The backward part is the *delayed* one: X_j is told by Y_1 … Y_{j−1} alone. It is 0 for a
    channel without feedback, such as a prompt that stands before the answer.

    Args:
        joint: Joint probabilities, one axis per variable.
        x_axes: Axes of X_1, X_2, … in order of arrival; at most as many as `y_axes`.
        y_axes: Axes of Y_1, Y_2, … in time order.

    Returns:
        The three informations, each computed without the others.

    Raises:
        DistributionError: The table has a negative entry or does not sum to 1.
        ShapeError: An axis that does not exist, is named twice, or arrives after the last step.

    References:
        [massey:05].

    Example:
        >>> import numpy as np
        >>> joint = np.zeros((2, 2, 2))  # y_1 copies x_1 nine times of ten, x_2 copies y_1
        >>> joint[[0, 0, 1, 1], [0, 1, 0, 1], [0, 1, 0, 1]] = [0.45, 0.05, 0.05, 0.45]
        >>> law = conservation(joint[..., None], [0, 2], [1, 3])
        >>> round(law.forward, 4), round(law.backward, 4), round(law.mutual, 4)
        (0.3681, 0.3251, 0.6931)
    """
    table, axes = check_joint(joint, x_axes=x_axes, y_axes=y_axes)
    x, y = axes["x_axes"], axes["y_axes"]
    check_steps(x_axes=x, y_axes=y)
    backward = sum(conditional_information(table, y[:i], [x[i]], x[:i]) for i in range(1, len(x)))
    return Conservation(
        forward=directed_information(table, x, y),
        backward=float(backward),
        mutual=conditional_information(table, x, y),
    )
