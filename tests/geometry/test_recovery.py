import numpy as np
import pytest
from oracles.geometry import statistical_dimension

from flowgauge.errors import DistributionError, SettingsError, ShapeError
from flowgauge.geometry import (
    TransitionSettings,
    lasso,
    orthogonal_matching_pursuit,
    sparse_recovery_transition,
    weak_threshold,
)

SOLVERS = [orthogonal_matching_pursuit, lasso]


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_one_sparse_vector_is_recovered_by_hand(solver):
    matrix = np.array([[1.0, 0.0, 0.6], [0.0, 1.0, 0.8]])
    np.testing.assert_allclose(solver(matrix, 2.0 * matrix[:, 2], 1), [0, 0, 2], atol=1e-12)


def test_lasso_fits_with_no_more_l1_norm_than_the_truth():
    rng = np.random.default_rng(0)
    for k in (2, 8, 14):
        matrix, truth = rng.standard_normal((15, 30)), np.zeros(30)
        truth[:k] = rng.standard_normal(k)
        found = lasso(matrix, matrix @ truth, k)
        np.testing.assert_allclose(matrix @ found, matrix @ truth, atol=1e-8)
        assert np.abs(found).sum() <= np.abs(truth).sum() + 1e-8


@pytest.mark.parametrize("solver", SOLVERS)
def test_few_entries_are_found_many_are_not(solver):
    rng = np.random.default_rng(1)
    sparsities = [2, 10, 14, 18, 22, 35]
    result = sparse_recovery_transition(
        100, 50, sparsities, solver, TransitionSettings(trials=30), rng=rng
    )
    assert result.success[0] == 1.0
    assert result.success[-1] == 0.0
    # falling on average: later shares exceed earlier ones by no more than 3 standard errors
    rise = np.diff(result.success)
    assert np.all(rise <= 3 * np.sqrt(0.5 / 30))
    assert 10 < result.half < 25
    np.testing.assert_allclose(
        result.standard_error, np.sqrt(result.success * (1 - result.success) / 30)
    )


def test_lasso_changes_over_at_donoho_and_tanners_threshold():
    rng = np.random.default_rng(2)
    result = sparse_recovery_transition(
        160, 80, [22, 26, 30, 34, 38], lasso, TransitionSettings(trials=30), rng=rng
    )
    # 30 trials per point and a finite n blur the crossing by some 5 percent
    assert abs(result.half / 80 - weak_threshold(0.5)) < 0.05


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.9])
def test_threshold_is_the_statistical_dimension_inverted(share):
    # another derivation of the same transition; its grid is 1e-4 wide, at a minimum: error 1e-8
    assert abs(statistical_dimension(share * weak_threshold(share)) - share) < 1e-6


def test_crossing_is_interpolated_or_undefined():
    rng = np.random.default_rng(3)

    def finds_less_than(limit):
        def solver(matrix, measured, sparsity):
            found = np.linalg.lstsq(matrix, measured, rcond=None)[0]
            return found if sparsity < limit else found + 1.0

        return solver

    chosen = TransitionSettings(trials=2)
    square = sparse_recovery_transition(6, 6, [1, 3, 5], finds_less_than(4), chosen, rng=rng)
    np.testing.assert_array_equal(square.success, [1, 1, 0])
    assert square.half == 4.0
    never = sparse_recovery_transition(6, 6, [1, 3, 5], finds_less_than(9), chosen, rng=rng)
    assert np.isnan(never.half)


@pytest.mark.parametrize(
    ("n", "m", "k", "message"),
    [
        (10, 11, [1], r"measurements = 11"),
        (10, 0, [1], r"measurements = 0"),
        (10, 5, [], r"at least one sparsity"),
        (10, 5, [6], r"between 1 and measurements = 5"),
        (10, 5, [1.5], r"between 1 and measurements = 5"),
        (10, 5, [0], r"between 1 and measurements = 5"),
    ],
)
def test_sizes_out_of_range_are_refused(n, m, k, message):
    with pytest.raises(SettingsError, match=message):
        sparse_recovery_transition(n, m, k, rng=np.random.default_rng(0))


def test_settings_out_of_range_are_refused():
    with pytest.raises(SettingsError, match=r"trials ≥ 1 and 0 < tolerance < 1"):
        TransitionSettings(trials=0)
    with pytest.raises(SettingsError, match=r"measured_share = 1.0, a share"):
        weak_threshold(1.0)


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_problem_that_is_none_is_refused(solver):
    with pytest.raises(ShapeError, match=r"matrix has shape \(2, 3\), measured \(3,\)"):
        solver(np.zeros((2, 3)), np.zeros(3), 1)
    with pytest.raises(DistributionError, match="holds NaN"):
        solver(np.full((2, 3), np.nan), np.zeros(2), 1)
