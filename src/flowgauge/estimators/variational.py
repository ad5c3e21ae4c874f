"""The four estimators with a learnt critic: settings objects over the one path in `critics`.

Theory §1 (last bullets); the paper V-F for Donsker–Varadhan. Each is an objective to climb, a value
and the influence of a pair on it. All are limited by sample size: see
`InformationEstimate.warning`.
"""

import math
from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar

import numpy as np

from flowgauge.errors import SettingsError
from flowgauge.estimators.critics import (
    CriticRecipe,
    evaluate_critic,
    ratio_influence,
    thin_average_warning,
)
from flowgauge.estimators.objectives import (
    donsker_varadhan,
    info_nce,
    jensen_shannon,
    log_mean_exp_apart,
    nwj,
    smile,
)
from flowgauge.estimators.result import Evaluation
from flowgauge.estimators.samples import Context, Variable
from flowgauge.estimators.training import Training
from flowgauge.math.logspace import log_sum_exp
from flowgauge.math.validate import is_count
from flowgauge.records import FloatArray

#: Most pairs that are evaluated against each other; bounds the memory of a score matrix.
_BLOCK = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class DonskerVaradhan:
    """Largest E[T] − log E'[e^T] over a learnt critic T (MINE): a lower bound of I [nats].

    The bound holds for expectations. The sample value is too high on average, as the logarithm of a
    sample mean is (Jensen); above log n it certifies nothing.

    Args:
        training: How the critic is fitted.

    References:
        [donsker:83]; [belghazi:18]; the paper, section V-F.

    Example:
        >>> DonskerVaradhan().training.hidden
        (64, 64)
    """

    is_variational: ClassVar[bool] = True
    training: Training = field(default_factory=Training)

    def evaluate(
        self, x: Context, y: Variable, z: Context, *, rng: np.random.Generator
    ) -> Evaluation:
        """I(x; y | z) of shuffled rows [nats]; a bound only where z is empty."""
        recipe = CriticRecipe(
            objective=donsker_varadhan,
            value=donsker_varadhan,
            influence=lambda s: ratio_influence(s, float(log_mean_exp_apart(s))),
            is_lower_bound=True,
            block_size=_BLOCK,
            warn=thin_average_warning,
        )
        return evaluate_critic(recipe, self.training, x, y, z, rng)


@dataclass(frozen=True, slots=True, kw_only=True)
class NWJ:
    """Largest E[T] − E'[e^(T−1)] over a learnt critic T: a lower bound of I [nats].

    Its sample value is unbiased for the bound. Also called f-GAN KL and MINE-f. Looser than
    `DonskerVaradhan` for the same critic; its variance grows as e^I.

    Args:
        training: How the critic is fitted.

    References:
        [nguyen:10]; [poole:19] section 2.

    Example:
        >>> NWJ(training=Training(max_steps=100)).training.max_steps
        100
    """

    is_variational: ClassVar[bool] = True
    training: Training = field(default_factory=Training)

    def evaluate(
        self, x: Context, y: Variable, z: Context, *, rng: np.random.Generator
    ) -> Evaluation:
        """I(x; y | z) of shuffled rows [nats]; a bound only where z is empty."""
        recipe = CriticRecipe(
            # scores of 0 stand for a ratio of 1, as in the other estimators
            objective=lambda s: nwj(s + 1.0),
            value=lambda s: nwj(s + 1.0),
            influence=lambda s: ratio_influence(s, 0.0),
            is_lower_bound=True,
            block_size=_BLOCK,
            warn=thin_average_warning,
        )
        return evaluate_critic(recipe, self.training, x, y, z, rng)


@dataclass(frozen=True, slots=True, kw_only=True)
class InfoNCE:
    """Log of K minus the loss of naming the partner among K; bounds I from below [nats].

    Low variance, bought by the cap: near log K the value says only that I is at least about that.

    Args:
        training: How the critic is fitted.
        block_size: K, at least 2; blocks of the evaluation split are made nearly equal, so that the
            K used may be less by a share.

    Raises:
        SettingsError: The block is too small; shows it.

    References:
        [oord:18]; [poole:19] section 2.3.

    Example:
        >>> InfoNCE(block_size=512).block_size
        512
    """

    is_variational: ClassVar[bool] = True
    training: Training = field(default_factory=Training)
    block_size: int = 256

    def __post_init__(self) -> None:
        if not is_count(self.block_size, 2):
            raise SettingsError(
                f"block_size={self.block_size}: the partner is named among at least 2"
            )

    def evaluate(
        self, x: Context, y: Variable, z: Context, *, rng: np.random.Generator
    ) -> Evaluation:
        """I(x; y | z) of shuffled rows [nats]; a bound only where z is empty."""
        recipe = CriticRecipe(
            objective=info_nce,
            value=info_nce,
            influence=_info_nce_influence,
            is_lower_bound=True,
            block_size=self.block_size,
            warn=_cap_warning,
        )
        return evaluate_critic(recipe, self.training, x, y, z, rng)


@dataclass(frozen=True, slots=True, kw_only=True)
class SMILE:
    """Donsker–Varadhan with the ratio clipped [nats].

    The critic is led to the log ratio by a classifier's loss (Jensen–Shannon). Neither an upper nor
    a lower bound: the clip trades variance for bias.

    Args:
        training: How the critic is fitted.
        clip: τ: e^T is held in [e^−τ, e^τ]; positive.

    Raises:
        SettingsError: The clip is not positive; shows it.

    References:
        [song:20] sections 4 and 5.

    Example:
        >>> SMILE().clip
        5.0
    """

    is_variational: ClassVar[bool] = True
    training: Training = field(default_factory=Training)
    clip: float = 5.0

    def __post_init__(self) -> None:
        if not self.clip > 0:
            raise SettingsError(f"clip={self.clip}: a positive number of nats is needed")

    def evaluate(
        self, x: Context, y: Variable, z: Context, *, rng: np.random.Generator
    ) -> Evaluation:
        """I(x; y | z) of shuffled rows [nats]."""
        recipe = CriticRecipe(
            objective=jensen_shannon,
            value=partial(smile, clip=self.clip),
            influence=self._influence,
            is_lower_bound=False,
            block_size=_BLOCK,
            warn=lambda value, pieces: (),
        )
        return evaluate_critic(recipe, self.training, x, y, z, rng)

    def _influence(self, scores: FloatArray) -> FloatArray:
        clipped = np.clip(scores, -self.clip, self.clip)
        apart = ratio_influence(clipped, float(log_mean_exp_apart(clipped)))
        influence: FloatArray = apart + np.diagonal(scores) - np.diagonal(clipped)
        return influence


def _info_nce_influence(scores: FloatArray) -> FloatArray:
    """A pair's own term, less the weight it takes as a wrong partner of the others."""
    log_weights = scores - log_sum_exp(scores, axis=1, keepdims=True)
    own = np.diagonal(log_weights)
    influence: FloatArray = own - np.exp(log_weights).sum(axis=0) + np.exp(own)
    return influence


def _cap_warning(value: float, pieces: list[FloatArray]) -> tuple[str, ...]:
    """Says so when the value stands at its cap."""
    k = max(len(piece) for piece in pieces)
    if value < 0.8 * math.log(k):
        return ()
    return (
        f"The estimate of {value:.3f} nats is close to its cap log K = {math.log(k):.3f} for K = "
        f"{k}: read it as 'at least about this', or raise block_size.",
    )
