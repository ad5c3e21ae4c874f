from math import comb

import numpy as np
import pytest
from oracles.bounds import separable_share_by_angles

from flowgauge.bounds import (
    cover_probability,
    gardner_capacity,
    is_separable,
    perceptron_transition,
)
from flowgauge.errors import DistributionError, SettingsError, ShapeError


def test_cover_agrees_with_counting_binomials():
    for dimension in (1, 3, 10):
        for patterns in range(1, 40):
            count = sum(comb(patterns - 1, k) for k in range(min(dimension, patterns)))
            exact = count / 2 ** (patterns - 1)
            assert abs(cover_probability(patterns, dimension) - exact) < 1e-13


@pytest.mark.parametrize("patterns", [1, 2, 3, 5, 8])
def test_cover_agrees_with_walking_around_the_circle(patterns):
    points = np.random.default_rng(0).standard_normal((patterns, 2))
    assert cover_probability(patterns, 2) == pytest.approx(separable_share_by_angles(points))


def test_linear_program_finds_exactly_the_realisable_labellings():
    points = np.random.default_rng(1).standard_normal((6, 2))
    labels = np.array(np.meshgrid(*[[-1, 1]] * 6)).reshape(6, -1).T
    share = np.mean([is_separable(points, row) for row in labels])
    assert share == pytest.approx(separable_share_by_angles(points))


def test_transition_at_two_patterns_per_weight():
    """Measured shares agree with Cover's count, fall through ½ at α = 2, and sharpen with N."""
    loads = [1.2, 2.0, 2.8]
    seen = {n: perceptron_transition(n, loads, 60, np.random.default_rng(n)) for n in (10, 40)}
    for result in seen.values():
        # 4.5 binomial standard errors, and a floor where the expectation is 0 or 1 to 1e-3
        off = np.abs(result.separable - result.expected)
        assert (off <= 4.5 * result.standard_error + 0.02).all()
        assert result.expected[1] == pytest.approx(0.5)
        assert result.load[1] == gardner_capacity(0.0) == 2.0
    drop = {n: result.expected[0] - result.expected[2] for n, result in seen.items()}
    assert drop[40] > drop[10]
    assert seen[40].separable[0] > 0.9
    assert seen[40].separable[2] < 0.1


def test_bad_input_is_named():
    with pytest.raises(SettingsError, match="patterns = 0"):
        cover_probability(0, 3)
    with pytest.raises(SettingsError, match=r"patterns = 2\.5, dimension = nan"):
        cover_probability(2.5, np.nan)
    with pytest.raises(ShapeError, match=r"labels \(3,\)"):
        is_separable(np.zeros((2, 2)), [1, 1, -1])
    with pytest.raises(DistributionError, match=r"labels −1 or \+1"):
        is_separable(np.ones((2, 2)), [1, 0])
    with pytest.raises(SettingsError, match="draws = 0"):
        perceptron_transition(3, [1.0], 0, np.random.default_rng(0))


@pytest.mark.parametrize("scale", [1e-13, 1.0, 1e13])
def test_the_length_of_a_point_does_not_matter(scale):
    rng = np.random.default_rng(2)
    points = rng.standard_normal((8, 4)) * scale ** rng.random((8, 1))
    labels = np.sign(points @ rng.standard_normal(4))
    assert is_separable(points, labels)
    assert not is_separable(np.vstack([points, points[0]]), np.append(labels, -labels[0]))
    assert not is_separable([[0.0, 0.0]], [1])
