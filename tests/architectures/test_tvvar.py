import itertools
import subprocess
import sys

import numpy as np
import pytest
import torch
from oracles.architectures import drawn

from flowgauge.architectures import TVVAR, apply_coefficients, unroll
from flowgauge.architectures.tvvar import MOST_COEFFICIENTS, check_explicit
from flowgauge.errors import ShapeError


class Gated(TVVAR):
    """x_i = Σ_j 2^−(i−j) sigmoid(u_j) u_j: the smallest member whose coefficients depend on u."""

    width = 1

    def coefficients(self, u):
        check_explicit(u, self.width)
        age = torch.arange(u.shape[1])[:, None] - torch.arange(u.shape[1])
        decay = torch.where(age < 0, 0.0, 0.5 ** age.clamp(min=0).to(u.dtype))
        return (decay * u.sigmoid()[:, None, :, 0])[..., None, None]

    def parallel(self, u):
        return apply_coefficients(self.coefficients(u), u)

    def initial_state(self, batch):
        return (torch.zeros(batch, 1, dtype=torch.float64),)

    def step(self, state, u_i):
        x = state[0] / 2 + u_i.sigmoid() * u_i
        return (x,), x


def test_coefficients_are_applied_as_the_double_sum():
    a, u = drawn(2, 3, 3, 4, 4, seed=1), drawn(2, 3, 4, seed=2)
    expected = np.zeros((2, 3, 4))
    for b, i, j, v, w in itertools.product(range(2), range(3), range(3), range(4), range(4)):
        expected[b, i, v] += a[b, i, j, v, w] * u[b, j, w]
    # 1e-14: twelve products of numbers of size 1.
    np.testing.assert_allclose(apply_coefficients(a, u).numpy(), expected, atol=1e-14)


def test_unrolled_steps_are_the_parallel_form():
    member, u = Gated(), drawn(3, 40, 1)
    torch.testing.assert_close(unroll(member, u), member(u), rtol=1e-12, atol=1e-14)
    assert (member.constant(u) == 0).all()


def test_too_many_coefficients_are_refused_with_their_number():
    width = 64
    time = 129  # 129² · 64² = 68161536 > 2²⁶ = 67108864 ≥ 128² · 64²
    with pytest.raises(ShapeError, match=r"has 68161536 coefficients, more than 67108864; take"):
        check_explicit(torch.empty(1, time, width), width)
    assert check_explicit(torch.empty(1, time - 1, width), width) == (1, 128)
    assert MOST_COEFFICIENTS == 2**26


def test_bad_shapes_are_refused():
    with pytest.raises(ShapeError, match=r"u has shape \(2, 3\); \(batch, time, 1\)"):
        unroll(Gated(), torch.zeros(2, 3))
    with pytest.raises(ShapeError, match="with at least one position"):
        Gated()(torch.zeros(1, 0, 1))
    with pytest.raises(ShapeError, match=r"u has shape \(1, 3, 2\)"):
        Gated().coefficients(torch.zeros(1, 3, 2))
    with pytest.raises(ShapeError, match=r"coefficients \(1, 2, 2, 1, 1\).*\(1, 3, 3, 1, 1\) was"):
        apply_coefficients(torch.zeros(1, 2, 2, 1, 1), torch.zeros(1, 3, 1))


def test_a_member_must_write_every_form():
    with pytest.raises(TypeError, match="coefficients, initial_state, parallel, step"):
        TVVAR()


def test_the_folder_waits_for_the_first_use_of_torch():
    code = "import sys, flowgauge.architectures; print('torch' in sys.modules)"
    code += "; flowgauge.architectures.TVVAR; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]


def test_unknown_names_are_refused():
    import flowgauge.architectures

    with pytest.raises(AttributeError, match="has no attribute 'Perceiver'"):
        _ = flowgauge.architectures.Perceiver
