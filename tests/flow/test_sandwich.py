import numpy as np
import pytest
from oracles.flow import mutual_information

from flowgauge.errors import DistributionError, ShapeError
from flowgauge.flow import sandwich


def gaussian_matrix(rng, count, signal):
    """log P(u_i|s_k) up to a constant for u = s·signal + noise; I = ½ log(1 + signal²)."""
    s = rng.normal(size=count)
    u = signal * s + rng.normal(size=count)
    return -0.5 * (u[:, None] - signal * s[None, :]) ** 2 - 1.0


def test_brackets_the_truth_and_closes_as_the_pool_grows():
    rng = np.random.default_rng(0)
    truth = 0.5 * np.log(1 + 4.0)
    widths = []
    for count in (8, 64, 256):
        found = [sandwich(gaussian_matrix(rng, count, 2.0)) for _ in range(40)]
        lower, upper = np.mean([s.lower for s in found]), np.mean([s.upper for s in found])
        # Bounds hold for the mean over pools; four standard errors of 40 pools.
        slack = 4 * np.std([s.lower for s in found]) / np.sqrt(40)
        assert lower - slack <= truth <= upper + slack
        widths.append(upper - lower)
    assert widths[0] > widths[1] > widths[2]


def test_exactly_below_and_above_by_enumeration_of_all_pools():
    rng = np.random.default_rng(1)
    channel = rng.dirichlet(np.ones(3), size=2)  # two equally likely sources, three texts
    truth = mutual_information(channel / 2)
    lower = upper = 0.0
    pools = [(s, u) for s in np.ndindex(2, 2, 2) for u in np.ndindex(3, 3, 3)]
    for s, u in pools:
        weight = np.prod([channel[a, b] / 2 for a, b in zip(s, u, strict=True)])
        found = sandwich(np.log(channel[list(s)][:, list(u)].T))
        lower += weight * found.lower
        upper += weight * found.upper
    assert lower < truth < upper


def test_standard_error_tells_the_spread_over_pools():
    rng = np.random.default_rng(2)
    found = [sandwich(gaussian_matrix(rng, 60, 1.0)) for _ in range(300)]
    for name in ("lower", "upper"):
        spread = np.std([getattr(s, name) for s in found])
        told = np.mean([getattr(s, f"{name}_standard_error") for s in found])
        # 300 pools know the spread to 4 %; the jackknife is a little conservative.
        assert told == pytest.approx(spread, rel=0.15)


def test_jackknife_is_deletion_of_each_record():
    matrix = gaussian_matrix(np.random.default_rng(3), 6, 1.5)
    found = sandwich(matrix)
    for name in ("lower", "upper"):
        deleted = [
            getattr(sandwich(np.delete(np.delete(matrix, k, 0), k, 1)), name) for k in range(6)
        ]
        expected = np.sqrt(5 / 6 * np.sum((deleted - np.mean(deleted)) ** 2))
        assert getattr(found, f"{name}_standard_error") == pytest.approx(expected, rel=1e-12)


def test_never_above_log_m():
    far = np.where(np.eye(5, dtype=bool), -1.0, -500.0)
    found = sandwich(far)
    assert found.lower == pytest.approx(np.log(5), abs=1e-14)
    assert found.limit == pytest.approx(np.log(5), abs=1e-15)
    assert found.upper == pytest.approx(499.0, abs=1e-12)


def test_a_text_impossible_elsewhere_has_an_infinite_upper_bound():
    matrix = np.where(np.eye(3, dtype=bool), 0.0, -np.inf)
    found = sandwich(matrix)
    assert found.lower == pytest.approx(np.log(3), abs=1e-15)
    assert found.lower_standard_error == pytest.approx(0.0, abs=1e-15)
    assert found.upper == found.upper_standard_error == np.inf


def test_bad_input_is_refused():
    with pytest.raises(ShapeError, match=r"shape \(2, 2\); a square .* at least 3"):
        sandwich(np.zeros((2, 2)))
    with pytest.raises(ShapeError, match=r"shape \(3, 4\)"):
        sandwich(np.zeros((3, 4)))
    with pytest.raises(DistributionError, match="text 1 is impossible under its own source"):
        sandwich(np.array([[0.0] * 3, [0.0, -np.inf, 0.0], [0.0] * 3]))
    with pytest.raises(DistributionError, match=r"log_likelihood\[0, 1\] = 3 is above 0"):
        sandwich(np.array([[0.0, 3.0, 0.0]] * 3))
