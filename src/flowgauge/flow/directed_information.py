"""Directed information of enumerable worlds, exact from the joint table (paper III-A).

Tables have one axis per variable. The j-th axis of a source arrives just before y_j; a source with
one axis is therefore known from the start, as a prompt is. Axes not named are summed out.
"""

import numpy as np
import numpy.typing as npt

from flowgauge.flow._tables import Axes, check_joint, check_steps, conditional_information


def directed_information(joint: npt.ArrayLike, x_axes: Axes, y_axes: Axes) -> float:
    """Massey's directed information I(X^N→Y^N) = Σ_j I(X^j; Y_j | Y^{j−1}) [nats].

    What x tells about y causally, feedback counted once. Equal to the mutual information if the
    whole source is known before the first token or y does not feed back; smaller otherwise. Not a
    measure of cause by intervention.

    Args:
        joint: Joint probabilities, one axis per variable.
        x_axes: Axes of X_1, X_2, … in order of arrival; at most as many as `y_axes`.
        y_axes: Axes of Y_1, Y_2, … in time order.

    Returns:
        The directed information, 0 or more.

    Raises:
        DistributionError: The table has a negative entry or does not sum to 1.
        ShapeError: An axis that does not exist, is named twice, or arrives after the last step.

    References:
        [massey:90]; [bai:25] III-A.

    Example:
        >>> import numpy as np
        >>> joint = 0.5 * np.array([[0.9, 0.1], [0.1, 0.9]])
        >>> round(directed_information(joint, [0], [1]), 6)
        0.368064
    """
    table, axes = check_joint(joint, x_axes=x_axes, y_axes=y_axes)
    x, y = axes["x_axes"], axes["y_axes"]
    check_steps(x_axes=x, y_axes=y)
    return sum(conditional_information(table, x[: j + 1], [y[j]], y[:j]) for j in range(len(y)))


def causally_conditioned_directed_information(
    joint: npt.ArrayLike, x_axes: Axes, y_axes: Axes, z_axes: Axes
) -> float:
    """Directed information given Z causally, I(X→Y‖Z) = Σ_j I(X^j; Y_j | Y^{j−1}, Z^j) [nats].

    What the documents add to an answer once the question is known. May be larger than I(X→Y):
    conditioning can reveal a joint effect.

    Args:
        joint: Joint probabilities, one axis per variable.
        x_axes: Axes of X_1, X_2, … in order of arrival.
        y_axes: Axes of Y_1, Y_2, … in time order.
        z_axes: Axes of Z_1, Z_2, … in order of arrival; one axis is known from the start.

    Returns:
        The causally conditioned directed information, 0 or more.

    Raises:
        DistributionError: The table has a negative entry or does not sum to 1.
        ShapeError: An axis that does not exist, is named twice, or arrives after the last step.

    References:
        [kramer:98]; [bai:25] III-A.

    Example:
        >>> import numpy as np
        >>> joint = np.zeros((2, 2, 2))  # y = x xor z
        >>> joint[[0, 0, 1, 1], [0, 1, 1, 0], [0, 1, 0, 1]] = 0.25
        >>> round(causally_conditioned_directed_information(joint, [0], [1], [2]), 6)
        0.693147
    """
    table, axes = check_joint(joint, x_axes=x_axes, y_axes=y_axes, z_axes=z_axes)
    x, y, z = axes["x_axes"], axes["y_axes"], axes["z_axes"]
    check_steps(x_axes=x, y_axes=y, z_axes=z)
    return sum(
        conditional_information(table, x[: j + 1], [y[j]], [*y[:j], *z[: j + 1]])
        for j in range(len(y))
    )


def transfer_entropy(
    joint: npt.ArrayLike, x_past_axes: Axes, y_axis: int, y_past_axes: Axes
) -> float:
    """Schreiber's transfer entropy I(X_past; Y_t | Y_past) of one step [nats].

    One step of directed information without the present of x; with a past cut short it is not a
    bound on the whole. For Gaussian processes it is half of Granger's log ratio.

    Args:
        joint: Joint probabilities, one axis per variable.
        x_past_axes: Axes of the past of x.
        y_axis: Axis of Y_t.
        y_past_axes: Axes of the past of y; may be empty.

    Returns:
        The transfer entropy, 0 or more.

    Raises:
        DistributionError: The table has a negative entry or does not sum to 1.
        ShapeError: An axis that does not exist or is named twice.

    References:
        [schreiber:00].

    Example:
        >>> import numpy as np
        >>> joint = np.zeros((2, 2, 2))  # y copies the past of x, whatever its own past was
        >>> joint[0, :, 0] = joint[1, :, 1] = 0.25
        >>> round(transfer_entropy(joint, [0], 2, [1]), 6)
        0.693147
    """
    groups = {"x_past_axes": x_past_axes, "y_axis": [y_axis]}
    if np.size(y_past_axes):
        groups["y_past_axes"] = y_past_axes
    table, axes = check_joint(joint, **groups)
    return conditional_information(
        table, axes["x_past_axes"], axes["y_axis"], axes.get("y_past_axes", ())
    )
