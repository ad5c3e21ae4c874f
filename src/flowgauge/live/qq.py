"""Residuals of whole texts against the normal law, as numbers and as a picture."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from flowgauge.errors import InputError
from flowgauge.live.balance import CONFIDENCE, Mean, mean_over_texts, p_words
from flowgauge.records import FloatArray, IntArray

if TYPE_CHECKING:
    from flowgauge.live.submartingale import SubmartingaleReport

#: Most points in a picture; the tails are always whole.
MOST_POINTS = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Residuals:
    """Standardised residuals of whole texts, (F_N − A_N)/√Σv, against N(0,1) [no unit].

    The normal law is the limit for long texts, so this describes and does not decide.

    Attributes:
        values: One per text, in rising order.
        mean, standard_deviation: 0 and 1 under N(0,1).
        ks_statistic, ks_p_value: Kolmogorov–Smirnov test against N(0,1).
        left_out: Texts without a residual: their Σv is 0.
    """

    values: tuple[float, ...]
    mean: Mean
    standard_deviation: float
    ks_statistic: float
    ks_p_value: float
    left_out: int

    def __str__(self) -> str:
        without = f" ({self.left_out} more have Σv = 0)" if self.left_out else ""
        return (
            f"Residuals (F − A)/√Σv of {len(self.values)} texts{without} against N(0,1): mean "
            f"{self.mean}, standard deviation {self.standard_deviation:.4g}, Kolmogorov–Smirnov "
            f"{self.ks_statistic:.3g}, {p_words(self.ks_p_value)}. N(0,1) is the martingale limit "
            "for long texts, an approximation, so the verdict leaves this out."
        )

    def points(self) -> FloatArray:
        """(text, 4) normal quantile, residual, lower and upper end of the pointwise 95 % band.

        The i-th of n uniform numbers follows Beta(i, n + 1 − i); its median and its ends, sent
        through the normal quantile function, are the exact ones for n draws from N(0,1).
        """
        from scipy.special import betaincinv, ndtri

        n = len(self.values)
        i = np.arange(1, n + 1)
        tail = (1 - CONFIDENCE) / 2
        middle, low, high = (ndtri(betaincinv(i, n + 1 - i, c)) for c in (0.5, tail, 1 - tail))
        return np.column_stack([middle, self.values, low, high])


def normal_residuals(residuals: Iterable[float]) -> Residuals:
    """Residuals of texts against N(0,1) [no unit].

    Args:
        residuals: One per text, as `Flow.residual`; nan where Σv = 0, which is left out.

    Raises:
        InputError: Fewer than two are finite.

    Example:
        >>> found = normal_residuals([0.5, -0.5, float("nan")])
        >>> found.mean.value, round(found.ks_statistic, 4), found.left_out
        (0.0, 0.3085, 1)
    """
    from scipy.stats import kstest

    every = np.array(list(residuals), dtype=np.float64)
    values = np.sort(every[np.isfinite(every)])
    if len(values) < 2:
        raise InputError(
            f"{len(values)} of {len(every)} texts have a residual; two at least, with Σv above 0, "
            "are needed"
        )
    test = kstest(values, "norm")
    return Residuals(
        values=tuple(values.tolist()),
        mean=mean_over_texts(values),
        # A variance next to 0 makes residuals whose squares would overflow.
        standard_deviation=math.hypot(*(values - values.mean())) / math.sqrt(len(values) - 1),
        ks_statistic=float(test.statistic),
        ks_p_value=float(test.pvalue),
        left_out=len(every) - len(values),
    )


#: A neutral colour first, for viewers that do not know light-dark().
STYLE = """
:where(svg.qq:root) { color-scheme: light dark; }
.qq { font: 13px system-ui, "Segoe UI", "Noto Sans", "Liberation Sans", Arial, sans-serif; }
.qq .paper { fill: none; fill: light-dark(#ffffff, #161c24); }
.qq text { fill: #67727f; fill: light-dark(#17202b, #e7ecf2); }
.qq .small { font-size: 12px; fill: #67727f; fill: light-dark(#525e6d, #a2aebc); }
.qq .grid { stroke: #8888; stroke: light-dark(#dde2e8, #2b3542); }
.qq .line { stroke: #67727f; stroke: light-dark(#525e6d, #a2aebc); stroke-width: 1.5; }
.qq .band { fill: #8886; fill: light-dark(#cdd9e8, #33465f); }
.qq .dot { fill: #3f7fc8; fill: light-dark(#1f5fae, #82b5f4); }
"""
WIDTH, HEIGHT = 560.0, 460.0
LEFT, TOP, RIGHT, BOTTOM = 62.0, 66.0, 18.0, 84.0


def qq_svg(report: "SubmartingaleReport") -> str:
    """Residuals of texts against normal quantiles, with a pointwise 95 % band, as one SVG.

    The band is for each point by itself: one point of twenty may leave it where all is well, and
    neighbours leave it together.

    Args:
        report: A report with residuals.

    Returns:
        An SVG document without scripts, fonts or links; it follows the page's light or dark.

    Raises:
        InputError: The report has no residuals; says why.

    References:
        [bai:25] III-D, Theorem 2.
    """
    found = report.residuals
    if found is None:
        why = "; ".join(report.absent)
        raise InputError(f"there is nothing to draw: the report is without {why}")
    points = found.points()
    x_ticks, y_ticks = _ticks(points[:, 0]), _ticks(points[:, 1:].ravel())
    xy = _Axes(x_ticks, y_ticks)
    band = [*points[:, [0, 2]], *points[::-1, [0, 3]]]
    low, high = max(x_ticks[0], y_ticks[0]), min(x_ticks[-1], y_ticks[-1])
    shown = points[_thinned(points[:, 0])]
    some = "" if len(shown) == len(points) else f" ({len(shown)} drawn, the tails whole)"
    desc = (
        f"{found} Each dot is one text{some}; the line is N(0,1); the band holds each dot by "
        "itself with probability 95 % under N(0,1)."
    )
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" class="qq" role="img" width="{WIDTH:g}" '
            f'height="{HEIGHT:g}" viewBox="0 0 {WIDTH:g} {HEIGHT:g}">',
            "<title>Residuals of texts against normal quantiles</title>",
            f"<desc>{escape(desc)}</desc>",
            f"<style>{STYLE}</style>",
            f'<rect class="paper" width="{WIDTH:g}" height="{HEIGHT:g}"/>',
            *xy.labels(found),
            *xy.grid(),
            f'<polygon class="band" points="{" ".join(xy.at(*point) for point in band)}"/>',
            f'<polyline class="line" points="{xy.at(low, low)} {xy.at(high, high)}"/>',
            *(xy.dot(*point) for point in shown[:, :2]),
            "</svg>",
        ]
    )


class _Axes:
    """From numbers to places in the picture."""

    def __init__(self, x_ticks: Sequence[float], y_ticks: Sequence[float]) -> None:
        self.x_ticks, self.y_ticks = x_ticks, y_ticks

    def place(self, x: float, y: float) -> tuple[float, float]:
        across = (x - self.x_ticks[0]) / (self.x_ticks[-1] - self.x_ticks[0])
        up = (y - self.y_ticks[0]) / (self.y_ticks[-1] - self.y_ticks[0])
        return (
            LEFT + across * (WIDTH - LEFT - RIGHT),
            HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM),
        )

    def at(self, x: float, y: float) -> str:
        return "{:.1f},{:.1f}".format(*self.place(x, y))

    def dot(self, x: float, y: float) -> str:
        return '<circle class="dot" cx="{:.1f}" cy="{:.1f}" r="2.3"/>'.format(*self.place(x, y))

    def grid(self) -> list[str]:
        lines = []
        for tick in self.x_ticks:
            x, y = self.place(tick, self.y_ticks[0])
            lines += [
                f'<line class="grid" x1="{x:.1f}" y1="{TOP:g}" x2="{x:.1f}" y2="{y:.1f}"/>',
                f'<text class="small" x="{x:.1f}" y="{y + 18:.1f}" text-anchor="middle">'
                f"{_signed(tick)}</text>",
            ]
        for tick in self.y_ticks:
            x, y = self.place(self.x_ticks[0], tick)
            right = WIDTH - RIGHT
            lines += [
                f'<line class="grid" x1="{x:.1f}" y1="{y:.1f}" x2="{right:g}" y2="{y:.1f}"/>',
                f'<text class="small" x="{x - 8:.1f}" y="{y + 4:.1f}" text-anchor="end">'
                f"{_signed(tick)}</text>",
            ]
        return lines

    def labels(self, found: Residuals) -> list[str]:
        numbers = (
            f"{len(found.values)} texts: mean {_signed(found.mean.value)}, sd "
            f"{found.standard_deviation:.3g}, Kolmogorov–Smirnov {p_words(found.ks_p_value)}"
        )
        middle, bottom = (LEFT + WIDTH - RIGHT) / 2, HEIGHT - BOTTOM
        side = f"rotate(-90 16 {(TOP + bottom) / 2:g})"
        return [
            f'<text x="{LEFT:g}" y="26" font-weight="650">Residuals (F − A)/√Σv of texts</text>',
            f'<text class="small" x="{LEFT:g}" y="47">{escape(numbers)}</text>',
            f'<text x="{middle:g}" y="{bottom + 40:g}" text-anchor="middle">normal quantile</text>',
            f'<text x="16" y="{(TOP + bottom) / 2:g}" text-anchor="middle" transform="{side}">'
            "residual</text>",
            f'<circle class="dot" cx="{LEFT + 4:g}" cy="{HEIGHT - 16:g}" r="2.3"/>',
            f'<text class="small" x="{LEFT + 14:g}" y="{HEIGHT - 12:g}">a text</text>',
            f'<path class="line" d="M{LEFT + 76:g} {HEIGHT - 16:g}h20"/>',
            f'<text class="small" x="{LEFT + 102:g}" y="{HEIGHT - 12:g}">N(0,1)</text>',
            f'<path class="band" d="M{LEFT + 166:g} {HEIGHT - 22:g}h20v12h-20z"/>',
            f'<text class="small" x="{LEFT + 192:g}" y="{HEIGHT - 12:g}">95 % of each point, '
            "by itself</text>",
        ]


def _ticks(values: FloatArray) -> list[float]:
    """Round numbers that span the values, at most 13."""
    low, high = min(float(values.min()), -1.0), max(float(values.max()), 1.0)
    step = 1.0
    while (high - low) / step > 11:
        step *= 2.5 if f"{step:e}"[0] == "2" else 2
    first, last = int(np.floor(low / step)), int(np.ceil(high / step))
    return [step * k for k in range(first, last + 1)]


def _thinned(quantiles: FloatArray) -> IntArray:
    """Indices of at most MOST_POINTS points, evenly along the axis, so that the tails stay."""
    if len(quantiles) <= MOST_POINTS:
        return np.arange(len(quantiles))
    even = np.linspace(quantiles[0], quantiles[-1], MOST_POINTS)
    return np.unique(np.searchsorted(quantiles, even).clip(0, len(quantiles) - 1))


def _signed(value: float) -> str:
    return f"{value:.3g}".replace("-", "−")
