"""Learnt laws are laws, the loop restores the best fit, and the global random state stays put."""

import numpy as np
import pytest
import torch
from oracles.gaussian_tasks import pairwise

from flowgauge.errors import ConvergenceError
from flowgauge.estimators import Training
from flowgauge.estimators.networks import (
    Critic,
    MixtureDensity,
    Mlp,
    SoftmaxDensity,
    fit,
    generator_from,
)


def shaken(density, inputs, seed=0):
    """The density with a linear map and a network, all parameters random."""
    generator = torch.Generator().manual_seed(seed)
    density.add_linear(inputs)
    density.add_network(inputs, (8,), generator)
    with torch.no_grad():
        for p in density.parameters():
            p.add_(0.4 * torch.randn(p.shape, generator=generator, dtype=p.dtype))
    return density


def test_a_mixture_integrates_to_one_in_two_dimensions():
    density = shaken(MixtureDensity(2, 3, torch.Generator().manual_seed(1)), 2)
    axis = torch.linspace(-25, 25, 1001, dtype=torch.float64)
    grid = torch.cartesian_prod(axis, axis)
    context = torch.tensor([[0.3, -0.5]], dtype=torch.float64).expand(len(grid), -1)
    with torch.no_grad():
        total = float(torch.exp(density(context, grid)).sum()) * float(axis[1] - axis[0]) ** 2
    # the trapezoid rule is exact to rounding for smooth functions that vanish at the ends
    assert total == pytest.approx(1.0, abs=1e-6)


def test_a_softmax_law_sums_to_one():
    density = shaken(SoftmaxDensity(4), 2)
    context = torch.full((4, 2), 0.7, dtype=torch.float64)
    with torch.no_grad():
        assert float(torch.exp(density(context, torch.arange(4))).sum()) == pytest.approx(1.0)


def test_new_stages_change_nothing_before_the_fit():
    density = MixtureDensity(1, 2, torch.Generator().manual_seed(0))
    context, y = torch.ones((5, 3), dtype=torch.float64), torch.ones((5, 1), dtype=torch.float64)
    before = density(context, y)
    density.add_linear(3)
    density.add_network(3, (4,), torch.Generator().manual_seed(0))
    assert torch.equal(before, density(context, y))


def test_a_fresh_critic_scores_nought_and_stays_below_its_ceiling():
    generator = torch.Generator().manual_seed(0)
    critic = Critic((2, 3), (8,), ceiling=2.0, generator=generator)
    x = torch.randn((5, 2), generator=generator, dtype=torch.float64)
    y = torch.randn((5, 3), generator=generator, dtype=torch.float64)
    assert torch.equal(critic(x, y), torch.zeros((5, 5), dtype=torch.float64))
    with torch.no_grad():
        for p in critic.parameters():
            p.mul_(50).add_(1.0)
    assert float(critic(x, y).detach().abs().max()) <= 2.0


def test_the_fit_puts_back_the_best_state_and_leaves_the_global_generator():
    x, y = pairwise(1, 0.5).sample(200, np.random.default_rng(0))
    arrays = [torch.from_numpy(x), torch.from_numpy(y)]
    generator = generator_from(np.random.default_rng(0))
    network = Mlp(1, (8,), 1, last_scale=0.0, generator=generator)
    training = Training(max_steps=200, check_every=10, patience=3, learning_rate=0.05)
    seen = []

    def loss(net, rows):
        value = ((net(rows[0]) - rows[1]) ** 2).mean()
        if not torch.is_grad_enabled():
            seen.append(float(value))
        return value

    state = torch.get_rng_state()
    steps, _ = fit(network, loss, arrays, training, generator)
    assert torch.equal(state, torch.get_rng_state())
    assert 0 < steps <= 200
    validation = [a[100:140] for a in arrays]
    with torch.no_grad():
        final = float(loss(network, validation))
    assert final == min(seen)


def test_a_loss_that_is_not_finite_at_the_start_is_refused_in_words():
    arrays = [torch.full((60, 1), 1e200, dtype=torch.float64)]
    network = Mlp(1, (4,), 1, last_scale=1.0, generator=torch.Generator().manual_seed(0))
    with pytest.raises(ConvergenceError, match="the loss is inf before the first step"):
        fit(
            network,
            lambda net, rows: (rows[0] ** 2).mean() + net(rows[0]).mean() * 0,
            arrays,
            Training(),
            torch.Generator().manual_seed(0),
        )
