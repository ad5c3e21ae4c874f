import copy

import pytest
import torch
from oracles.architectures import (
    assert_forms_agree,
    assert_gradients_agree,
    drawn,
    error,
    filled,
)
from torch import nn

from flowgauge.architectures import (
    Attention,
    AttentionConfig,
    FeedForward,
    LinearAttention,
    LinearAttentionConfig,
    LowRankLinear,
    Mamba,
    Mamba2,
    Mamba2Config,
    MambaConfig,
    MixtureConfig,
    MixtureOfExperts,
    Rotary,
    merge,
    with_lora,
)
from flowgauge.errors import SettingsError

ALL = ("q_proj", "k_proj", "v_proj", "o_proj")


def attention(**settings):
    config = AttentionConfig(width=12, heads=4, **settings)
    return filled(Attention(config), seed=1, scale=1.5)


def trained(member, rank, targets, alpha=3.0):
    """As after training: B no longer 0."""
    adapted = with_lora(member, rank, alpha, targets)
    with torch.no_grad():
        for index, module in enumerate(adapted.modules()):
            if isinstance(module, LowRankLinear):
                module.up.copy_(drawn(*module.up.shape, seed=index, dtype=module.up.dtype))
    return adapted


def test_starts_as_the_member_itself():
    member, u = attention(rotary=None), drawn(2, 6, 12)
    adapted = with_lora(member, 2, 4.0, ALL)
    assert type(adapted) is Attention
    # the change is exactly 0, and adding 0 is exact
    assert torch.equal(adapted(u), member(u))
    assert not any(isinstance(module, LowRankLinear) for module in member.modules())
    assert all(parameter.requires_grad for parameter in member.parameters())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    ("member", "targets"),
    [
        (attention(kv_heads=2, head_width=4, window=4, rotary=Rotary()), ALL),
        (LinearAttention(LinearAttentionConfig(width=12, heads=3)), ALL),
        (Mamba(MambaConfig(width=12, state=4)), ("in_proj", "x_proj", "out_proj")),
        (Mamba2(Mamba2Config(width=12, heads=4, state=4)), ("in_proj", "out_proj")),
        (FeedForward(12, 20), ("gate_proj", "down_proj")),
        (MixtureOfExperts(MixtureConfig(width=12, hidden=8, experts=3, top_k=3)), ("up_proj",)),
        (nn.Sequential(nn.Linear(12, 8), nn.Tanh(), nn.Linear(8, 12)), ("0", "2")),
    ],
)
def test_merged_is_unmerged(member, targets, dtype):
    member, u = filled(copy.deepcopy(member), dtype=dtype), drawn(2, 10, 12, dtype=dtype)
    adapted = trained(member, 2, targets)
    merged = merge(adapted)
    assert error(merged(u), adapted(u)) <= 1e-6
    assert error(adapted(u), member(u)) > 0.01  # there was something to merge
    assert merged.state_dict().keys() == member.state_dict().keys()
    assert all(parameter.requires_grad for parameter in merged.parameters())


@pytest.mark.parametrize("window", [None, 3])
def test_the_three_forms_still_agree(window):
    member, u = attention(head_width=4, rotary=Rotary(), window=window), drawn(2, 9, 12)
    adapted = trained(member, 2, ALL)
    with torch.no_grad():
        assert_forms_agree(adapted, u, 1e-10)
    linear = filled(LinearAttention(LinearAttentionConfig(width=12, heads=3, chunk=4)))
    with torch.no_grad():
        assert_forms_agree(trained(linear, 2, ALL), u, 1e-10)
    adapted.requires_grad_(True)
    assert_gradients_agree(adapted, u, 1e-11)


@pytest.mark.parametrize("settings", [{}, {"kv_heads": 2, "rotary": Rotary(), "head_width": 4}])
@pytest.mark.parametrize("rank", [1, 2])
def test_rank_of_the_change_of_the_coefficients(settings, rank):
    member, u = attention(**settings), drawn(1, 6, 12)
    causal = torch.ones(6, 6).tril().bool()

    def ranks(*targets):
        change = trained(member, rank, targets).coefficients(u) - member.coefficients(u)
        # 1e-9 of the largest singular value: far above rounding, far below what was drawn.
        return torch.linalg.matrix_rank(change[0, causal], rtol=1e-9)

    assert (ranks("v_proj") == rank).all()
    assert (ranks("o_proj") == rank).all()
    assert (ranks("v_proj", "o_proj") == 2 * rank).all()
    # Changed weights π leave the bound: a whole head moves.
    assert ranks("q_proj").max() > 2 * rank
    assert ranks("k_proj").max() > 2 * rank


@pytest.mark.parametrize("rotary", [None, Rotary()])
def test_rank_of_the_change_of_the_bilinear_form(rotary):
    config = AttentionConfig(width=12, heads=2, rotary=rotary)
    member = filled(Attention(config), seed=1)
    for targets, bound in ((("q_proj",), 1), (("k_proj",), 1), (("q_proj", "k_proj"), 2)):
        adapted = trained(member, 1, targets)
        for head, distance in ((0, 0), (1, 7)):
            change = adapted.bilinear(head, distance) - member.bilinear(head, distance)
            assert torch.linalg.matrix_rank(change, rtol=1e-9) == bound


def test_training_moves_the_change_alone():
    member, u = attention(), drawn(2, 8, 12)
    adapted = with_lora(member, 2, 4.0, ["q_proj", "v_proj"])
    goal = drawn(2, 8, 12, seed=7)
    free = [p for p in adapted.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(free, lr=0.02)
    losses = []
    for _ in range(40):
        loss = (adapted(u) - goal).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]
    assert len(free) == 4
    for name in ("q_proj", "v_proj"):
        low_rank, base = getattr(adapted, name), getattr(member, name)
        assert torch.equal(low_rank.base.weight, base.weight)
        assert low_rank.base.weight.grad is None
        # B was 0; both thin matrices have moved
        assert low_rank.up.abs().min() > 0
    assert torch.equal(adapted.k_proj.weight, member.k_proj.weight)
    assert adapted.k_proj.weight.grad is None


def test_the_change_is_scaled_by_alpha_over_rank():
    once, twice = (trained(attention(), 2, ["v_proj"], alpha=alpha) for alpha in (2.0, 4.0))
    change = once.v_proj.up @ once.v_proj.down
    torch.testing.assert_close(once.v_proj.change(), change)
    torch.testing.assert_close(twice.v_proj.change(), 2 * change)


def test_draws_depend_on_the_seed_alone():
    downs = []
    for seed in (0, 0, 1):
        torch.rand(1)  # the global state is not read
        downs.append(with_lora(attention(), 1, 1.0, ["v_proj"], seed=seed).v_proj.down)
    assert torch.equal(downs[0], downs[1])
    assert not torch.equal(downs[0], downs[2])


def test_a_map_of_its_own_freezes_what_it_takes_over():
    base = nn.Linear(4, 3)
    low_rank = LowRankLinear(base, 2, 1.0, torch.Generator().manual_seed(0))
    found = {name: parameter.requires_grad for name, parameter in low_rank.named_parameters()}
    assert found == {"down": True, "up": True, "base.weight": False, "base.bias": False}


def test_whole_names_choose_one_map_and_biases_are_kept():
    block = MixtureOfExperts(MixtureConfig(width=4, hidden=4, experts=3))
    adapted = with_lora(block, 1, 1.0, ["experts.1.up_proj"])
    found = [name for name, m in adapted.named_modules() if isinstance(m, LowRankLinear)]
    assert found == ["experts.1.up_proj"]
    net = filled(nn.Sequential(nn.Linear(4, 3)), seed=3)
    low_rank = trained(net, 1, ["0"])[0]
    assert torch.equal(low_rank.bias, net[0].bias)
    assert torch.equal(low_rank.merged().bias, net[0].bias)


def test_bad_settings_are_refused_in_words():
    with pytest.raises(
        SettingsError, match="target 'query' names no linear map; there are: q_proj, k_proj, v_pr"
    ):
        with_lora(attention(), 1, 1.0, ["query"])
    with pytest.raises(SettingsError, match="rank = 13 for a map of 12 × 12; 1 ≤ rank ≤ 12"):
        with_lora(attention(), 13, 1.0, ["q_proj"])
    with pytest.raises(SettingsError, match="rank = 0 for a map of 12 × 12"):
        with_lora(attention(), 0, 1.0, ["q_proj"])
    with pytest.raises(SettingsError, match="no low-rank change to merge; make one with with_lora"):
        merge(attention())
