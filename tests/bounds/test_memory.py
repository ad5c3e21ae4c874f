import numpy as np
import pytest

from flowgauge.bounds import memorised_bits
from flowgauge.errors import DistributionError, SettingsError, ShapeError


def test_a_lookup_table_memorises_what_it_holds():
    """Half of 100 random strings of 8 tokens over 16 symbols stored: 50 · 8 · 4 bits."""
    source = np.full(100, -8 * np.log(16))
    model = np.where(np.arange(100) < 50, 0.0, source)
    memory = memorised_bits(model, source, parameters=400)
    assert memory.bits == pytest.approx(50 * 8 * 4)
    assert memory.bits_per_parameter == pytest.approx(4.0)
    assert memory.total_nats == pytest.approx(memory.bits * np.log(2))


def test_a_model_worse_than_the_reference_has_memorised_nothing():
    memory = memorised_bits([-5.0, -np.inf], [-1.0, -2.0])
    np.testing.assert_array_equal(memory.record_nats, [0.0, 0.0])


@pytest.mark.parametrize(
    ("model", "reference", "parameters", "error", "text"),
    [
        ([0.5], [-1.0], None, DistributionError, "above 0"),
        ([-1.0], [-np.inf], None, SettingsError, r"log_p_reference\[0\] is −inf"),
        ([-1.0], [-1.0, -2.0], None, ShapeError, "shapes must be equal"),
        ([-1.0], [-1.0], 0, SettingsError, "parameters = 0"),
    ],
)
def test_bad_input_is_named(model, reference, parameters, error, text):
    with pytest.raises(error, match=text):
        memorised_bits(model, reference, parameters)


def test_bits_per_parameter_needs_the_parameters():
    with pytest.raises(SettingsError, match="pass parameters"):
        _ = memorised_bits([-1.0], [-2.0]).bits_per_parameter
