"""Packed effects: sums over any layers stand within one step, and what is packed comes back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from report.lens_records import unpacked

from flowgauge.report.lens_packing import pack, pack_within, round_by_layer

EFFECTS = arrays.arrays(
    np.float32,
    st.tuples(st.integers(1, 6), st.integers(1, 3), st.integers(1, 3)),
    elements=st.floats(-40, 40, width=32),
)


@given(EFFECTS, st.sampled_from([0.001, 0.25, 3.0]))
def test_every_sum_of_layers_side_by_side_is_within_one_step(values, step):
    """1e-9: the running sums are float64 sums of at most six float32 numbers."""
    steps = round_by_layer(values, step)
    exact = values.astype(np.float64)
    for first in range(len(values)):
        for last in range(first, len(values)):
            found = steps[first : last + 1].sum(axis=0) * step
            error = abs(found - exact[first : last + 1].sum(axis=0)).max()
            assert error <= step * (0.5 if first == 0 else 1.0) + 1e-9


def test_rounding_each_layer_alone_would_not_do():
    values = np.full((30, 1, 1), 0.4)
    assert round_by_layer(values, 1.0).sum() == 12
    assert np.rint(values).sum() == 0


@given(EFFECTS)
def test_what_is_packed_comes_back(values):
    packed = pack(values, 0.001)
    assert packed.shape == values.shape
    found = unpacked(packed.as_json())
    np.testing.assert_array_equal(found, round_by_layer(values, 0.001) * 0.001)


def test_large_effects_get_wider_numbers():
    assert pack(np.full((1, 1, 1), 32.767), 0.001).bits == 16
    wide = pack(np.full((1, 1, 1), -40.0), 0.001)
    assert wide.bits == 32
    assert unpacked(wide.as_json()).item() == pytest.approx(-40)


def test_the_finest_step_that_fits_is_taken(rng):
    values = rng.normal(size=(4, 30, 30)) * 0.01
    sizes = {step: len(pack(values, step).data) for step in (0.001, 0.002, 0.004)}
    found = pack_within(values, sizes[0.002], finest=0.001, coarsest=0.1)
    assert sizes[0.001] > sizes[0.002]
    assert (found.step, len(found.data)) == (0.002, sizes[0.002])
    assert pack_within(values, 50, finest=0.001, coarsest=0.004) is None
