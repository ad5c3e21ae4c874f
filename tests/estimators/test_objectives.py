"""Objectives on score matrices: exact values on tables, order between bounds, numpy = torch."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.estimators import pairs_with_composition, table_information

from flowgauge.estimators.objectives import (
    donsker_varadhan,
    info_nce,
    jensen_shannon,
    log_mean_exp_apart,
    nwj,
    smile,
)

COUNTS = np.array([[5, 1, 2], [1, 6, 1], [0, 2, 4]])


@st.composite
def score_matrices(draw):
    n = draw(st.integers(2, 6))
    entries = draw(st.lists(st.floats(-30, 30), min_size=n * n, max_size=n * n))
    return np.array(entries).reshape(n, n)


def tabular_scores(counts):
    """The optimal critic log p/(p_x p_y) at all pairs of a sample composed exactly as the table."""
    joint = counts / counts.sum()
    ratio = joint / (joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True))
    x, y = pairs_with_composition(counts).T
    with np.errstate(divide="ignore"):
        return np.log(ratio)[x[:, None], y[None, :]]


def test_donsker_varadhan_of_the_tabular_critic_is_the_exact_information():
    scores = tabular_scores(COUNTS)
    n = len(scores)
    # over all n² pairs E'[e^T] = 1 exactly; taking away the diagonal leaves this mean in closed
    # form
    left = (n**2 - np.exp(np.diagonal(scores)).sum()) / (n * (n - 1))
    exact = table_information(COUNTS / COUNTS.sum())
    # sums of 22² terms: rounding only
    assert float(donsker_varadhan(scores)) + math.log(left) == pytest.approx(exact, abs=1e-12)
    assert float(nwj(scores + 1.0)) + left - 1.0 == pytest.approx(exact, abs=1e-12)


def test_donsker_varadhan_tends_to_the_exact_information_as_the_sample_repeats():
    exact = table_information(COUNTS / COUNTS.sum())
    gaps = [
        abs(float(donsker_varadhan(tabular_scores(m * COUNTS))) - exact) for m in (1, 2, 4, 8, 16)
    ]
    # the diagonal is 1/n of the pairs, so the gap halves as the sample doubles: order 1 ± 0.1
    order = -np.polyfit(np.log([1, 2, 4, 8, 16]), np.log(gaps), 1)[0]
    assert order == pytest.approx(1.0, abs=0.1)


@given(score_matrices())
@settings(derandomize=True, deadline=None)
def test_nwj_is_at_most_donsker_varadhan_of_the_same_scores(scores):
    bound = float(donsker_varadhan(scores))
    # e^30 in the NWJ sum: relative rounding of its size
    assert float(nwj(scores)) <= bound + 1e-12 * (1 + math.exp(float(log_mean_exp_apart(scores))))


@given(score_matrices(), st.floats(-5, 5))
@settings(derandomize=True, deadline=None)
def test_nwj_meets_donsker_varadhan_where_the_mean_is_e(scores, shift):
    level = 1.0 - float(log_mean_exp_apart(scores))
    expected = pytest.approx(float(donsker_varadhan(scores)), abs=1e-9)
    assert float(nwj(scores + level)) == expected
    # and Donsker–Varadhan does not see a constant
    assert float(donsker_varadhan(scores + shift)) == expected


@given(score_matrices())
@settings(derandomize=True, deadline=None)
def test_info_nce_never_exceeds_log_k(scores):
    assert float(info_nce(scores)) <= math.log(len(scores)) + 1e-12


@given(score_matrices())
@settings(derandomize=True, deadline=None)
def test_smile_without_clip_is_donsker_varadhan_and_clip_bounds_the_log(scores):
    assert float(smile(scores, 1e9)) == pytest.approx(float(donsker_varadhan(scores)), abs=1e-12)
    clipped = np.mean(np.diagonal(scores)) - float(smile(scores, 2.0))
    assert -2.0 - 1e-12 <= clipped <= 2.0 + 1e-12


@given(score_matrices())
@settings(derandomize=True, deadline=None)
def test_jensen_shannon_by_loops(scores):
    n = len(scores)
    total = 0.0
    for i in range(n):
        for j in range(n):
            t = scores[i, j]
            if i == j:
                total -= math.log1p(math.exp(-t)) / n
            else:
                total -= math.log1p(math.exp(t)) / (n * (n - 1))
    assert float(jensen_shannon(scores)) == pytest.approx(total, abs=1e-11)


@pytest.mark.parametrize(
    "objective",
    [donsker_varadhan, nwj, info_nce, lambda s: smile(s, 5.0), jensen_shannon],
    ids=["dv", "nwj", "info_nce", "smile", "jensen_shannon"],
)
def test_torch_equals_numpy_and_has_finite_gradients(objective):
    scores = 5 * np.random.default_rng(0).normal(size=(7, 7))
    tensor = torch.tensor(scores, requires_grad=True)
    value = objective(tensor)
    assert value.item() == pytest.approx(float(objective(scores)), abs=1e-12)
    value.backward()
    assert bool(torch.isfinite(tensor.grad).all())


def test_large_scores_do_not_overflow():
    scores = np.full((3, 3), 900.0)
    assert float(donsker_varadhan(scores)) == pytest.approx(0.0, abs=1e-9)
    assert float(info_nce(scores)) == pytest.approx(0.0, abs=1e-9)
