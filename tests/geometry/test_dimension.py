import numpy as np
import pytest
from oracles.geometry import two_nn_line_fit

from flowgauge.errors import InputError, SettingsError, ShapeError
from flowgauge.geometry import MLE, TwoNN, intrinsic_dimension


@pytest.mark.parametrize("dimension", [1, 2, 3, 5])
def test_two_nn_on_cubes(dimension):
    rng = np.random.default_rng(dimension)
    found = intrinsic_dimension(rng.random((3_000, dimension)))
    # four standard errors, a half more for shared neighbours, and the bias at the cube's faces:
    # measured −3 percent at 3 dimensions, −7 at 5 with 1,000 points
    allowed = 6 * found.standard_error + 0.015 * dimension * dimension
    assert abs(found.value - dimension) < allowed
    assert 0.01 * dimension < found.standard_error < 0.03 * dimension
    assert found.points == 3_000


@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_mle_on_cubes(dimension):
    rng = np.random.default_rng(dimension)
    found = intrinsic_dimension(rng.random((3_000, dimension)), MLE(neighbours=10))
    assert (
        abs(found.value - dimension) < 0.06 * dimension
    )  # bias at the faces, noise below 1 percent
    assert found.value > dimension - 0.25


def test_without_faces_two_nn_is_unbiased():
    # a circle has no ends; 40 clouds, so the mean is known to 0.5 percent
    rng = np.random.default_rng(0)
    values = []
    for _ in range(40):
        angle = 2 * np.pi * rng.random(1_000)
        circle = np.stack([np.cos(angle), np.sin(angle), np.zeros(1_000)], axis=1)
        values.append(intrinsic_dimension(circle).value)
    assert abs(np.mean(values) - 1) < 4 * np.std(values, ddof=1) / np.sqrt(40)


def test_two_nn_is_near_facco_and_colleagues_line():
    rng = np.random.default_rng(1)
    x = rng.random((800, 3))
    # two estimates from the same ratios: their difference is well below one standard error each
    found = intrinsic_dimension(x)
    assert abs(found.value - two_nn_line_fit(x)) < 1.5 * found.standard_error


def test_two_nn_is_the_censored_maximum_likelihood():
    ratios = np.array([1.1, 1.2, 1.5, 2.0, 7.0])
    distances = np.stack([np.full(5, 0.3), 0.3 * ratios], axis=1)
    # smallest four in full, the fifth only known to exceed the fourth
    total = np.log(ratios[:4]).sum() + np.log(2.0)
    assert abs(TwoNN(discard=0.2)(distances).value - 3 / total) < 1e-13
    assert abs(TwoNN(discard=0.0)(distances).value - 4 / np.log(ratios).sum()) < 1e-13


def test_mle_is_levina_and_bickels_mean_of_inverses():
    rng = np.random.default_rng(2)
    x, k = rng.standard_normal((30, 4)), 5
    inverses = []
    for i in range(30):
        away = np.sort(np.linalg.norm(x - x[i], axis=1))[1 : k + 1]
        inverses.append(np.mean([np.log(away[-1] / away[j]) for j in range(k - 1)]))
    found = intrinsic_dimension(x, MLE(neighbours=k))
    assert abs(found.value - 1 / np.mean(inverses)) < 1e-9


@pytest.mark.parametrize("estimator", [TwoNN(), MLE()])
def test_unit_and_embedding_do_not_matter(estimator):
    rng = np.random.default_rng(3)
    x = rng.random((500, 2))
    turn, _ = np.linalg.qr(rng.standard_normal((40, 40)))
    one, two = (intrinsic_dimension(y, estimator) for y in (x, 1e3 * x @ turn[:2]))
    assert abs(one.value - two.value) < 1e-6  # distances agree to 1e-13, nearest ones to less


def test_duplicates_are_refused():
    x = np.random.default_rng(0).random((10, 2))
    x[3] = x[7]
    with pytest.raises(InputError, match=r"2 of 10 points coincide.*numpy.unique"):
        intrinsic_dimension(x)


def test_a_grid_carries_no_dimension():
    with pytest.raises(InputError, match=r"equally far"):
        TwoNN()(np.ones((4, 2)))


def test_too_few_points_are_refused():
    with pytest.raises(ShapeError, match=r"x has 10 points, at least 21"):
        intrinsic_dimension(np.zeros((10, 2)), MLE())


def test_settings_out_of_range_are_refused():
    with pytest.raises(SettingsError, match=r"discard = 1.0, a share"):
        TwoNN(discard=1.0)
    with pytest.raises(SettingsError, match=r"neighbours = 1, at least 2"):
        MLE(neighbours=1)


def test_distances_that_are_none_are_refused():
    with pytest.raises(ShapeError, match=r"distances has shape \(4, 1\); \(point, 2\)"):
        TwoNN()(np.ones((4, 1)))
    for bad in (np.nan, 0.0, -1.0):
        with pytest.raises(InputError, match="finite ones above 0, nearest first"):
            MLE(neighbours=2)([[bad, 1.0], [0.5, 1.0]])
