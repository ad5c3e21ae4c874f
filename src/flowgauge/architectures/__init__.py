"""The family of autoregressive models x_i = Ψ(Σ_j A_ij u_j), a member a file (paper V)."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flowgauge.architectures.tvvar import TVVAR as TVVAR
    from flowgauge.architectures.tvvar import apply_coefficients as apply_coefficients
    from flowgauge.architectures.tvvar import unroll as unroll

_HOME = {
    "TVVAR": "tvvar",
    "apply_coefficients": "tvvar",
    "unroll": "tvvar",
}

__all__ = ["TVVAR", "apply_coefficients", "unroll"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'flowgauge.architectures' has no attribute {name!r}")
    return getattr(import_module(f"flowgauge.architectures.{_HOME[name]}"), name)
