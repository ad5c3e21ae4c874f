import numpy as np
import pytest
from scipy.stats import chi2
from sklearn.random_projection import johnson_lindenstrauss_min_dim

from flowgauge.errors import SettingsError
from flowgauge.geometry import johnson_lindenstrauss_dimension, johnson_lindenstrauss_failure
from flowgauge.geometry.projection import gaussian_map


@pytest.mark.parametrize("n", [2, 10, 1_000, 50_000])
@pytest.mark.parametrize("epsilon", [0.01, 0.1, 0.5, 0.99])
def test_agrees_with_scikit_learn_but_rounds_up(n, epsilon):
    # scikit-learn cuts the fraction off, which falls short of the bound by less than one
    theirs = int(johnson_lindenstrauss_min_dim(n, eps=epsilon))
    assert johnson_lindenstrauss_dimension(n, epsilon) - theirs in (0, 1)


@pytest.mark.parametrize("n", [2, 37, 50_000])
@pytest.mark.parametrize("epsilon", [0.1, 0.7])
def test_is_the_least_integer_that_meets_the_bound(n, epsilon):
    m = johnson_lindenstrauss_dimension(n, epsilon)
    exponent = epsilon**2 / 2 - epsilon**3 / 3
    assert m * exponent >= 4 * np.log(n) > (m - 1) * exponent


def test_no_draw_of_a_thousand_violates_the_bound():
    n, epsilon, dimension, draws = 200, 0.9, 250, 1_000
    m = johnson_lindenstrauss_dimension(n, epsilon)
    # one pair's squared distance is exactly chi² with m degrees over m: violations are so rare that
    # fewer than 0.1 pairs are expected in all draws (the bound itself promises only less than one
    # per draw), so a violation would mean a wrong map or a wrong m
    pairs = n * (n - 1) // 2
    tails = chi2.sf(m * (1 + epsilon), m) + chi2.cdf(m * (1 - epsilon), m)
    assert draws * pairs * tails < 0.1
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n, dimension))
    upper = np.triu_indices(n, 1)

    def squares(points):
        gram = points @ points.T
        length = np.diag(gram)
        return (length[:, None] + length - 2 * gram)[upper]

    before = squares(x)
    worst = max(
        float(np.abs(squares(gaussian_map(x, m, rng)) / before - 1).max()) for _ in range(draws)
    )
    assert worst <= epsilon
    assert worst > epsilon / 2  # the bound is not idle: draws come near it


@pytest.mark.parametrize("m", [20, 60, 150])
@pytest.mark.parametrize("epsilon", [0.2, 0.5, 0.9])
def test_failure_bound_covers_the_exact_tails(m, epsilon):
    tails = chi2.sf(m * (1 + epsilon), m) + chi2.cdf(m * (1 - epsilon), m)
    assert tails <= johnson_lindenstrauss_failure(2, epsilon, m)


def test_failure_bound_at_the_dimension_leaves_one_in_n():
    for n in (10, 1_000):
        m = johnson_lindenstrauss_dimension(n, 0.3)
        assert johnson_lindenstrauss_failure(n, 0.3, m) <= 1 - 1 / n


@pytest.mark.parametrize(("n", "epsilon"), [(1, 0.5), (10, 0.0), (10, 1.0), (10, np.nan)])
def test_out_of_range_is_refused(n, epsilon):
    with pytest.raises(SettingsError, match=rf"n = {n} and epsilon = {epsilon}: at least 2 points"):
        johnson_lindenstrauss_dimension(n, epsilon)


def test_no_dimensions_are_refused():
    with pytest.raises(SettingsError, match=r"dimensions = 0, at least 1"):
        johnson_lindenstrauss_failure(10, 0.5, 0)


@pytest.mark.parametrize("number", [np.nan, np.inf, 2.5])
def test_points_and_dimensions_are_whole_numbers(number):
    with pytest.raises(SettingsError, match=f"n = {number} and epsilon"):
        johnson_lindenstrauss_dimension(number, 0.5)
    with pytest.raises(SettingsError, match=f"dimensions = {number}, at least 1"):
        johnson_lindenstrauss_failure(10, 0.5, number)


def test_more_points_than_a_float_holds():
    assert johnson_lindenstrauss_failure(10**200, 0.5, 10) == 1.0
