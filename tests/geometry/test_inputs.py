import sys

import numpy as np
import pytest

from flowgauge.errors import DistributionError, InputError, MissingDependencyError, ShapeError
from flowgauge.geometry import inputs


def test_euclidean_distances_are_differences():
    points = np.array([[0.0, 0.0], [3.0, 4.0], [3.0, 0.0]])
    np.testing.assert_allclose(
        inputs.euclidean_distances(points), [[0, 5, 3], [5, 0, 4], [3, 4, 0]], rtol=1e-15
    )


def test_no_weights_are_equal_weights():
    np.testing.assert_array_equal(inputs.check_weights(None, 4, "p"), np.full(4, 0.25))


def test_weights_off_by_rounding_are_rescaled():
    single = np.full(3, 1 / 3, dtype=np.float32)
    assert abs(inputs.check_weights(single, 3, "p").sum() - 1.0) < 1e-15


def test_weights_off_by_a_thousandth_are_refused():
    with pytest.raises(DistributionError, match=r"q sums to 1.001.*divide by the sum"):
        inputs.check_weights([0.5, 0.501], 2, "q")


@pytest.mark.parametrize("bad", [-0.5, np.nan, np.inf])
def test_negative_or_undefined_weights_are_refused(bad):
    with pytest.raises(DistributionError, match=rf"p\[1\] = {bad} is no probability"):
        inputs.check_weights([1.0, bad], 2, "p")


def test_weights_of_another_length_are_refused():
    with pytest.raises(ShapeError, match=r"shape \(3,\), \(2,\) was needed"):
        inputs.check_weights([0.2, 0.3, 0.5], 2, "p")


@pytest.mark.parametrize("shape", [(3,), (2, 3), (0, 0)])
def test_matrices_must_be_square(shape):
    with pytest.raises(ShapeError, match=r"c1 has shape .*square matrix.*euclidean_distances"):
        inputs.check_dissimilarity(np.zeros(shape), "c1")


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_undefined_dissimilarities_are_shown(bad):
    c = np.zeros((3, 3))
    c[1, 2] = bad
    with pytest.raises(InputError, match=rf"c2\[1, 2\] = {bad}; finite .*1 of 9"):
        inputs.check_dissimilarity(c, "c2")


def test_points_must_be_a_matrix_with_enough_rows():
    with pytest.raises(ShapeError, match=r"x has shape \(4,\)"):
        inputs.check_points(np.zeros(4), "x")
    with pytest.raises(ShapeError, match=r"x has 1 points, at least 2"):
        inputs.check_points(np.zeros((1, 4)), "x")


def test_paired_clouds_need_as_many_points():
    with pytest.raises(ShapeError, match=r"x has 4 points and y has 5"):
        inputs.check_paired(np.zeros((4, 2)), np.zeros((5, 2)))


def test_missing_pot_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "ot", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'flowgauge\[geometry\]'"):
        inputs.load_pot()


def test_distances_want_finite_points():
    assert inputs.euclidean_distances([[1.0, 2.0]]).tolist() == [[0.0]]
    with pytest.raises(InputError, match=r"points\[1, 0\] = nan"):
        inputs.euclidean_distances([[1.0], [np.nan]])
    with pytest.raises(ShapeError, match=r"points has shape \(3,\)"):
        inputs.euclidean_distances(np.zeros(3))


def test_numbers_whose_squares_overflow_are_refused():
    with pytest.raises(InputError, match=r"coordinates up to 1e\+300 make distances overflow"):
        inputs.euclidean_distances([[1e300], [-1e300]])
    with pytest.raises(InputError, match=r"c1 holds a dissimilarity of size 1e\+200"):
        inputs.check_dissimilarity([[1e200]], "c1")
