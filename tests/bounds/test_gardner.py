import numpy as np
import pytest
from oracles.bounds import gardner_by_integration

from flowgauge.bounds import gardner_capacity
from flowgauge.errors import SettingsError


@pytest.mark.parametrize(("kappa", "capacity"), [(0.0, 2.0), (0.5, 0.961), (1.0, 0.520)])
def test_published_values(kappa, capacity):
    assert abs(gardner_capacity(kappa) - capacity) < 5e-4


@pytest.mark.parametrize("kappa", [0.0, 0.3, 1.0, 2.5, 8.0])
def test_agrees_with_the_defining_integral(kappa):
    np.testing.assert_allclose(gardner_capacity(kappa), gardner_by_integration(kappa), rtol=1e-9)


@pytest.mark.parametrize("kappa", [-0.1, np.nan, np.inf])
def test_negative_margins_are_refused(kappa):
    with pytest.raises(SettingsError, match=f"kappa = {kappa}"):
        gardner_capacity(kappa)


def test_an_enormous_margin_leaves_no_capacity():
    assert gardner_capacity(1e200) == 0.0
