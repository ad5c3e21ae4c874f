"""Entropies of joint tables with one axis per variable, and who is known at which step."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from flowgauge.errors import ShapeError
from flowgauge.math.validate import check_distribution, is_count
from flowgauge.records import FloatArray

Axes = Sequence[int]
Groups = dict[str, tuple[int, ...]]


def check_joint(
    joint: npt.ArrayLike, **groups: Axes
) -> tuple[FloatArray, dict[str, tuple[int, ...]]]:
    """The joint table and its named groups of axes, none empty, none shared."""
    table = check_distribution(joint, "joint")
    found: Groups = {}
    for name, axes in groups.items():
        if np.ndim(axes) != 1:
            raise ShapeError(f"{name} = {axes}: a list of axes was needed, such as [0]")
        if not len(axes):
            raise ShapeError(f"{name} is empty: at least one axis of the joint table is needed")
        wrong = [axis for axis in axes if not (is_count(axis, -table.ndim) and axis < table.ndim)]
        if wrong:
            raise ShapeError(
                f"{name} = {tuple(axes)} names axis {wrong[0]}, but joint has shape {table.shape}"
            )
        found[name] = tuple(int(axis) % table.ndim for axis in axes)
    every = [axis for axes in found.values() for axis in axes]
    if len(set(every)) < len(every):
        raise ShapeError(f"an axis is named twice: {found}; each variable has an axis of its own")
    return table, found


def check_steps(**groups: tuple[int, ...]) -> None:
    """An error if a source has more parts than there are steps to arrive at."""
    steps = len(groups.pop("y_axes"))
    for name, axes in groups.items():
        if len(axes) > steps:
            raise ShapeError(
                f"{name} has {len(axes)} axes for {steps} steps of y: the j-th arrives before y_j; "
                "join those that arrive together into one axis"
            )


def table_entropy(table: FloatArray, axes: Axes) -> float:
    """Entropy of the marginal on these axes [nats]; 0 on none."""
    kept = set(axes)
    marginal = table.sum(axis=tuple(a for a in range(table.ndim) if a not in kept))
    p = marginal[marginal > 0]
    return -float(np.sum(p * np.log(p))) if kept else 0.0


def conditional_information(table: FloatArray, x: Axes, y: Axes, given: Axes = ()) -> float:
    """I(X; Y | given) of one table [nats]; round-off below 0 becomes 0."""
    value = (
        table_entropy(table, [*x, *given])
        + table_entropy(table, [*y, *given])
        - table_entropy(table, [*x, *y, *given])
        - table_entropy(table, given)
    )
    return max(value, 0.0)
