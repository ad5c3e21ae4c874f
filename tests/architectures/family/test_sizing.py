"""Equal numbers of parameters, counted without a weight and chosen within 2 %."""

import pytest
from oracles.family import STACKS, config_of

from flowgauge.architectures.family import (
    FamilyConfig,
    FamilyForCausalLM,
    active_parameter_count,
    matched,
    parameter_count,
)
from flowgauge.architectures.family.diffusion import MaskedDiffusionConfig
from flowgauge.errors import SettingsError


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("tied", [True, False])
def test_the_count_is_that_of_the_model(stack, tied):
    config = config_of(stack, tie_word_embeddings=tied)
    model = FamilyForCausalLM(config)
    assert parameter_count(config) == sum(p.numel() for p in model.parameters())


def test_the_count_of_one_attention_layer_by_hand():
    config = FamilyConfig(vocab_size=10, width=4, mixers=["attention"], heads=2, kv_heads=1,
                          feed_forward=3, tie_word_embeddings=False)  # fmt: skip
    attention = 4 * 4 + 2 * 4 * 2 + 4 * 4
    assert parameter_count(config) == 2 * 10 * 4 + attention + 3 * 4 * 3 + 3 * 4


def test_active_parameters_leave_the_idle_experts_out():
    config = config_of("experts")
    one = config_of("experts", experts=1)
    routers = 2 * 3 * 32
    chosen = 2 * (2 - 1) * 3 * 32 * 48  # two layers, one expert more than the dense model
    assert active_parameter_count(config) == parameter_count(one) + routers + chosen
    assert active_parameter_count(one) == parameter_count(one)


@pytest.mark.parametrize("parameters", [150_000, 400_000, 1_000_000])
def test_every_member_comes_within_two_percent_and_not_above(parameters):
    for stack in STACKS:
        # 150,000 without a feed-forward: a step of 4 in the width is 4 %, so they are given one.
        more = {"feed_forward": 16} if parameters < 400_000 else {}
        config = config_of(stack, width=64, **more)
        found = matched(config, parameters)
        count = parameter_count(found)
        assert 0.98 * parameters <= count <= parameters, stack
        size = "feed_forward" if config.feed_forward else "width"
        changed = {k for k, v in found.to_dict().items() if config.to_dict()[k] != v}
        assert changed <= {size}, stack
        # Nothing between it and what was asked for.
        step = 1 if size == "feed_forward" or stack == "mamba" else 4
        more = FamilyConfig.from_dict({**found.to_dict(), size: getattr(found, size) + step})
        assert parameter_count(more) > parameters, stack


def test_the_class_of_the_config_stays():
    config = MaskedDiffusionConfig(width=32)
    found = matched(config, 60_000)
    assert type(found) is MaskedDiffusionConfig
    assert found.mask_token_id == 511


def test_out_of_reach_is_said_in_words():
    with pytest.raises(SettingsError, match="no feed_forward gives 1000 parameters within 2%"):
        matched(config_of("attention"), 1000)
    with pytest.raises(
        SettingsError, match=r"nearest below is none, above 22880 .feed_forward = 1.;"
    ):
        matched(config_of("attention"), 1000)
    config = config_of("mamba2", width=64, head_width=64, expand=1)  # widths in steps of 64
    words = r"no width .* below is \d+ \(width = 64\), above \d+ \(width = 128\); .* feed_forward"
    with pytest.raises(SettingsError, match=words):
        matched(config, 100_000)
