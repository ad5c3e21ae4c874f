import numpy as np
import pytest
import torch
from hypothesis import given, settings
from oracles import math as oracle
from oracles.flow import mutual_information
from strategies import joint_tables, log_laws

from flowgauge.errors import DistributionError, InputError, ShapeError
from flowgauge.math import cross_entropy, entropy, uncertainty_coefficient, varentropy

hypothesis_settings = settings(derandomize=True, deadline=None, max_examples=60)


@given(log_laws(6))
@hypothesis_settings
def test_entropy_and_varentropy_are_their_definitions(log_p):
    p = np.exp(log_p)
    # 1e-12 absolute: sums of six terms of size up to 60².
    assert entropy(log_p) == pytest.approx(oracle.entropy(p), abs=1e-13)
    assert varentropy(log_p) == pytest.approx(oracle.varentropy(p), abs=1e-12)


@given(log_laws(5), log_laws(5, zeros=False))
@hypothesis_settings
def test_cross_entropy_is_entropy_plus_divergence(log_p, log_q):
    p, q = np.exp(log_p), np.exp(log_q)
    expected = oracle.entropy(p) + oracle.kl(p, q)
    assert cross_entropy(log_p, log_q) == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_zero_probability_adds_exactly_nothing():
    with_zero = np.array([np.log(0.5), np.log(0.5), -np.inf])
    assert entropy(with_zero) == entropy(with_zero[:2]) == pytest.approx(np.log(2), abs=1e-16)
    assert varentropy(with_zero) == 0.0
    assert entropy(np.array([0.0, -np.inf])) == 0.0
    assert cross_entropy(np.array([0.0, -np.inf]), np.array([0.0, -np.inf])) == 0.0
    assert cross_entropy(np.array([0.0, -np.inf]), np.array([-np.inf, 0.0])) == np.inf


def test_mass_below_the_smallest_number_still_meets_an_excluded_token():
    log_p = np.array([0.0, -800.0])
    assert cross_entropy(log_p, np.array([0.0, -np.inf])) == np.inf
    assert cross_entropy(log_p, np.array([0.0, -900.0])) == 0.0


@pytest.mark.parametrize("function", [entropy, varentropy])
def test_numpy_and_torch_agree_on_the_largest_vocabulary(function):
    logits = np.random.default_rng(1).normal(size=(2, 262_144)) * 4
    logits[:, ::3] = -np.inf
    log_p = logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)
    # 1e-12: two summation orders over 262,144 terms.
    np.testing.assert_allclose(
        function(torch.tensor(log_p)).numpy(), function(log_p), rtol=1e-12, atol=1e-12
    )


def test_uniform_law_over_the_largest_vocabulary():
    size = 262_144
    log_p = np.full(size, -np.log(size))
    assert entropy(log_p) == pytest.approx(np.log(size), rel=1e-13)
    assert varentropy(log_p) == pytest.approx(0.0, abs=1e-20)


@given(joint_tables((3, 4)))
@hypothesis_settings
def test_uncertainty_coefficient_is_information_over_entropy(table):
    h_y = oracle.entropy(table.sum(axis=0))
    with np.errstate(divide="ignore"):
        log_joint = np.log(table)
    if h_y < 1e-6:
        return
    expected = mutual_information(table) / h_y
    # The quotient magnifies round-off of the entropies by 1/H(Y).
    assert uncertainty_coefficient(log_joint) == pytest.approx(expected, abs=1e-13 / h_y)
    assert uncertainty_coefficient(torch.tensor(log_joint)) == pytest.approx(
        expected, abs=1e-13 / h_y
    )


def test_uncertainty_coefficient_at_its_ends():
    with np.errstate(divide="ignore"):
        assert uncertainty_coefficient(np.log(np.eye(3) / 3)) == pytest.approx(1.0, abs=1e-15)
    assert uncertainty_coefficient(np.log(np.full((2, 3), 1 / 6))) == pytest.approx(0.0, abs=1e-15)
    with pytest.raises(DistributionError, match=r"H\(Y\) = 0"):
        uncertainty_coefficient(np.array([[np.log(0.5), -np.inf], [np.log(0.5), -np.inf]]))
    with pytest.raises(ShapeError, match=r"\(2,\); \(\.\.\., x, y\)"):
        uncertainty_coefficient(np.log([0.5, 0.5]))


@pytest.mark.parametrize("function", [entropy, varentropy])
def test_bad_laws_are_refused(function):
    with pytest.raises(DistributionError, match=r"sum to 1\.001"):
        function(np.log([0.5, 0.501]))


def test_pairs_must_fit():
    with pytest.raises(ShapeError, match=r"log_p \(2,\), log_q \(3,\)"):
        cross_entropy(np.log([0.5, 0.5]), np.log([0.5, 0.25, 0.25]))


def test_an_empty_batch_of_tables_is_refused():
    with pytest.raises(ShapeError, match="at least one entry"):
        uncertainty_coefficient(np.zeros((0, 2, 2)))


def test_a_tensor_beside_an_array_is_refused():
    law = np.log([0.5, 0.5])
    with pytest.raises(InputError, match="log_p is Tensor, log_q ndarray"):
        cross_entropy(torch.tensor(law), law)


def test_plus_infinity_is_refused_without_a_warning():
    with pytest.raises(DistributionError, match="sum to inf"):
        entropy(np.array([np.inf, -1.0]))
