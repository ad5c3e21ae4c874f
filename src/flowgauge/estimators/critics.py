"""The one path of all estimators with a learnt critic: fit on the first rows, evaluate on the last.

An estimator of this kind is an objective to climb, a value to evaluate and the influence of each
pair on that value; all else is here. I(x; y | z) is the chain-rule difference I((x, z); y) − I(z;
y) of two such estimates, made on the same pairs. Theory §1 (last bullets).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from flowgauge.estimators.result import Evaluation, subtract
from flowgauge.estimators.samples import Context, Variable, features
from flowgauge.estimators.training import Training
from flowgauge.records import FloatArray

#: Function of a score matrix (n, n).
Objective = Callable[[Any], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class CriticRecipe:
    """What distinguishes one estimator with a critic from another.

    Attributes:
        objective: Climbed during the fit, on torch scores.
        value: The estimate of one piece, on numpy scores.
        influence: (n,) influence of each pair of a piece, up to a constant, on numpy scores.
        is_lower_bound: Whether `value` estimates a lower bound of the information.
        block_size: Most pairs of one piece.
        warn: What to say about a piece-averaged value and its pieces of scores.
    """

    objective: Objective
    value: Objective
    influence: Objective
    is_lower_bound: bool
    block_size: int
    warn: Callable[[float, list[FloatArray]], tuple[str, ...]]


def evaluate_critic(
    recipe: CriticRecipe,
    training: Training,
    x: Context,
    y: Variable,
    z: Context,
    rng: np.random.Generator,
) -> Evaluation:
    """I(x; y | z) by one critic, or by two where z is not empty [nats]."""
    whole = _evaluate_pair(recipe, training, (*z, *x), y, rng)
    return subtract(whole, _evaluate_pair(recipe, training, z, y, rng)) if z else whole


def _evaluate_pair(
    recipe: CriticRecipe, training: Training, x: Context, y: Variable, rng: np.random.Generator
) -> Evaluation:
    """I(x; y): fit, then evaluate on rows that neither the fit nor its stop has seen."""
    import torch

    from flowgauge.estimators import networks

    sizes = training.split_sizes(len(y.values))
    arrays = [torch.from_numpy(features(c, sizes[0])) for c in (x, (y,))]
    generator = networks.generator_from(rng)
    widths = (arrays[0].shape[1], arrays[1].shape[1])
    critic = networks.Critic(
        widths, training.hidden, ceiling=math.log(sizes[0]), generator=generator
    )
    steps, converged = networks.fit(
        critic,
        lambda network, rows: -recipe.objective(network(rows[0], rows[1])),
        arrays,
        training,
        generator,
    )
    scores = networks.evaluate_pieces(
        lambda rows: critic(rows[0], rows[1]),
        [a[sizes[0] + sizes[1] :] for a in arrays],
        recipe.block_size,
    )
    lengths = [len(piece) for piece in scores]
    value = float(np.average([float(recipe.value(piece)) for piece in scores], weights=lengths))
    return Evaluation(
        value=value,
        influence=np.concatenate([recipe.influence(piece) for piece in scores]),
        is_lower_bound=recipe.is_lower_bound,
        steps=steps,
        converged=converged,
        warnings=recipe.warn(value, scores),
    )


def ratio_influence(scores: FloatArray, log_scale: float) -> FloatArray:
    """T_ii − (row mean + column mean of e^T off the diagonal)/scale, scale given by its log [nats].

    The first-order (Hájek) part of a mean over all pairs of two independent draws.
    """
    weights = np.exp(scores - log_scale)
    np.fill_diagonal(weights, 0.0)
    apart = (weights.sum(axis=0) + weights.sum(axis=1)) / (len(scores) - 1)
    influence: FloatArray = np.diagonal(scores) - apart
    return influence


def thin_average_warning(value: float, pieces: list[FloatArray]) -> tuple[str, ...]:
    """Says so when few pairs carry E'[e^T], so that neither value nor error can be relied on."""
    from flowgauge.estimators.objectives import mask_diagonal
    from flowgauge.math.logspace import log_sum_exp

    # a pair counts by its column: its y met every x of the piece
    columns = np.concatenate([log_sum_exp(mask_diagonal(s), axis=0) for s in pieces])
    effective = float(np.exp(2 * log_sum_exp(columns) - log_sum_exp(2 * columns)))
    if effective >= 10:
        return ()
    return (
        f"The exponential average rests on about {effective:.1f} of {len(columns)} evaluated "
        f"pairs: value {value:.3f} and its standard error are not to be relied on.",
    )
