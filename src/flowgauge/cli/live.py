"""A text in the terminal while it is written: tokens shaded by density, the flow as a sparkline."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from flowgauge.live import Event, Generation, Step
from flowgauge.text.printable import printable, printable_lines

BARS = "▁▂▃▄▅▆▇█"
#: Backgrounds of densities below and above 0 [256-colour names], weakest first; black ink on all.
MINUS = ("color(230)", "color(223)", "color(222)", "color(215)", "color(208)")
PLUS = ("color(195)", "color(153)", "color(117)", "color(75)", "color(69)")
#: Densities [nats] at which a stronger shade begins: those of the page.
STEPS = (0.1, 0.5, 1.0, 2.0, 4.0)
#: What is redrawn at each token; longer texts show their end.
MOST_LINES = 12


def shade(density: float) -> str:
    """Style of a token with this density [nats]; "" near 0.

    Example:
        >>> shade(0.05), shade(5.0), shade(-0.2)
        ('', 'black on color(69)', 'black on color(230)')
    """
    level = sum(abs(density) >= s for s in STEPS)
    if not level:
        return ""
    return f"black on {(PLUS if density > 0 else MINUS)[level - 1]}"


def sparkline(values: list[float], width: int) -> str:
    """Values as bars from their least to their largest; a long series by the mean of its parts.

    Example:
        >>> sparkline([0.0, 1.0, 2.0, 7.0], 4), sparkline([3.0], 4), sparkline([], 4)
        ('▁▂▃█', '▁', '')
    """
    finite = [v for v in values if math.isfinite(v)]
    if not finite or width < 1:
        return ""
    n = min(width, len(finite))
    cuts = [round(i * len(finite) / n) for i in range(n + 1)]
    means = [sum(finite[a:b]) / (b - a) for a, b in pairwise(cuts)]
    low, high = min(means), max(means)
    scale = (len(BARS) - 1) / (high - low) if high > low else 0.0
    return "".join(BARS[round((m - low) * scale)] for m in means)


class LiveView:
    """The terminal's view of one generation.

    Args:
        generation: The text at work.
        console: Where it is drawn.
    """

    def __init__(self, generation: Generation, console: Console) -> None:
        self._generation, self._console = generation, console
        self._text = Text()
        self._steps: list[Step] = []

    def add(self, step: Step) -> None:
        """Take one token in."""
        self._text.append(printable_lines(step.text), style=shade(step.density))
        self._steps.append(step)

    def __rich__(self) -> Group:
        """Text, curve, numbers and what the monitors say."""
        lines = self._text.wrap(self._console, self._console.width)
        body = Text("\n").join(lines[-MOST_LINES:])
        return Group(body, Text(""), *self._numbers(), *map(event_line, self._generation.events))

    def _numbers(self) -> Iterator[Text]:
        if not self._steps:
            return
        last = self._steps[-1]
        width = min(60, max(10, self._console.width - 16))
        yield Text.assemble(
            ("flow  ", "bold"), (sparkline([s.flow for s in self._steps], width), "blue"),
            f" {last.flow:.1f} nats",
        )  # fmt: skip
        yield Text.assemble(
            ("drift ", "bold"), (sparkline([s.drift for s in self._steps], width), "cyan"),
            f" {last.drift:.2f} nats",
        )  # fmt: skip
        yield Text(f"{len(self._steps)} tokens; expected flow {last.compensator:.1f} nats")
        for monitor in self._generation.monitors:
            state = ", ".join(f"{k} {v:.3g}" for k, v in monitor.state.items())
            yield Text(f"{monitor.name}: {state}", style="dim")

    @property
    def whole(self) -> Text:
        """The shaded text, all of it."""
        return self._text


def event_line(event: Event) -> Text:
    """What a monitor said, on a line of its own."""
    sign = "■" if event.stops else "●"
    return Text(f"{sign} {event.monitor}, token {event.position}: {printable(event.words)}", "bold")


@contextmanager
def live_view(generation: Generation, console: Console) -> Iterator[LiveView]:
    """The view, drawn anew at each token and left standing at the end."""
    view = LiveView(generation, console)
    with Live(view, console=console, refresh_per_second=12, transient=True):
        yield view
    console.print(view.whole)
    for line in view._numbers():
        console.print(line)
