"""Names of runs that come from outside: none leads out of the runs folder."""

import datetime
import re
import secrets
from pathlib import Path

from flowgauge.errors import SettingsError

_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}")


def check_name(name: str) -> str:
    """The name, if it can be that of a run's folder.

    Raises:
        SettingsError: It holds other characters, begins with a dot, is empty or too long.

    Example:
        >>> check_name("demo-2")
        'demo-2'
        >>> check_name("../demo")
        Traceback (most recent call last):
        ...
        flowgauge.errors.SettingsError: the name '../demo' was given; 1 to 100 letters, digits or
        ._- were needed, the first no dot
    """
    if not _NAME.fullmatch(name):
        raise SettingsError(
            f"the name {name[:60]!r} was given; 1 to 100 letters, digits or ._- were needed, the "
            "first no dot"
        )
    return name


def new_name(kind: str = "served") -> str:
    """A name that no other run has: kind, UTC time, four random digits.

    Example:
        >>> new_name().count("-")
        3
    """
    now = datetime.datetime.now(datetime.UTC)
    return f"{kind}-{now:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def inside(folder: Path, name: str) -> Path:
    """The folder of a run by its name, also where a link would lead elsewhere.

    Raises:
        SettingsError: The name is none, or the way to it leaves the folder.
    """
    path = folder / check_name(name)
    if path.resolve().parent != folder.resolve():
        raise SettingsError(
            f"the name {name!r} leads out of the folder of runs; a folder in it was needed"
        )
    return path
