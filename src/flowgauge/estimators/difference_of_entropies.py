"""Difference of entropies: two cross-entropies of learnt laws; theory §1, the default estimator.

Symbols given symbols by counts, symbols given numbers by a softmax network, numbers by
Gaussian-mixture heads. The richer law starts as the poorer one in each case. torch is imported only
where a network is fitted.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from flowgauge.errors import SettingsError
from flowgauge.estimators.counts import held_out_log_p
from flowgauge.estimators.result import Evaluation
from flowgauge.estimators.samples import Context, Variable, features, soft_standardise, symbols
from flowgauge.estimators.training import Training
from flowgauge.math.validate import is_count
from flowgauge.records import FloatArray, IntArray


@dataclass(frozen=True, slots=True, kw_only=True)
class DifferenceOfEntropies:
    """H(Y|Z) − H(Y|X,Z), each by the held-out cross-entropy of a learnt law [nats].

    Each cross-entropy is an upper bound of its entropy; their difference is neither an upper nor a
    lower bound of the information. In return it escapes the log n limit of lower bounds.

    Args:
        training: How the laws are fitted.
        components: Gaussians of each mixture, at least 1.

    Raises:
        SettingsError: There is no component; shows the number.

    References:
        [mcallester:20] section 3; [bishop:94] for mixture-density networks.

    Example:
        >>> DifferenceOfEntropies().components
        4
    """

    is_variational: ClassVar[bool] = False
    training: Training = field(default_factory=Training)
    components: int = 4

    def __post_init__(self) -> None:
        if not is_count(self.components):
            raise SettingsError(f"components={self.components}: a mixture has at least 1")

    def evaluate(
        self, x: Context, y: Variable, z: Context, *, rng: np.random.Generator
    ) -> Evaluation:
        """I(x; y | z) of shuffled rows [nats]."""
        outcome, known = symbols((y,)), symbols((*z, *x))
        steps, converged = 0, True
        if outcome is not None and known is not None:
            less, more = self._by_counts(outcome, z, known)
        else:
            less, more, steps, converged = self._by_networks(x, y, z, rng)
        influence = more - less
        return Evaluation(
            value=float(influence.mean()),
            influence=influence,
            is_lower_bound=False,
            steps=steps,
            converged=converged,
        )

    def _by_counts(
        self, outcome: IntArray, z: Context, known: IntArray
    ) -> tuple[FloatArray, FloatArray]:
        """Held-out log p given z, and given z and x, on the evaluation split."""
        given_z = symbols(z) if z else None
        contexts = [known] if given_z is None else [given_z, known]
        n_fit, n_validation, _ = self.training.split_sizes(len(outcome))
        laws = held_out_log_p(outcome, contexts, n_fit, n_validation)
        return laws[-2], laws[-1]

    def _by_networks(
        self, x: Context, y: Variable, z: Context, rng: np.random.Generator
    ) -> tuple[FloatArray, FloatArray, int, bool]:
        """The same by one density that gains networks as it is given more; steps, converged."""
        import torch

        from flowgauge.estimators import networks

        sizes = self.training.split_sizes(len(y.values))
        generator = networks.generator_from(rng)
        context = torch.from_numpy(features((*z, *x), sizes[0]))
        outcome = symbols((y,))
        density: networks.Density
        if outcome is not None:
            target = torch.from_numpy(outcome)
            density = networks.SoftmaxDensity(int(outcome.max()) + 1)
        else:
            # one-to-one, so that the change of volume is in both cross-entropies and cancels
            target = torch.from_numpy(soft_standardise(y, sizes[0]))
            density = networks.MixtureDensity(target.shape[1], self.components, generator)
        split = sum(sizes[:2])
        held_out = [context[split:], target[split:]]
        widths = [0, *([features(z, sizes[0]).shape[1]] if z else []), context.shape[1]]
        log_p, steps, converged = [], 0, True
        for inputs in widths:
            for add in _stages(density, inputs, self.training, generator):
                add()
                taken, done = networks.fit(
                    density, _loss, [context, target], self.training, generator
                )
                steps, converged = steps + taken, converged and done
            pieces = networks.evaluate_pieces(
                lambda rows: density(rows[0], rows[1]), held_out, networks.PIECE
            )
            log_p.append(np.concatenate(pieces))
        return log_p[-2], log_p[-1], steps, converged


def _stages(
    density: Any, inputs: int, training: Training, generator: Any
) -> list[Callable[[], None]]:
    """What is added before each fit: nothing at first, else a linear map, then a network."""
    if not inputs:
        return [lambda: None]
    return [
        lambda: density.add_linear(inputs),
        lambda: density.add_network(inputs, training.hidden, generator),
    ]


def _loss(network: Any, rows: Sequence[Any]) -> Any:
    """Mean surprisal of a batch."""
    return -network(rows[0], rows[1]).mean()
