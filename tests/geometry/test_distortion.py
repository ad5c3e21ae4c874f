import numpy as np
import ot
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.geometry import naive_distortion

from flowgauge.errors import DistributionError, ShapeError
from flowgauge.geometry import coupling_distortion
from flowgauge.geometry.distortion import identity_distortion
from flowgauge.geometry.transport import monotone_coupling

SEEDS = st.integers(0, 10**6)
SIZES = st.integers(1, 5)


def spaces(seed, n, m, symmetric):
    rng = np.random.default_rng(seed)
    c, d = rng.standard_normal((n, n)), rng.standard_normal((m, m))
    if symmetric:
        c, d = c + c.T, d + d.T
    return c, d, rng.dirichlet(np.ones(n)), rng.dirichlet(np.ones(m)), rng


@given(SEEDS, SIZES, SIZES, st.booleans(), st.booleans())
@settings(derandomize=True, deadline=None, max_examples=60)
def test_distortion_is_the_quadruple_loop(seed, n, m, symmetric, sparse):
    c, d, p, q, rng = spaces(seed, n, m, symmetric)
    plan = rng.dirichlet(np.ones(n * m)).reshape(n, m)
    if sparse:
        plan = monotone_coupling(rng.random(n), rng.random(m), p, q)
    # sums of some hundred terms of order 10
    assert abs(coupling_distortion(c, d, plan) - naive_distortion(c, d, plan)) < 1e-12


@pytest.mark.parametrize("sparse", [False, True])
def test_distortion_of_a_coupling_agrees_with_pot(sparse):
    c, d, p, q, rng = spaces(2, 30, 20, symmetric=True)
    matching = monotone_coupling(rng.random(30), rng.random(20), p, q)
    plan = matching if sparse else 0.5 * (matching + np.outer(p, q))
    theirs = ot.gromov.gwloss(*ot.gromov.init_matrix(c, d, p, q, "square_loss"), plan)
    assert abs(coupling_distortion(c, d, plan) - theirs) < 1e-12


def test_identity_distortion_is_that_of_the_diagonal_coupling():
    c, d, p, _, _ = spaces(4, 6, 6, symmetric=False)
    assert abs(identity_distortion(c, d, p) - naive_distortion(c, d, np.diag(p))) < 1e-13


def test_coupling_of_another_shape_is_refused():
    with pytest.raises(ShapeError, match=r"shape \(2, 2\), \(2, 3\) was needed"):
        coupling_distortion(np.zeros((2, 2)), np.zeros((3, 3)), np.eye(2))


@pytest.mark.parametrize("bad", [-0.1, np.nan, np.inf])
def test_masses_must_be_finite_and_not_negative(bad):
    with pytest.raises(DistributionError, match=r"entries in .*finite masses"):
        coupling_distortion(np.zeros((2, 2)), np.zeros((2, 2)), [[0.5, bad], [0.0, 0.5]])


def test_masses_must_sum_to_one():
    with pytest.raises(DistributionError, match=r"coupling sums to 1\.001, 1 within .*divide"):
        coupling_distortion(np.eye(2), np.eye(2), [[0.5, 0.0], [0.0, 0.501]])
