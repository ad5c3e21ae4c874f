"""Numbers averaged over texts, and the residuals of whole texts against the normal law, drawn.

Texts are the independent units: every error here comes from the spread of sums over whole texts,
never from that of tokens, which depend on each other.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from flowgauge.errors import InputError
from flowgauge.records import FloatArray, Flow, IntArray

if TYPE_CHECKING:
    from flowgauge.live.submartingale import SubmartingaleReport

#: A spread below this share of the sums behind it is round-off, not a spread.
ROUND_OFF = 1e-12
#: Coverage of intervals and bands.
CONFIDENCE = 0.95
#: Most points in a picture; the tails are always whole.
MOST_POINTS = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Mean:
    """A mean with the error that the spread between texts gives it.

    Attributes:
        value: Sum over texts of what was measured, over the sum of their sizes.
        standard_error: None with one text.
        lower, upper: 95 % interval by Student's t, texts − 1 degrees; None with one text.
    """

    value: float
    standard_error: float | None
    lower: float | None
    upper: float | None

    def __str__(self) -> str:
        if self.lower is None or self.upper is None:
            return f"{self.value:.4g}"
        return f"{self.value:.4g} [{self.lower:.4g}, {self.upper:.4g}]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """Two numbers with one expectation, and the test of their difference.

    Attributes:
        texts: How many texts entered.
        observed, expected: The two means.
        difference: Mean of observed − expected.
        z: difference / standard error; None where there is none.
        p_value: Two-sided, Student's t with texts − 1 degrees: an approximation for many texts.
        absent: Why z is None; "" otherwise.
    """

    texts: int
    observed: Mean
    expected: Mean
    difference: Mean
    z: float | None
    p_value: float | None
    absent: str = ""

    def __str__(self) -> str:
        if self.z is None or self.p_value is None:
            return f"difference {self.difference.value:+.4g}; no test: {self.absent}"
        error = self.difference.standard_error
        return (
            f"difference {self.difference.value:+.4g}, s.e. {error:.2g}, z = {self.z:+.2f}, "
            f"{p_words(self.p_value)}"
        )


def p_words(p_value: float) -> str:
    """A p-value as text; one that underflowed is no 0."""
    return f"p = {p_value:.2g}" if p_value > 0 else "p < 1e-300"


def mean_over_texts(totals: FloatArray, sizes: FloatArray | None = None) -> Mean:
    """Σ totals / Σ sizes, with the linearised error over texts [unit of the totals].

    Args:
        totals: (text,) what was summed over each text.
        sizes: (text,) its number of tokens; 1 each where the total itself is averaged.

    Example:
        >>> mean_over_texts(np.array([1.0, 3.0])).standard_error
        1.0
    """
    from scipy.special import stdtrit

    n, size = len(totals), np.ones(len(totals)) if sizes is None else sizes
    value = float(totals.sum() / size.sum())
    if n < 2:
        return Mean(value=value, standard_error=None, lower=None, upper=None)
    square = float(np.sum((totals - value * size) ** 2))
    error = float(np.sqrt(n / (n - 1) * square) / size.sum())
    half = float(stdtrit(n - 1, (1 + CONFIDENCE) / 2)) * error
    return Mean(value=value, standard_error=error, lower=value - half, upper=value + half)


def balance(
    observed: FloatArray,
    expected: FloatArray,
    sizes: FloatArray | None = None,
    *,
    scale: FloatArray | None = None,
) -> Balance:
    """Test that two sums over texts have one expectation [unit of the sums].

    Args:
        observed: (text,) one sum.
        expected: (text,) the other.
        sizes: (text,) as in `mean_over_texts`.
        scale: (text,) size of the numbers behind the sums, for round-off; |observed| + |expected|
            by default.

    Example:
        >>> found = balance(np.array([1.0, 2.0, 4.0]), np.array([2.0, 2.0, 2.0]))
        >>> round(found.z, 4), round(found.p_value, 4)
        (0.378, 0.7418)
    """
    from scipy.special import stdtr

    behind = np.abs(observed) + np.abs(expected) if scale is None else scale
    difference = mean_over_texts(observed - expected, sizes)
    error, absent, z, p = difference.standard_error, "", None, None
    if error is None:
        absent = "one text came, two at least are needed for a standard error"
    elif error <= ROUND_OFF * mean_over_texts(behind, sizes).value:
        absent = "the difference is the same in every text, so its error cannot be estimated"
    else:
        z = difference.value / error
        p = float(2 * stdtr(len(observed) - 1, -abs(z)))
    return Balance(
        texts=len(observed),
        observed=mean_over_texts(observed, sizes),
        expected=mean_over_texts(expected, sizes),
        difference=difference,
        z=z,
        p_value=p,
        absent=absent,
    )


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
        standard_deviation=float(values.std(ddof=1)),
        ks_statistic=float(test.statistic),
        ks_p_value=float(test.pvalue),
        left_out=len(every) - len(values),
    )


def martingale_part(
    flows: Sequence[Flow],
) -> tuple[Residuals | None, Balance | None, list[str]]:
    """Residuals, M_N² against Σv [nats²], and why one of them is absent."""
    variance = [f.variance.sum() for f in flows if f.variance is not None]
    if len(variance) < len(flows):
        return None, None, ["residuals and variance: a flow has no variance"]
    # M = F − A carries the round-off of F and A, which its square must not pass for spread.
    ends = [(f.density.sum(), f.drift.sum()) for f in flows if f.drift is not None]
    flow, drift = np.array(ends).T
    identity = balance((flow - drift) ** 2, np.array(variance), scale=flow**2 + drift**2)
    try:
        return normal_residuals(f.residual for f in flows), identity, []
    except InputError as error:
        return None, identity, [f"residuals: {error}"]


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
