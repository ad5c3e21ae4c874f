"""Gromov–Wasserstein bounds against POT's own solver, on the same two distance matrices.

`gw_bounds_vs_pot(quick)` is the time of `gromov_wasserstein_bounds` (FLB, SLB, TLB and identity)
over that of `ot.gromov.gromov_wasserstein2` with its default settings: the median over 5
interleaved rounds. Full: 2,000 points, some 2 minutes. Quick: 300 points, a few seconds.
"""

import sys
import warnings
from pathlib import Path

import numpy as np
import ot

sys.path.insert(0, str(Path(__file__).parent.parent))

from common import interleaved, ratio

from flowgauge.geometry import euclidean_distances, gromov_wasserstein_bounds

ROUNDS = 5


def embedding_pair(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Distances of a cloud in 16 dimensions and of a turned, noisy copy of it."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n, 16)) * np.linspace(1.0, 0.2, 16)
    turn, _ = np.linalg.qr(rng.standard_normal((16, 16)))
    y = x @ turn + 0.3 * rng.standard_normal((n, 16))
    return euclidean_distances(x), euclidean_distances(y)


def gw_bounds_vs_pot(quick: bool) -> float:
    """Time of the bounds relative to POT's Gromov–Wasserstein."""
    c, d = embedding_pair(300 if quick else 2_000)
    small = gromov_wasserstein_bounds(c[:50, :50], d[:50, :50])  # loads what is loaded on demand
    if small.lower > ot.gromov.gromov_wasserstein2(c[:50, :50], d[:50, :50]):
        raise RuntimeError(f"the bounds {small} do not stay below POT's value")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # POT's simplex stops early at 2,000 points, by default
        seconds = interleaved(
            {
                "bounds": lambda: gromov_wasserstein_bounds(c, d),
                "pot": lambda: ot.gromov.gromov_wasserstein2(c, d),
            },
            ROUNDS,
        )
    return ratio(seconds, "bounds", "pot")


if __name__ == "__main__":
    print(f"gw_bounds_vs_pot {gw_bounds_vs_pot('--quick' in sys.argv):.3f}")
