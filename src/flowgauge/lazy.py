"""Names of a package that load their module when they are first used, so imports stay fast."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazy_names(package: str, home: Mapping[str, str]) -> Callable[[str], Any]:
    """What a package with lazy names has as its `__getattr__`.

    Args:
        package: Its `__name__`.
        home: For each name the submodule that holds it.

    Raises:
        AttributeError: The name is none of them, once the result is asked for it.

    Example:
        >>> lazy_names("flowgauge", {"Record": "records"})("Record").__name__
        'Record'
    """

    def value(name: str) -> Any:
        if name not in home:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(f"{package}.{home[name]}"), name)

    return value
