"""The family of autoregressive models x_i = Ψ(Σ_j A_ij u_j), a member a file (paper V)."""

from typing import TYPE_CHECKING

from flowgauge.lazy import lazy_names

if TYPE_CHECKING:
    from flowgauge.architectures.attention import Attention as Attention
    from flowgauge.architectures.attention import AttentionConfig as AttentionConfig
    from flowgauge.architectures.bidirectional import (
        BidirectionalAttention as BidirectionalAttention,
    )
    from flowgauge.architectures.lag_reading import LagReading as LagReading
    from flowgauge.architectures.lag_reading import read_lags as read_lags
    from flowgauge.architectures.linear_attention import LinearAttention as LinearAttention
    from flowgauge.architectures.linear_attention import (
        LinearAttentionConfig as LinearAttentionConfig,
    )
    from flowgauge.architectures.lora import LowRankLinear as LowRankLinear
    from flowgauge.architectures.lora import merge as merge
    from flowgauge.architectures.lora import with_lora as with_lora
    from flowgauge.architectures.mamba import Mamba as Mamba
    from flowgauge.architectures.mamba import MambaConfig as MambaConfig
    from flowgauge.architectures.mamba2 import Mamba2 as Mamba2
    from flowgauge.architectures.mamba2 import Mamba2Config as Mamba2Config
    from flowgauge.architectures.moe import FeedForward as FeedForward
    from flowgauge.architectures.moe import MixtureConfig as MixtureConfig
    from flowgauge.architectures.moe import MixtureOfExperts as MixtureOfExperts
    from flowgauge.architectures.moe import RouterLoad as RouterLoad
    from flowgauge.architectures.moe import router_load as router_load
    from flowgauge.architectures.rotary import Rotary as Rotary
    from flowgauge.architectures.tvvar import TVVAR as TVVAR
    from flowgauge.architectures.tvvar import apply_coefficients as apply_coefficients
    from flowgauge.architectures.tvvar import unroll as unroll

_HOME = {
    "TVVAR": "tvvar",
    "Attention": "attention",
    "AttentionConfig": "attention",
    "BidirectionalAttention": "bidirectional",
    "FeedForward": "moe",
    "LagReading": "lag_reading",
    "LinearAttention": "linear_attention",
    "LinearAttentionConfig": "linear_attention",
    "LowRankLinear": "lora",
    "Mamba": "mamba",
    "Mamba2": "mamba2",
    "Mamba2Config": "mamba2",
    "MambaConfig": "mamba",
    "MixtureConfig": "moe",
    "MixtureOfExperts": "moe",
    "Rotary": "rotary",
    "RouterLoad": "moe",
    "apply_coefficients": "tvvar",
    "merge": "lora",
    "read_lags": "lag_reading",
    "router_load": "moe",
    "unroll": "tvvar",
    "with_lora": "lora",
}

__all__ = [
    "TVVAR",
    "Attention",
    "AttentionConfig",
    "BidirectionalAttention",
    "FeedForward",
    "LagReading",
    "LinearAttention",
    "LinearAttentionConfig",
    "LowRankLinear",
    "Mamba",
    "Mamba2",
    "Mamba2Config",
    "MambaConfig",
    "MixtureConfig",
    "MixtureOfExperts",
    "Rotary",
    "RouterLoad",
    "apply_coefficients",
    "merge",
    "read_lags",
    "router_load",
    "unroll",
    "with_lora",
]

__getattr__ = lazy_names(__name__, _HOME)
