import numpy as np
import pytest
import torch
from oracles.math import omega

from flowgauge.errors import DistributionError, ShapeError
from flowgauge.math import wright_omega

POINTS = np.concatenate(
    [np.linspace(-700, -12, 60), np.linspace(-12, 6, 181), np.geomspace(6, 1e8, 60)]
)


@pytest.mark.parametrize("convert", [np.asarray, torch.tensor], ids=["numpy", "torch"])
def test_relative_error_below_1e_14_everywhere(convert):
    found = np.asarray(wright_omega(convert(POINTS)))
    expected = np.array([float(omega(y)) for y in POINTS])
    np.testing.assert_allclose(found, expected, rtol=1e-14)


@pytest.mark.parametrize("convert", [np.asarray, torch.tensor], ids=["numpy", "torch"])
def test_ends_and_fixed_points(convert):
    found = wright_omega(convert(np.array([-np.inf, -800.0, 1.0, np.e + 1, np.inf])))
    np.testing.assert_allclose(np.asarray(found), [0.0, 0.0, 1.0, np.e, np.inf], rtol=1e-15)


def test_single_precision_stays_single():
    found = wright_omega(torch.tensor([-5.0, 0.5, 1e6]))
    assert found.dtype == torch.float32
    # 1e-6: a few roundings of float32.
    np.testing.assert_allclose(found, [float(omega(y)) for y in (-5.0, 0.5, 1e6)], rtol=1e-6)


def test_bad_input_is_refused():
    with pytest.raises(DistributionError, match="y holds NaN"):
        wright_omega(np.array([np.nan]))
    with pytest.raises(ShapeError, match="y is a list"):
        wright_omega([1.0])
    with pytest.raises(ShapeError, match="y has dtype int64"):
        wright_omega(np.array([1]))


def test_shape_and_order_survive_the_pieces():
    y = np.random.default_rng(0).uniform(-40, 40, size=(3, 5, 2_500))
    found = wright_omega(torch.tensor(y)).numpy()
    # 1e-14: both stay within 5e-15 of the exact value.
    np.testing.assert_allclose(found, wright_omega(y), rtol=1e-14)
    assert wright_omega(torch.zeros((0, 3))).shape == (0, 3)
    assert wright_omega(torch.tensor(1.0)).shape == ()
