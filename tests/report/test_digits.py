import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowgauge.report.digits import (
    print_level,
    print_log,
    print_nats,
    print_p_value,
    print_share,
    shorten,
    shorten_all,
)

PRINTS = (print_nats, print_share, print_p_value, print_log, print_level)


@pytest.mark.parametrize("prints", PRINTS)
@settings(derandomize=True, deadline=None, max_examples=300)
@given(value=st.floats(allow_nan=False, allow_infinity=False, min_value=-1e9, max_value=1e9))
def test_a_shortened_number_prints_like_the_number(prints, value: float) -> None:
    short = shorten(value, prints)
    assert isinstance(short, float)
    assert prints(short) == prints(value)
    # half a unit of the sixth of six digits is at most 5e-6 of the value
    assert short == pytest.approx(value, rel=5.000001e-6, abs=0)


def test_six_digits_are_kept_where_they_suffice() -> None:
    assert shorten(2 / 3, print_nats) == 0.666667
    assert shorten(1234567.0, print_level) == 1.23457e6


def test_a_second_rounding_does_not_move_the_last_digit() -> None:
    value = 10.00049
    assert print_nats(float(f"{value:.6g}")) != print_nats(value)  # six digits alone would
    assert shorten(value, print_nats) == value


def test_numbers_that_json_cannot_hold() -> None:
    values = [None, math.nan, math.inf, -math.inf, 0.0]
    assert shorten_all(values, print_nats) == [None, None, "Infinity", "-Infinity", 0.0]


def test_forms() -> None:
    assert print_log(math.log(0.25)) == "-1.386 0.250"
    assert print_log(math.log(0.00012)) == "-9.028 1.2e-04"
    assert print_log(-math.inf) == "-inf 0.0e+00"
    assert print_share(0.4126) == "41.3"
    assert print_p_value(1 / 21) == "0.0476"
    assert print_level(0.01) == "0.01"
