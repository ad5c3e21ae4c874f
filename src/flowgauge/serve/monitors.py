"""The monitors that the server offers: those of `flowgauge.live.offered`, asked for in JSON."""

from typing import Any

from flowgauge.live.event import note, stop
from flowgauge.live.monitor import Monitor
from flowgauge.live.offered import OFFERED, monitor_named
from flowgauge.serve.asks import MonitorAsk

_ACTIONS = {"note": note, "stop": stop}


def offered() -> list[dict[str, Any]]:
    """Name, promise and settings to begin with of each monitor."""
    return [
        {"name": name, "promise": monitor_named(name).promise, "settings": settings}
        for name, (_, settings) in OFFERED.items()
    ]


def monitor(ask: MonitorAsk) -> Monitor:
    """The monitor that is asked for.

    Raises:
        SettingsError: No monitor has this name, or a setting is none of its own or out of range.

    Example:
        >>> asked = MonitorAsk(name="grounded", alpha=0.05, action="stop")
        >>> monitor(asked).promise.endswith("with chance 0.05 at most.")
        True
    """
    return monitor_named(ask.name, ask.settings, action=_ACTIONS[ask.action])
