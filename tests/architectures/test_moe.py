import math

import numpy as np
import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.architectures import drawn, error, filled, gradients, mixture_loops
from transformers.models.llama.modeling_llama import LlamaMLP
from transformers.models.mixtral import modeling_mixtral

from flowgauge.architectures import FeedForward, MixtureConfig, MixtureOfExperts, router_load
from flowgauge.errors import SettingsError, ShapeError


@st.composite
def configs(draw):
    experts = draw(st.integers(1, 6))
    top_k = draw(st.integers(1, experts))
    return MixtureConfig(width=draw(st.integers(1, 5)), hidden=3, experts=experts, top_k=top_k)


@given(configs(), st.integers(1, 12))
@settings(derandomize=True, deadline=None, max_examples=50)
def test_is_the_mean_over_the_latent_expert(config, time):
    block, x = filled(MixtureOfExperts(config), seed=time, scale=2.0), drawn(2, time, config.width)
    law, out = mixture_loops(block, x)
    with torch.no_grad():
        np.testing.assert_allclose(block.expert_law(x).flatten(0, -2), law, atol=1e-13)
        found = block(x)
        assert found.shape == x.shape
        np.testing.assert_allclose(found.reshape(out.shape), out, atol=1e-12)


@given(configs(), st.integers(1, 30))
@settings(derandomize=True, deadline=None, max_examples=50)
def test_law_and_load_add_up(config, time):
    block, x = filled(MixtureOfExperts(config), seed=time), drawn(time, config.width)
    with torch.no_grad():
        law, load = block.expert_law(x), block.load(x)
        assert ((law > 0).sum(-1) == config.top_k).all()
        torch.testing.assert_close(law.sum(-1), torch.ones(time).double())
        assert float(load.share.sum()) == pytest.approx(config.top_k)
        torch.testing.assert_close(load.share, (law > 0).double().mean(0))
        torch.testing.assert_close(load.mean_probability, block.router_law(x).mean(0))
        for entropy in (load.load_entropy_nats, load.router_entropy_nats):
            assert -1e-12 <= float(entropy) <= math.log(config.experts) + 1e-12


def test_load_by_hand():
    law = torch.tensor([[0.5, 0.3, 0.2], [0.1, 0.7, 0.2], [0.6, 0.1, 0.3], [0.8, 0.2, 0.0]])
    load = router_load(law.double(), top_k=2)
    assert load.share.tolist() == [0.75, 0.75, 0.5]  # {0,1}, {1,2}, {0,2}, {0,1}
    np.testing.assert_allclose(load.mean_probability, [0.5, 0.325, 0.175], atol=1e-7)
    expected = 3 * (0.75 * 0.5 + 0.75 * 0.325 + 0.5 * 0.175)
    assert float(load.balance_loss) == pytest.approx(expected, abs=1e-6)
    parts = np.array([0.375, 0.375, 0.25])
    assert float(load.load_entropy_nats) == pytest.approx(-(parts * np.log(parts)).sum())
    rows = np.maximum(law.double().numpy(), 1e-300)
    mean = -(rows * np.log(rows)).sum(1).mean()
    assert float(load.router_entropy_nats) == pytest.approx(mean)


def test_balance_is_least_when_balanced():
    even = router_load(torch.eye(4) * 0.6 + 0.1, top_k=1)
    assert even.balance_loss.item() == pytest.approx(1.0)
    assert even.load_entropy_nats.item() == pytest.approx(math.log(4))
    collapsed = router_load(torch.tensor([[0.7, 0.1, 0.1, 0.1]] * 4), top_k=1)
    assert collapsed.balance_loss.item() == pytest.approx(4 * 0.7)
    assert collapsed.load_entropy_nats.item() == 0.0


def test_the_balance_loss_moves_the_router_towards_balance():
    block = filled(MixtureOfExperts(MixtureConfig(width=6, hidden=4, experts=4, top_k=1)))
    x = drawn(200, 6) + 1.0  # a mean that favours some experts
    before = block.load(x)
    for _ in range(300):
        (gradient,) = torch.autograd.grad(block.load(x).balance_loss, [block.gate.weight])
        with torch.no_grad():
            block.gate.weight -= 0.1 * gradient
    assert before.balance_loss > 1.2
    assert block.load(x).balance_loss < before.balance_loss - 0.1
    assert block.load(x).load_entropy_nats > before.load_entropy_nats


def test_gradients_are_those_of_finite_differences():
    block = filled(MixtureOfExperts(MixtureConfig(width=3, hidden=4, experts=4, top_k=2)), seed=2)
    named = dict(block.named_parameters())

    def run(x, *values):
        return torch.func.functional_call(block, dict(zip(named, values, strict=True)), (x,))

    # No row stands near a tie of the choice, where the mixture jumps.
    x = drawn(5, 3, seed=1)
    top = block.router_law(x).sort(descending=True).values
    assert (top[:, 1] - top[:, 2]).min() > 1e-3
    assert torch.autograd.gradcheck(run, (x.requires_grad_(), *named.values()))


def test_agrees_with_transformers_mixtral_forward_and_backward():
    config = transformers.MixtralConfig(
        hidden_size=16, intermediate_size=24, num_local_experts=5, num_experts_per_tok=2
    )
    theirs = filled(modeling_mixtral.MixtralSparseMoeBlock(config), dtype=torch.float32, scale=2.0)
    mixture = MixtureConfig(width=16, hidden=24, experts=5, top_k=2)
    ours = MixtureOfExperts(mixture)
    with torch.no_grad():
        ours.gate.weight.copy_(theirs.gate.weight)
        for e, expert in enumerate(ours.experts):
            gate, up = theirs.experts.gate_up_proj[e].chunk(2)
            expert.gate_proj.weight.copy_(gate)
            expert.up_proj.weight.copy_(up)
            expert.down_proj.weight.copy_(theirs.experts.down_proj[e])
    x = drawn(2, 30, 16, dtype=torch.float32).requires_grad_()
    pull = drawn(2, 30, 16, seed=5, dtype=torch.float32)
    found, expected = ours(x), theirs(x)
    # 1e-4: float32 sums in another order.
    assert error(found, expected) <= 1e-4
    mine = gradients((found * pull).sum(), ours, x)
    other = gradients((expected * pull).sum(), theirs, x)
    assert error(mine[0], other[0]) <= 1e-4
    assert error(mine["gate.weight"], other["gate.weight"]) <= 1e-4
    for e in range(5):
        parts = [mine[f"experts.{e}.{name}.weight"] for name in ("gate_proj", "up_proj")]
        assert error(torch.cat(parts), other["experts.gate_up_proj"][e]) <= 1e-4
        down = mine[f"experts.{e}.down_proj.weight"]
        assert error(down, other["experts.down_proj"][e]) <= 1e-4
    logits = torch.nn.functional.linear(x.flatten(0, 1), theirs.gate.weight)
    loss = modeling_mixtral.load_balancing_loss_func((logits,), 5, 2)
    assert ours.load(x).balance_loss.item() == pytest.approx(loss.item(), rel=1e-5)


def test_one_expert_is_the_feed_forward_of_published_models():
    config = transformers.LlamaConfig(hidden_size=16, intermediate_size=24, num_attention_heads=2)
    theirs = filled(LlamaMLP(config), scale=2.0)
    feed_forward = FeedForward(16, 24).double()
    feed_forward.load_state_dict(theirs.state_dict())
    one = MixtureOfExperts(MixtureConfig(width=16, hidden=24, experts=1, top_k=1)).double()
    one.experts[0].load_state_dict(theirs.state_dict())
    x = drawn(2, 5, 16)
    assert error(feed_forward(x), theirs(x)) <= 1e-14
    assert error(one(x), theirs(x)) <= 1e-14


def test_bad_settings_are_refused_in_words():
    with pytest.raises(SettingsError, match="top_k = 5 of experts = 4; 1 ≤ top_k ≤ experts"):
        MixtureConfig(width=4, hidden=4, experts=4, top_k=5)
    with pytest.raises(SettingsError, match=r"hidden=0.*every size must be at least 1"):
        MixtureConfig(width=4, hidden=0, experts=4)
    with pytest.raises(SettingsError, match="width = 0, hidden = 3; both must be"):
        FeedForward(0, 3)
    block = MixtureOfExperts(MixtureConfig(width=4, hidden=4, experts=4))
    with pytest.raises(ShapeError, match=r"x has shape \(2, 3\); \(\.\.\., 4\) was needed"):
        block(torch.zeros(2, 3))
    with pytest.raises(ShapeError, match=r"law has shape \(0, 3\)"):
        router_load(torch.zeros(0, 3), 1)
    with pytest.raises(SettingsError, match="top_k = 4 of experts = 3"):
        router_load(torch.ones(2, 3) / 3, 4)
