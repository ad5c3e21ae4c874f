from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from oracles import flow as oracle
from strategies import joint_tables

from flowgauge.errors import DistributionError, ShapeError
from flowgauge.flow import (
    causally_conditioned_directed_information,
    directed_information,
    transfer_entropy,
)

hypothesis_settings = settings(derandomize=True, deadline=None, max_examples=40)


@given(joint_tables((2, 2, 2, 2)))
@hypothesis_settings
def test_is_the_sum_of_expected_log_ratios(table):
    # 1e-12: sixteen terms of size about 1.
    assert directed_information(table, [0, 1], [2, 3]) == pytest.approx(
        oracle.directed_information_by_definition(table, 2), abs=1e-12
    )


@given(joint_tables((3, 2, 2, 2)))
@hypothesis_settings
def test_a_source_known_from_the_start_gives_mutual_information(table):
    expected = oracle.mutual_information(table.reshape(3, -1))
    assert directed_information(table, [0], [1, 2, 3]) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("e", [0.0, 0.1, 0.5])
def test_binary_symmetric_channel(e):
    for n in (1, 2, 3):
        expected = n * (np.log(2) - oracle.binary_entropy(e))
        found = directed_information(oracle.symmetric_channel(n, e), range(n), range(n, 2 * n))
        assert found == pytest.approx(expected, abs=1e-13)


def test_ising_chain_in_a_random_field():
    n, own, field = 4, 0.3, 0.7
    table = oracle.ising_chain(n, own, field)
    per_step = oracle.ising_information_per_step(own, field)
    y = list(range(n + 1, 2 * n + 1))
    # Given y_0, each step adds the same, whatever the past was.
    found = causally_conditioned_directed_information(table, range(n), y, [n])
    assert found == pytest.approx(n * per_step, abs=1e-13)
    assert transfer_entropy(table, [n - 1], 2 * n, [2 * n - 1]) == pytest.approx(
        per_step, abs=1e-13
    )


def test_a_markov_source_copied_with_delay():
    stay = 0.8
    table = np.zeros((2, 2, 2, 2, 2, 2))  # x_1 x_2 x_3 y_1 y_2 y_3, y_j = x_{j−1}, y_1 = 0
    for x in np.ndindex(2, 2, 2):
        p = 0.5
        for a, b in pairwise(x):
            p *= stay if a == b else 1 - stay
        table[(*x, 0, *x[:-1])] = p
    # y tells x_1 and one transition: its entropy, all of it from x.
    expected = np.log(2) + oracle.binary_entropy(stay)
    assert directed_information(table, [0, 1, 2], [3, 4, 5]) == pytest.approx(expected, abs=1e-13)
    # Backwards, y only repeats what x had said before.
    assert transfer_entropy(table, [3, 4, 5], 2, [0, 1]) == pytest.approx(0.0, abs=1e-13)


@given(joint_tables((2, 2, 2, 2)))
@hypothesis_settings
def test_chain_rule_over_two_sources(table):
    joined = table.reshape(4, 2, 2)
    total = directed_information(joined, [0], [1, 2])
    first = directed_information(table, [0], [2, 3])
    then = causally_conditioned_directed_information(table, [1], [2, 3], [0])
    assert total == pytest.approx(first + then, abs=1e-12)


@given(joint_tables((3, 2, 2)), joint_tables((3, 2)))
@hypothesis_settings
def test_data_processing_of_the_source(table, channel):
    weights = channel / np.maximum(channel.sum(axis=1, keepdims=True), 1e-300)
    weights[channel.sum(axis=1) == 0] = 0.5
    poorer = np.einsum("syz,sr->ryz", table, weights)
    assert (
        directed_information(poorer, [0], [1, 2])
        <= directed_information(table, [0], [1, 2]) + 1e-12
    )


def test_summed_transfer_entropy_is_delayed_directed_information():
    rng = np.random.default_rng(4)
    table = rng.dirichlet(np.ones(16)).reshape(2, 2, 2, 2)  # x_1 x_2 y_1 y_2
    # Delayed by one: y_1 sees no x, y_2 sees x_1.
    shifted = table[None].sum(axis=2)  # x_0, without alternatives, arrives with y_1; x_1 with y_2
    delayed = directed_information(shifted, [0, 1], [2, 3])
    assert transfer_entropy(table, [0], 3, [2]) == pytest.approx(delayed, abs=1e-14)


def test_conditioning_reveals_a_joint_effect():
    table = np.zeros((2, 2, 2))
    for x, z in np.ndindex(2, 2):
        table[x, x ^ z, z] = 0.25
    assert directed_information(table, [0], [1]) == 0.0
    assert causally_conditioned_directed_information(table, [0], [1], [2]) == pytest.approx(
        np.log(2), abs=1e-15
    )


@pytest.mark.parametrize(
    ("joint", "x", "y", "error", "text"),
    [
        (np.full((2, 2), 0.3), [0], [1], DistributionError, r"joint sums to 1\.2"),
        (np.full((2, 2), 0.25), [0], [2], ShapeError, r"y_axes = \(2,\) names axis 2.*\(2, 2\)"),
        (np.full((2, 2), 0.25), [0], [-2], ShapeError, "an axis is named twice"),
        (np.full((2, 2), 0.25), [], [1], ShapeError, "x_axes is empty"),
        (np.full((2, 2, 2), 0.125), [0, 1], [2], ShapeError, "x_axes has 2 axes for 1 steps of y"),
    ],
)
def test_bad_input_is_refused(joint, x, y, error, text):
    with pytest.raises(error, match=text):
        directed_information(joint, x, y)


def test_an_axis_that_is_no_list_or_no_integer_is_refused():
    joint = np.full((2, 2), 0.25)
    with pytest.raises(ShapeError, match="x_axes = 0: a list of axes"):
        directed_information(joint, 0, [1])
    with pytest.raises(ShapeError, match=r"names axis 0\.5"):
        directed_information(joint, [0.5], [1])
