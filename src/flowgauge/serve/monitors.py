"""The monitors that the server offers, by name, with settings to begin with."""

from collections.abc import Callable, Mapping
from typing import Any

from flowgauge.errors import SettingsError
from flowgauge.live.change import Change
from flowgauge.live.event import note, stop
from flowgauge.live.grounded import Grounded
from flowgauge.live.loop import Loop
from flowgauge.live.monitor import Monitor
from flowgauge.live.not_from_source import NotFromSource
from flowgauge.live.sufficient import Sufficient
from flowgauge.serve.asks import MonitorAsk

#: Settings to begin with; what else a class takes is not offered.
_OFFERED: tuple[tuple[Callable[..., Monitor], Mapping[str, float]], ...] = (
    (Grounded, {"alpha": 0.01}),
    (NotFromSource, {"alpha": 0.01}),
    (Change, {"average_run_length": 1000}),
    (Loop, {"threshold_nats": 0.01, "window": 16}),
    (Sufficient, {"nats": 20.0, "epsilon": 0.01, "window": 16}),
)
_ACTIONS = {"note": note, "stop": stop}


def offered() -> list[dict[str, Any]]:
    """Name, promise and settings of each monitor."""
    found = []
    for kind, settings in _OFFERED:
        monitor = kind(**settings)
        found.append({"name": monitor.name, "promise": monitor.promise, "settings": settings})
    return found


def monitor(ask: MonitorAsk) -> Monitor:
    """The monitor that is asked for.

    Raises:
        SettingsError: No monitor has this name, or a setting is none of its own or out of range.

    Example:
        >>> monitor(MonitorAsk(name="oracle"))
        Traceback (most recent call last):
        ...
        flowgauge.errors.SettingsError: the monitor 'oracle' was asked; there are grounded, ...
    """
    kinds = {kind.name: (kind, settings) for kind, settings in _OFFERED}  # type: ignore[attr-defined]
    if ask.name not in kinds:
        raise SettingsError(f"the monitor {ask.name[:40]!r} was asked; there are {', '.join(kinds)}")
    kind, known = kinds[ask.name]
    for name, value in ask.settings.items():
        wanted = type(known.get(name))
        is_number = isinstance(value, int) and not isinstance(value, bool)
        if not is_number and wanted is float:
            is_number = isinstance(value, float)
        if name not in known or not is_number:
            needed = ", ".join(f"{k} (e.g. {v})" for k, v in known.items())
            raise SettingsError(
                f"the monitor {ask.name} was asked with {name[:40]} = {value!r:.40}; its settings "
                f"are numbers: {needed}"
            )
    return kind(**{**known, **ask.settings}, action=_ACTIONS[ask.action])
