import numpy as np
import pytest
from hypothesis import given, settings
from oracles.flow import mutual_information, symmetric_channel
from strategies import joint_tables

from flowgauge.errors import ShapeError
from flowgauge.flow import conservation

hypothesis_settings = settings(derandomize=True, deadline=None, max_examples=50)


@given(joint_tables((2, 3, 2, 3)))
@hypothesis_settings
def test_forward_and_backward_add_to_mutual(table):
    law = conservation(table, [0, 1], [2, 3])
    # 1e-12: entropies of 36 entries.
    assert law.gap == pytest.approx(0.0, abs=1e-12)
    assert law.mutual == pytest.approx(mutual_information(table.reshape(6, 6)), abs=1e-12)
    assert min(law.forward, law.backward, law.mutual) >= 0


@given(joint_tables((2,) * 6))
@hypothesis_settings
def test_the_law_holds_at_three_steps_and_in_any_order_of_axes(table):
    law = conservation(table, [4, 0, 2], [1, 5, 3])
    assert law.gap == pytest.approx(0.0, abs=1e-12)


@given(joint_tables((3, 2, 2)))
@hypothesis_settings
def test_a_prompt_has_no_backward_part(table):
    law = conservation(table, [0], [1, 2])
    assert law.backward == 0.0
    assert law.gap == pytest.approx(0.0, abs=1e-12)


def test_no_feedback_no_backward_part_and_feedback_shows():
    channel = conservation(symmetric_channel(2, 0.1), [0, 1], [2, 3])
    assert channel.backward == pytest.approx(0.0, abs=1e-14)
    table = np.zeros((2, 2, 2, 2))
    for x_1, y_1, y_2 in np.ndindex(2, 2, 2):
        table[x_1, y_1, y_1, y_2] = 0.125  # x_2 repeats y_1; y follows nothing
    law = conservation(table, [0, 1], [2, 3])
    assert law.forward == pytest.approx(0.0, abs=1e-15)
    assert law.backward == pytest.approx(np.log(2), abs=1e-15)


def test_more_sources_than_steps_are_refused():
    with pytest.raises(ShapeError, match="x_axes has 2 axes for 1 steps"):
        conservation(np.full((2, 2, 2), 0.125), [0, 1], [2])
