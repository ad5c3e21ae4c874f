"""flowgauge: where each token of a language model's text comes from, in nats.

Names load when they are first used, so `import flowgauge` stays fast.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flowgauge.records import Author as Author
    from flowgauge.records import Label as Label
    from flowgauge.records import Record as Record
    from flowgauge.records import Sampling as Sampling
    from flowgauge.records import Turn as Turn

__version__ = "0.1.0"

_HOME = {
    "Author": "flowgauge.records",
    "Label": "flowgauge.records",
    "Record": "flowgauge.records",
    "Sampling": "flowgauge.records",
    "Turn": "flowgauge.records",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'flowgauge' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
