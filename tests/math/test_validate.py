import numpy as np
import pytest
import torch

from flowgauge.errors import DistributionError, InputError, ShapeError
from flowgauge.math.validate import (
    as_floats,
    check_distribution,
    check_log_distribution,
    check_log_probabilities,
    check_same_shape,
    is_count,
)


def test_a_good_table_comes_back_as_a_float64_copy():
    given = np.array([[0.5, 0.5], [0.25, 0.75]], dtype=np.float32)
    found = check_distribution(given, "p", axis=-1)
    assert found.dtype == np.float64
    found[0, 0] = 9.0
    assert given[0, 0] == 0.5


@pytest.mark.parametrize(
    ("p", "axis", "text"),
    [
        ([0.5, 0.501], None, r"p sums to 1\.001 \(off by 0\.001\); it must sum to 1 within 1e-09"),
        ([[0.5, 0.5], [0.5, 0.4]], -1, r"p sums to 0\.9 at row 1 \(off by 0\.1\)"),
        ([[0.5, np.nan]], None, r"p\[0, 1\] is nan: probabilities are finite"),
        ([np.inf, 0.0], None, r"p\[0\] is inf"),
        ([1.2, -0.2], None, r"p\[1\] = -0\.2 is negative.*not logarithms"),
    ],
)
def test_a_bad_table_is_refused_with_its_numbers(p, axis, text):
    with pytest.raises(DistributionError, match=text):
        check_distribution(p, "p", axis=axis)


def test_an_empty_table_is_refused():
    with pytest.raises(ShapeError, match=r"p has shape \(0,\)"):
        check_distribution([], "p")


@pytest.mark.parametrize("convert", [np.asarray, torch.tensor], ids=["numpy", "torch"])
def test_log_laws_are_checked_row_by_row(convert):
    good = convert(np.log([[0.5, 0.5], [0.25, 0.75]]))
    assert check_log_distribution(good, "log_p") is good
    with pytest.raises(DistributionError, match=r"at row 1 sum to 1\.001; .*log-softmax"):
        check_log_distribution(convert(np.log([[0.5, 0.5], [0.25, 0.751]])), "log_p")
    with pytest.raises(DistributionError, match="log_p holds NaN"):
        check_log_distribution(convert(np.array([0.0, np.nan])), "log_p")
    with pytest.raises(DistributionError, match="sum to 0"):
        check_log_distribution(convert(np.array([-np.inf, -np.inf])), "log_p")
    with pytest.raises(DistributionError, match="sum to inf"):
        check_log_distribution(convert(np.array([1000.0, 3.0])), "log_p")
    with pytest.raises(ShapeError, match="log-probabilities must be floating point"):
        check_log_distribution(convert(np.array([0, 1])), "log_p")
    with pytest.raises(ShapeError, match="at least one entry"):
        check_log_distribution(convert(np.array(1.0)), "log_p")


def test_single_precision_laws_over_a_large_vocabulary_pass():
    logits = np.random.default_rng(0).normal(size=262_144).astype(np.float32) * 5
    log_p = torch.log_softmax(torch.tensor(logits), -1)
    assert check_log_distribution(log_p, "log_p") is log_p


def test_realised_log_probabilities():
    assert check_log_probabilities([-np.inf, 5e-7, -1.0], "x").tolist() == [-np.inf, 0.0, -1.0]
    with pytest.raises(DistributionError, match=r"x\[1\] = 2 is above 0.*negated"):
        check_log_probabilities([0.0, 2.0], "x")
    with pytest.raises(DistributionError, match=r"x\[0\] is NaN"):
        check_log_probabilities([np.nan], "x")
    with pytest.raises(ShapeError, match=r"x has shape \(1, 1\): 1 axis"):
        check_log_probabilities([[0.0]], "x")


def test_shapes_are_shown_when_they_differ():
    check_same_shape(a=np.zeros(2), b=torch.zeros(2))
    with pytest.raises(ShapeError, match=r"a \(2,\), b \(3,\)"):
        check_same_shape(a=np.zeros(2), b=torch.zeros(3))


def test_what_is_no_array_of_numbers_is_refused():
    with pytest.raises(ShapeError, match=r"x is no array: .*inhomogeneous.*one length"):
        as_floats([[1.0, 2.0], [3.0]], "x")
    for values in (np.array([1j]), ["a", "b"]):
        with pytest.raises(InputError, match=r"x has dtype .*real numbers were needed"):
            as_floats(values, "x")
    with pytest.raises(InputError, match="x holds what is no number"):
        as_floats(np.array([{}, 1.0], dtype=object), "x")
    with pytest.raises(InputError, match="x cannot be read by numpy"):
        as_floats(torch.zeros(2, requires_grad=True), "x")
    given = np.array([1.0, np.inf])
    found = as_floats(given, "x")
    found[0] = 5.0
    assert given.tolist() == [1.0, np.inf]


def test_counts_are_whole_numbers():
    assert is_count(1)
    assert is_count(np.int32(4), 4)
    for value in (0, -1, 2.0, np.nan, np.inf, "2", None):
        assert not is_count(value)
