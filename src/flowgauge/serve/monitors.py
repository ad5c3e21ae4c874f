"""The monitors that the server offers: those of `flowgauge.live.offered`, asked for in JSON."""

from typing import Any

from flowgauge.live.event import note, stop
from flowgauge.live.monitor import Monitor
from flowgauge.live.offered import OFFERED, monitor_named
from flowgauge.serve.asks import MonitorAsk

_ACTIONS = {"note": note, "stop": stop}


def offered(model: str) -> list[dict[str, Any]]:
    """Name, promise and settings to begin with of each monitor, for a model of this name."""
    found = []
    for name, (_, settings) in OFFERED.items():
        ready = monitor_named(name, model=model)
        here = {key: getattr(ready, key) for key in settings}
        found.append({"name": name, "promise": ready.promise, "settings": here})
    return found


def monitor(ask: MonitorAsk, model: str) -> Monitor:
    """The monitor that is asked for, of a model of this name.

    Raises:
        SettingsError: No monitor has this name, or a setting is none of its own or out of range.

    Example:
        >>> asked = MonitorAsk(name="grounded", alpha=0.05, action="stop")
        >>> monitor(asked, "smollm2-135m").promise.endswith("with chance 0.05 at most.")
        True
    """
    given = dict(ask.settings)
    begin = monitor_named(ask.name, model=model)
    # A page sends every setting; those that nobody changed keep what was measured for them.
    if all(getattr(begin, key, None) == value for key, value in given.items()):
        given = {}
    return monitor_named(ask.name, given, action=_ACTIONS[ask.action], model=model)
