import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.architectures import drawn, error
from oracles.architectures_ssm import recurrence_sums

from flowgauge.architectures import scan as module
from flowgauge.architectures.scan import decays_between, scan, sequential_scan
from flowgauge.errors import ShapeError

# A narrow state is taken in pairs, one of at least WIDE numbers in order.
WAYS = pytest.mark.parametrize("wide", [1, module.WIDE])


def uniform(*shape, seed, low=-1.0, high=1.0):
    rng = np.random.default_rng(seed)
    return torch.from_numpy(rng.uniform(low, high, size=shape))


@WAYS
@given(st.integers(1, 70), st.integers(1, 3), st.integers(1, 3), st.booleans(), st.integers(0, 99))
@settings(derandomize=True, deadline=None, max_examples=40)
def test_both_scans_are_the_sum_over_all_earlier_positions(wide, time, batch, n, stretched, seed):
    a = uniform(batch, time, 1 if stretched else n, seed=seed)
    b, first = drawn(batch, time, n, seed=seed + 1), drawn(batch, n, seed=seed + 2)
    expected = torch.from_numpy(recurrence_sums(a.numpy(), b.numpy(), first.numpy()))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "WIDE", wide)
        # 1e-12: at most 70 rounded terms of size 1.
        assert error(scan(a, b, first), expected) <= 1e-12
    assert error(sequential_scan(a, b, first), expected) <= 1e-12
    none = torch.from_numpy(recurrence_sums(a.numpy(), b.numpy(), np.zeros((batch, n))))
    assert error(scan(a, b), none) <= 1e-12


@WAYS
@pytest.mark.parametrize("time", [1, 2, 5, 8])
@pytest.mark.parametrize("stretched", [False, True])
def test_gradients_first_and_second(monkeypatch, wide, time, stretched):
    monkeypatch.setattr(module, "WIDE", wide)
    a = uniform(2, time, 1 if stretched else 3, seed=1).requires_grad_()
    b, first = (drawn(*s, seed=2).requires_grad_() for s in ((2, time, 3), (2, 3)))
    assert torch.autograd.gradcheck(scan, (a, b, first))
    assert torch.autograd.gradgradcheck(scan, (a, b, first))


@WAYS
def test_gradients_are_those_of_the_reference(monkeypatch, wide):
    monkeypatch.setattr(module, "WIDE", wide)
    a, b = uniform(2, 150, 4, 3, seed=3), drawn(2, 150, 4, 3, seed=4)
    first, pull = drawn(2, 4, 3, seed=5), drawn(2, 150, 4, 3, seed=6)
    inputs = [t.requires_grad_() for t in (a, b, first)]
    found = torch.autograd.grad((scan(*inputs) * pull).sum(), inputs)
    expected = torch.autograd.grad((sequential_scan(*inputs) * pull).sum(), inputs)
    for one, other in zip(found, expected, strict=True):
        assert error(one, other) <= 1e-12


@WAYS
def test_a_decay_of_nothing_starts_anew(monkeypatch, wide):
    monkeypatch.setattr(module, "WIDE", wide)
    a = torch.full((1, 9, 1), 0.5, dtype=torch.float64)
    a[0, 4], a[0, 6] = 0.0, 1e-300
    a.requires_grad_()
    b = torch.full_like(a, 1e300)
    h = scan(a, b)
    assert h[0, 4].item() == 1e300
    gradient = torch.autograd.grad(h[0, -1].sum(), a)[0]
    assert torch.isfinite(gradient).all()
    # Beyond the decay of 0 the past is cut off; at it stands what would have come through.
    assert (gradient[0, :4] == 0).all()
    assert gradient[0, 4] > 0


@WAYS
def test_long_times_keep_float32(monkeypatch, wide):
    monkeypatch.setattr(module, "WIDE", wide)
    a = uniform(1, 20_000, 2, seed=7, low=0.9, high=1.0)
    b = drawn(1, 20_000, 2, seed=8)
    expected = sequential_scan(a, b)
    # Each step rounds by 6e-8 and forgets by 5 %: about 20 roundings stay.
    assert error(scan(a.float(), b.float()).double(), expected) <= 2e-6


def test_decays_between_are_products():
    a = uniform(2, 3, 12, seed=9, low=0.01)
    found = decays_between(a.log())
    for i, k in np.ndindex(12, 12):
        product = a[..., k + 1 : i + 1].prod(-1) if k <= i else torch.zeros(2, 3)
        # 1e-13: logarithms of at most 12 · 4.6, rounded to 1e-16 relative.
        torch.testing.assert_close(found[..., i, k], product.double(), rtol=1e-13, atol=0)
    assert torch.autograd.gradcheck(decays_between, a.log().requires_grad_())


def test_decays_after_a_complete_one_survive_in_float32():
    log_decay = torch.tensor([-0.5, -1e4, -0.3, -0.1])
    found = decays_between(log_decay)
    # float32 sums near 10⁴ are rounded to 10⁻³; the result itself to 10⁻⁷.
    assert found[3, 1].item() == pytest.approx(np.exp(-0.4), rel=3e-7)
    assert found[1, 0].item() == 0.0
    log_decay.requires_grad_()
    assert torch.isfinite(torch.autograd.grad(decays_between(log_decay).sum(), log_decay)[0]).all()


@pytest.mark.parametrize("way", [scan, sequential_scan])
def test_shapes_that_do_not_fit_are_refused(way):
    b = torch.zeros(2, 5, 3)
    with pytest.raises(ShapeError, match=r"a \(2, 4, 3\) and b \(2, 5, 3\) came; both \(batch"):
        way(torch.zeros(2, 4, 3), b)
    with pytest.raises(ShapeError, match=r"a \(2, 5\) and b \(2, 5, 3\) came"):
        way(torch.zeros(2, 5), b)
    with pytest.raises(ShapeError, match=r"a \(2, 5, 2\) and b \(2, 5, 3\) came"):
        way(torch.zeros(2, 5, 2), b)
    with pytest.raises(ShapeError, match="at least one position"):
        way(b[:, :0], b[:, :0])
    with pytest.raises(ShapeError, match=r"initial has shape \(3,\), \(2, 3\) was needed"):
        way(b, b, torch.zeros(3))
