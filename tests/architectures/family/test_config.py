"""Settings: what travels through JSON, what transformers reads of them, what is refused."""

import pytest
import torch
import transformers
from oracles.family import STACKS, config_of

from flowgauge.architectures.family import Block, FamilyConfig, mixer_of
from flowgauge.errors import SettingsError


@pytest.mark.parametrize("stack", STACKS)
def test_everything_comes_back_from_a_file(stack, tmp_path):
    config = config_of(
        stack, rotary_base=500.0, balance_weight=0.3, norm_eps=1e-6, tie_word_embeddings=False
    )
    config.save_pretrained(tmp_path)
    again = FamilyConfig.from_pretrained(tmp_path)
    assert again.to_dict() == config.to_dict()
    assert (again.mixers, again.rotary_base) == (STACKS[stack]["mixers"], 500.0)
    assert type(again) is FamilyConfig


def test_names_of_transformers_are_understood():
    config = FamilyConfig(hidden_size=32, mixers=["mamba", "attention", "mamba2"], kv_heads=2)
    assert (config.width, config.hidden_size, config.num_hidden_layers) == (32, 32, 3)
    assert (config.num_attention_heads, config.num_key_value_heads) == (4, 2)
    assert config.get_text_config() is config
    assert FamilyConfig(rotary_base=None).rotary_base is None


def test_no_setting_is_taken_for_one_of_generate():
    known = set(transformers.GenerationConfig().to_dict())
    meant = {"bos_token_id", "eos_token_id", "pad_token_id", "use_cache"}
    assert set(FamilyConfig.__annotations__) & known == meant
    with pytest.raises(SettingsError, match="top_k is a setting of generate; experts_per_token"):
        FamilyConfig(top_k=1)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"mixers": ["attention", "rnn"]}, "mixers holds 'rnn'; known are attention, linear_att"),
        ({"mixers": []}, "mixers is empty; known are attention, linear_attention, mamba, mamba2"),
        ({"width": 0}, "width is 0, at least 1 was needed"),
        ({"window": 0}, "window is 0, at least 1 was needed"),
        ({"kv_heads": 0}, "kv_heads is 0"),
        ({"feed_forward": -1}, "feed_forward is -1 with 1 experts"),
        ({"feed_forward": 0, "experts": 2}, "feed_forward is 0 with 2 experts; 0 .no block. or"),
        ({"experts": 2, "experts_per_token": 3}, "experts_per_token = 3 of experts = 2; 1 ≤"),
        ({"width": 30}, "width = 30 is no multiple of heads = 4; choose another"),
        ({"kv_heads": 3}, "heads = 4 is no multiple of kv_heads = 3"),
        ({"width": 36}, r"width / heads = 9 is odd"),
        ({"mixers": ["mamba2"], "head_width": 24}, "width is 128, head_width 24; a head_width"),
    ],
)
def test_sizes_that_do_not_fit_are_refused_in_words(settings, words):
    with pytest.raises(SettingsError, match=words):
        FamilyConfig(**settings)


def test_sizes_that_no_mixer_uses_are_not_looked_at():
    assert FamilyConfig(width=30, mixers=["mamba"]).width == 30
    assert FamilyConfig(width=36, rotary_base=None).width == 36
    assert FamilyConfig(mixers=["attention"], head_width=24).head_width == 24


def test_mixers_get_the_sizes_of_the_config():
    config = config_of("window", kv_heads=2, rotary_base=300.0, expand=3, head_width=8)
    attention = mixer_of(config, "attention").config
    assert (attention.width, attention.heads, attention.kv_heads) == (32, 4, 2)
    assert (attention.window, attention.rotary.base) == (4, 300.0)
    assert mixer_of(config, "linear_attention").config.heads == 4
    mamba, mamba2 = (mixer_of(config, name) for name in ("mamba", "mamba2"))
    assert (mamba.inner, mamba.config.state) == (96, 6)
    assert (mamba2.inner, mamba2.config.heads, mamba2.config.state) == (96, 12, 6)
    assert mixer_of(config_of("mamba", rotary_base=None), "attention").config.rotary is None


def test_a_block_adds_the_mixer_and_the_feed_forward_to_what_comes_in():
    config = config_of("mamba", feed_forward=16)
    block = Block(config, mixer_of(config, "mamba")).double()
    x = torch.randn(2, 5, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(0))

    def normed(x):
        return x / (x.pow(2).mean(-1, keepdim=True) + config.norm_eps).sqrt()

    after = x + block.mixer(normed(x))
    # 1e-12: float64, the same sums.
    torch.testing.assert_close(
        block(x), after + block.feed_forward(normed(after)), rtol=0, atol=1e-12
    )
    bare = Block(config_of("mamba"), block.mixer)
    assert bare.feed_forward is None
    torch.testing.assert_close(bare.double()(x), after, rtol=0, atol=1e-12)
