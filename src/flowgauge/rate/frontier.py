"""Reward against KL from samples of the reference policy (theory §6).

Re-weighting n samples by e^{βr} reads off the whole frontier of tilted policies without training
one, as far as the samples reach: where few of them carry the weight, the curve is cut.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from flowgauge.errors import DistributionError, SettingsError, ShapeError
from flowgauge.math.validate import as_floats
from flowgauge.records import FloatArray

#: The frontier ends where the effective sample size is below this share of n.
SMALLEST_SHARE = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardFrontier:
    """Estimated points (KL, reward) of the policies m e^{βr}, up to the cut.

    Attributes:
        beta: (point,) β ≥ 0, rising [nats per unit of reward].
        reward: (point,) self-normalised estimate of E_q r.
        reward_standard_error: (point,) its delta-method standard error.
        kl: (point,) estimate of KL(q‖m), β reward − log mean e^{βr} [nats].
        effective_sample_size: (point,) (Σw)²/Σw².
        samples: n.
        cut: Smallest β that was left out because fewer than 10 % of the samples would carry the
            weight (the largest β that is still fine, for the default grid); None if none was.
    """

    beta: FloatArray
    reward: FloatArray
    reward_standard_error: FloatArray
    kl: FloatArray
    effective_sample_size: FloatArray
    samples: int
    cut: float | None

    @property
    def words(self) -> str:
        """What was cut, as a sentence."""
        if self.cut is None:
            return f"No point was cut: {self.samples} samples carry the whole frontier asked for."
        return (
            f"Cut at β = {self.cut:.4g}: beyond it fewer than {SMALLEST_SHARE:.0%} of the "
            f"{self.samples} samples would carry the weight, and the estimates would be those of a "
            "few lucky draws."
        )


def reward_frontier_from_samples(
    rewards: npt.ArrayLike, betas: npt.ArrayLike | None = None
) -> RewardFrontier:
    """Rate–reward frontier around a reference policy, from its own samples [nats].

    Estimates, biased by O(1/n), with the reference as m (not the mean over sources, so KL is not
    I(S→U)). The KL cannot exceed log n whatever the truth is.

    Args:
        rewards: (sample,) finite rewards of responses drawn from the reference, at least 2.
        betas: (point,) β ≥ 0 wanted; by default 17 from 0 to where the samples give out, or
                to 20 over the spread of the rewards if they never do.

    Returns:
        `RewardFrontier`, cut where the effective sample size falls below 10 % of n.

    Raises:
        ShapeError: Not a list of at least 2 rewards.
        DistributionError: A reward is not finite; shows the first.
        SettingsError: A β is negative or not finite.

    References:
        [bai:25] section III-C; [owen:13] chapter 9 for self-normalised weights.

    Example:
        >>> frontier = reward_frontier_from_samples([0.0, 0.0, 1.0, 1.0], [0.0, np.log(3.0)])
        >>> frontier.reward, frontier.kl.round(4), frontier.effective_sample_size.round(1)
        (array([0.5 , 0.75]), array([0.    , 0.1308]), array([4. , 3.2]))
    """
    values = check_rewards(rewards)
    if betas is None:
        cut = _largest_beta(values)
        # without a cut 20 spreads tilt all the weight onto the best rewards
        spread = float(np.ptp(values)) or 1.0
        grid = np.linspace(0.0, 20.0 / spread if cut is None else cut, 17)
    else:
        grid = np.unique(as_floats(betas, "betas"))
        if not (grid.size and np.isfinite(grid).all() and grid[0] >= 0):
            raise SettingsError(f"betas = {grid}: finite numbers of 0 or more were needed")
        bad = [beta for beta in grid if _size(values, beta) < SMALLEST_SHARE * len(values)]
        cut = float(bad[0]) if bad else None
        grid = grid[grid < cut] if cut is not None else grid
    rows = [_estimate(values, float(beta)) for beta in grid]
    reward, error, kl, size = np.array(rows).reshape(-1, 4).T
    return RewardFrontier(
        beta=grid,
        reward=reward,
        reward_standard_error=error,
        kl=kl,
        effective_sample_size=size,
        samples=len(values),
        cut=cut,
    )


def check_rewards(rewards: npt.ArrayLike) -> FloatArray:
    """(sample,) finite rewards, at least two."""
    values = as_floats(rewards, "rewards")
    if values.ndim != 1 or len(values) < 2:
        raise ShapeError(f"rewards has shape {values.shape}: a list of at least 2 was needed")
    if not np.isfinite(values).all():
        first = int(np.argmax(~np.isfinite(values)))
        raise DistributionError(f"rewards[{first}] is {values[first]}: every reward must be finite")
    if not values.max() / 2 - values.min() / 2 < np.finfo(np.float64).max / 4:
        raise DistributionError(
            f"rewards lie from {values.min():.3g} to {values.max():.3g}, a spread beyond double "
            "precision: rescale them"
        )
    return values


def _weights(values: FloatArray, beta: float) -> FloatArray:
    return np.exp(beta * (values - values.max()))


def _size(values: FloatArray, beta: float) -> float:
    weights = _weights(values, beta)
    return float(weights.sum() ** 2 / (weights**2).sum())


def _estimate(values: FloatArray, beta: float) -> tuple[float, float, float, float]:
    """(reward, its standard error, KL, effective sample size) at one β."""
    weights = _weights(values, beta)
    share = weights / weights.sum()
    reward = float(share @ values)
    error = float(np.sqrt((share**2) @ (values - reward) ** 2))
    log_mean = beta * float(values.max()) + float(np.log(weights.mean()))
    return reward, error, max(0.0, beta * reward - log_mean), _size(values, beta)


def _largest_beta(values: FloatArray) -> float | None:
    """β where the effective sample size, which falls in β, meets the limit; None if never."""
    spread = float(np.ptp(values))
    limit = SMALLEST_SHARE * len(values)
    if spread == 0.0 or np.count_nonzero(values == values.max()) >= limit:
        return None
    low, high = 0.0, 1.0 / spread
    while _size(values, high) >= limit:
        low, high = high, 2.0 * high
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if _size(values, middle) >= limit else (low, middle)
    return low
