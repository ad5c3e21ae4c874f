"""Equal parameter counts, so that members are compared fairly.

Where there is a feed-forward block its length is chosen: each more adds the same number of
parameters. Where there is none, as in Mamba, the width is.
"""

import math

import torch

from flowgauge.architectures.family.causal import FamilyForCausalLM
from flowgauge.architectures.family.config import FamilyConfig
from flowgauge.errors import SettingsError

#: Share of the parameters asked for by which `matched` may stay below.
TOLERANCE = 0.02


def parameter_count(config: FamilyConfig) -> int:
    """Trainable parameters of the model, tied ones once; no weight is made.

    All experts of a mixture count; see `active_parameter_count`.

    Example:
        >>> parameter_count(FamilyConfig(vocab_size=10, width=8, heads=2, mixers=["attention"]))
        3432
    """
    with torch.device("meta"):
        model = FamilyForCausalLM(config)
    return sum(p.numel() for p in model.parameters())


def active_parameter_count(config: FamilyConfig) -> int:
    """Parameters that one position meets: of a mixture the chosen experts alone.

    Example:
        >>> config = FamilyConfig(mixers=["attention"], experts=4, experts_per_token=1)
        >>> parameter_count(config) - active_parameter_count(config) == 3 * 3 * 64 * 128
        True
    """
    idle = config.experts - min(config.experts_per_token, config.experts)
    expert = 3 * config.width * config.feed_forward
    return parameter_count(config) - idle * expert * config.num_hidden_layers


def matched(config: FamilyConfig, parameters: int) -> FamilyConfig:
    """The same model with as many of so many parameters as it can have, and no more.

    Equal parameters are not equal work: of a mixture all experts count, and mixers cost different
    times.

    Args:
        config: All sizes but one: the length of the feed-forward block, or the width where there is
            no such block.
        parameters: Trainable parameters, all experts counted.

    Returns:
        A new config of the same class.

    Raises:
        SettingsError: No size comes within 2 %; says the nearest on both sides.

    Example:
        >>> sizes = [matched(FamilyConfig(mixers=[m] * 2), 200_000) for m in ("attention", "mamba")]
        >>> [parameter_count(size) for size in sizes]
        [199872, 199744]
    """
    size = "feed_forward" if config.feed_forward else "width"
    step = 1 if config.feed_forward else _width_step(config)
    low, high = 0, 1  # in steps: the largest that fits lies in [low, high)
    while _count(config, size, high * step) <= parameters:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        fits = _count(config, size, middle * step) <= parameters
        low, high = (middle, high) if fits else (low, middle)
    above = _count(config, size, high * step)
    below = _count(config, size, low * step) if low else None
    if below is None or below < (1 - TOLERANCE) * parameters:
        least = "none" if below is None else f"{below} ({size} = {low * step})"
        raise SettingsError(
            f"no {size} gives {parameters} parameters within {TOLERANCE:.0%}: the nearest below is "
            f"{least}, above {above} ({size} = {high * step}); ask for one of these, or change "
            + ("the width or the layers" if size == "feed_forward" else
               "the layers, or give it a feed_forward, which is chosen in smaller steps")
        )  # fmt: skip
    return _resized(config, size, low * step)


def _count(config: FamilyConfig, size: str, value: int) -> int:
    return parameter_count(_resized(config, size, value))


def _resized(config: FamilyConfig, size: str, value: int) -> FamilyConfig:
    return type(config).from_dict({**config.to_dict(), size: value})


def _width_step(config: FamilyConfig) -> int:
    """The width must be a multiple of this."""
    step = 1
    if {"attention", "linear_attention"} & set(config.mixers):
        step = config.heads
    if "attention" in config.mixers and config.rotary_base is not None:
        step = 2 * config.heads
    if "mamba2" in config.mixers:
        step = math.lcm(step, config.head_width // math.gcd(config.head_width, config.expand))
    return step
