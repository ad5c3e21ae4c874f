"""Best-of-n sampling as a point of the rate–reward plane (theory §6)."""

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln

from flowgauge.errors import SettingsError
from flowgauge.math.validate import is_count
from flowgauge.rate.frontier import check_rewards


def best_of_n_kl(n: int) -> float:
    """Upper bound log n − (n−1)/n on KL(best-of-n ‖ reference) [nats].

    Reached where no two draws can have the same reward (a continuous law); with ties, and on any
    finite set of responses, the KL is smaller.

    Args:
        n: Draws, 1 or more.

    Returns:
        The bound.

    Raises:
        SettingsError: n is below 1 or no integer.

    References:
        [beirami:24], who show that it is a bound and not an equality.

    Example:
        >>> round(best_of_n_kl(4), 6)
        0.636294
    """
    if not is_count(n):
        raise SettingsError(f"n = {n}: best-of-n needs a whole number of draws, 1 or more")
    return float(np.log(n) - (n - 1) / n)


def best_of_n_reward(rewards: npt.ArrayLike, n: int) -> float:
    """Expected largest reward among n draws, from a sample of rewards, unbiased [reward's unit].

    The mean of the maximum over all subsets of size n, by order statistics; ties need no care. It
    is unbiased for every n up to the sample's size, unlike the plug-in of the empirical law.

    Args:
        rewards: (sample,) finite rewards of independent draws from the reference.
        n: Draws of the best-of-n policy, 1 up to the number of samples.

    Returns:
        The estimate.

    Raises:
        SettingsError: n is no integer, below 1 or above the number of samples.
        ShapeError, DistributionError: rewards that are none.

    References:
        [chen:21] for the same estimator of pass@k.

    Example:
        >>> round(best_of_n_reward([1.0, 2.0, 3.0], 2), 6)
        2.666667
    """
    values = np.sort(check_rewards(rewards))
    size = len(values)
    if not is_count(n) or n > size:
        raise SettingsError(
            f"n = {n} with {size} samples: a whole number 1 ≤ n ≤ {size} is needed; draw more "
            "samples"
        )
    # the i-th smallest is the maximum of C(i−1, n−1) of the C(size, n) subsets
    below = np.arange(n - 1, size, dtype=np.float64)
    log_share = gammaln(below + 1) - gammaln(n) - gammaln(below - n + 2)
    log_share -= gammaln(size + 1) - gammaln(n + 1) - gammaln(size - n + 1)
    share = np.exp(log_share)
    return float(share @ values[n - 1 :] / share.sum())
