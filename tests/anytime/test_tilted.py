import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from oracles.anytime import every_path

from flowgauge.anytime import TiltedEProcess, e_process, tilted_e_process, ville
from flowgauge.errors import DistributionError, SettingsError, ShapeError

ORDERS = (-1.0, -0.5, 0.5, 1.0)


def test_mean_exactly_one_under_the_prompted_law_and_level_holds():
    world = every_path(seed=3, orders=ORDERS)
    density = world["log_p"] - world["log_q"]
    paths = tilted_e_process(density, world["log_moments"], ORDERS)
    # 1e-12: 512 paths, each rounded to 1e-16 relative.
    np.testing.assert_allclose(world["probability_p"] @ np.exp(paths), 1.0, atol=1e-12)
    for alpha in (0.1, 0.3, 0.5):
        rejects = np.array([ville(path, alpha).rejects for path in paths])
        assert 0 < world["probability_p"] @ rejects <= alpha


def test_minus_one_alone_is_the_plain_ratio():
    world = every_path(seed=4, time=4, orders=(-1.0,))
    density = world["log_p"] - world["log_q"]
    found = tilted_e_process(density, world["log_moments"], [-1.0])
    # ψ(−1) = 0 to rounding.
    np.testing.assert_allclose(found, e_process(-density), atol=1e-13)


@given(
    arrays(np.float64, 6, elements=st.floats(-9, 9) | st.sampled_from([-np.inf, np.inf])),
    arrays(np.float64, (6, 3), elements=st.floats(-5, 5) | st.sampled_from([-np.inf, np.inf])),
)
@settings(derandomize=True, deadline=None)
def test_one_at_a_time_is_the_whole_array(density, log_moments):
    orders = [-1.0, 0.0, 0.5]
    process = TiltedEProcess(orders)
    fed = [process.update(i, psi) for i, psi in zip(density, log_moments, strict=True)]
    whole = tilted_e_process(density, log_moments, orders)
    np.testing.assert_array_equal(fed, whole)
    both = tilted_e_process(np.array([density] * 2), np.array([log_moments] * 2), orders)
    np.testing.assert_array_equal(both[1], whole)
    assert not np.isnan(whole).any()


def test_factors_that_are_not_defined_count_as_nothing():
    # ψ = ∞ (Q excludes a token P allows) and density ∞: ∞/∞ must not become evidence.
    assert tilted_e_process([np.inf], [[np.inf]], [1.0]).tolist() == [-np.inf]
    assert tilted_e_process([0.5], [[np.inf]], [1.0]).tolist() == [-np.inf]
    # A token P excludes is full evidence against P.
    assert tilted_e_process([-np.inf], [[0.0]], [-1.0]).tolist() == [np.inf]


def test_bad_input_is_refused():
    with pytest.raises(ShapeError, match=r"density \(1,\), log_moments \(1, 2\), orders \(1,\)"):
        tilted_e_process([0.0], [[0.0, 0.0]], [1.0])
    with pytest.raises(SettingsError, match=r"orders = \[\]; a non-empty grid"):
        tilted_e_process([0.0], [[]], [])
    with pytest.raises(SettingsError, match=r"orders = \[inf\]"):
        TiltedEProcess([np.inf])
    with pytest.raises(DistributionError, match=r"log_moments\[0, 0\] is NaN"):
        tilted_e_process([0.0], [[np.nan]], [1.0])
    with pytest.raises(ShapeError, match=r"log_moments has shape \(2,\), \(1,\)"):
        TiltedEProcess([1.0]).update(0.0, [0.0, 0.0])
    with pytest.raises(DistributionError, match="density = nan"):
        TiltedEProcess([1.0]).update(float("nan"), [0.0])
