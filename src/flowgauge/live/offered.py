"""Monitors by name, with the settings to begin with: what the command line and the page offer."""

import math
from collections.abc import Callable, Mapping

from flowgauge.errors import SettingsError
from flowgauge.live.calibrated import calibrated_loop
from flowgauge.live.change import Change
from flowgauge.live.event import Action, note
from flowgauge.live.grounded import Grounded
from flowgauge.live.loop import Loop
from flowgauge.live.monitor import Monitor
from flowgauge.live.not_from_source import NotFromSource
from flowgauge.live.repetition import Repetition
from flowgauge.live.sufficient import Sufficient

#: What each takes to begin with; what else a class takes is not offered by name.
OFFERED: Mapping[str, tuple[Callable[..., Monitor], Mapping[str, float]]] = {
    Grounded.name: (Grounded, {"alpha": 0.01}),
    NotFromSource.name: (NotFromSource, {"alpha": 0.01}),
    Change.name: (Change, {"average_run_length": 1000.0}),
    Loop.name: (Loop, {"threshold_nats": 0.01, "window": 16}),
    Repetition.name: (Repetition, {"length": 4, "copies": 3}),
    Sufficient.name: (Sufficient, {"nats": 20.0, "epsilon": 0.01, "window": 16}),
}


def monitor_named(
    name: str,
    settings: Mapping[str, float] | None = None,
    *,
    action: Action = note,
    model: str = "",
) -> Monitor:
    """A monitor by its name.

    Args:
        name: One of `OFFERED`.
        settings: Numbers in place of those to begin with.
        action: What is done with its events.
        model: Name of the model; presets bring a measured threshold for `loop`, which counts
            where no setting of it is given.

    Raises:
        SettingsError: No monitor has this name, or a setting is none of its own or out of range.

    Example:
        >>> monitor_named("grounded", {"alpha": 0.05}).promise[-25:]
        'with chance 0.05 at most.'
    """
    name = name.replace("-", "_")
    if name not in OFFERED:
        raise SettingsError(f"the monitor {name[:40]!r} was asked; there are {', '.join(OFFERED)}")
    kind, known = OFFERED[name]
    measured = calibrated_loop(model, action=action) if kind is Loop and not settings else None
    if measured is not None:
        return measured
    wanted = dict(known)
    for key, value in (settings or {}).items():
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        is_number = is_number and math.isfinite(value)
        if is_number and isinstance(known.get(key), int):
            is_number = value == int(value)
        if key not in known or not is_number:
            needed = ", ".join(f"{k} (e.g. {v})" for k, v in known.items())
            raise SettingsError(
                f"the monitor {name} was asked with {key[:40]} = {value!r:.40}; its settings are "
                f"numbers: {needed}"
            )
        wanted[key] = type(known[key])(value)
    return kind(**wanted, action=action)


def parse_monitor(text: str, *, action: Action = note, model: str = "") -> Monitor:
    """A monitor from `name` or `name:setting=number,setting=number`.

    Raises:
        SettingsError: It is not of that form, or as `monitor_named` says.

    Example:
        >>> parse_monitor("sufficient:nats=12,window=8").name
        'sufficient'
    """
    name, _, rest = text.partition(":")
    settings: dict[str, float] = {}
    for pair in filter(None, rest.split(",")):
        key, _, number = pair.partition("=")
        try:
            settings[key.strip()] = float(number)
        except ValueError:
            raise SettingsError(
                f"the monitor {text!r} has the setting {pair!r}; name:setting=number was needed, "
                "such as grounded:alpha=0.05"
            ) from None
    return monitor_named(name.strip(), settings, action=action, model=model)
