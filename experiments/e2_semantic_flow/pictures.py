"""Drift and entropy around the onset of loops: one panel a model, as one SVG without scripts."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape

import numpy as np

from e2_semantic_flow.compare import Half
from e2_semantic_flow.detectors import window_sums
from e2_semantic_flow.written import Written
from flowgauge.records import FloatArray

BEFORE, AFTER = 64, 96
#: Each value is the mean of so many tokens up to it: single tokens jump.
SMOOTH = 16
#: A point of a curve needs so many texts behind it.
LEAST_TEXTS = 3
COLUMNS = {"drift": "drift", "entropy": "entropy_p"}
WIDTH, PANEL, LEFT, RIGHT, TOP, GAP = 640.0, 190.0, 58.0, 170.0, 84.0, 52.0
STYLE = """
:where(svg.onset:root) { color-scheme: light dark; }
.onset { font: 13px system-ui, "Segoe UI", "Noto Sans", "Liberation Sans", Arial, sans-serif; }
.onset .paper { fill: none; fill: light-dark(#ffffff, #161c24); }
.onset text { fill: #67727f; fill: light-dark(#17202b, #e7ecf2); }
.onset .small { font-size: 12px; fill: #67727f; fill: light-dark(#525e6d, #a2aebc); }
.onset .grid { stroke: #8888; stroke: light-dark(#dde2e8, #2b3542); }
.onset .line { stroke: #67727f; stroke: light-dark(#525e6d, #a2aebc); stroke-dasharray: 2 3; }
.onset .drift, .onset .entropy { fill: none; stroke-width: 2; }
.onset .drift { stroke: #3f7fc8; stroke: light-dark(#1f5fae, #82b5f4); }
.onset .entropy { stroke: #c07a2c; stroke: light-dark(#a35a00, #f0b070); }
.onset .ordinary { stroke-width: 1.2; stroke-dasharray: 5 4; }
"""


def smoothed(text: Written, column: str) -> FloatArray:
    """(time,) mean of the last SMOOTH values of a column; nan before there are as many."""
    return window_sums(getattr(text, column), SMOOTH) / SMOOTH


def median_of(rows: FloatArray) -> FloatArray:
    """(place,) median of each column of (text, place); nan where fewer than LEAST_TEXTS are."""
    enough = (~np.isnan(rows)).sum(0) >= LEAST_TEXTS
    out = np.full(rows.shape[1], np.nan)
    if enough.any():
        out[enough] = np.nanmedian(rows[:, enough], axis=0)
    return out


def around(curves: Sequence[FloatArray], onsets: Sequence[int]) -> FloatArray:
    """(BEFORE + AFTER,) median over curves at each distance from their onsets."""
    rows = np.full((len(curves), BEFORE + AFTER), np.nan)
    for row, curve, onset in zip(rows, curves, onsets, strict=True):
        first = max(onset - BEFORE, 0)
        part = curve[first : onset + AFTER]
        at = first - onset + BEFORE
        row[at : at + len(part)] = part
    return median_of(rows)


def by_place(texts: Sequence[Written], column: str) -> FloatArray:
    """(position,) median over texts of a smoothed column at each position."""
    rows = np.full((len(texts), max((len(t.ids) for t in texts), default=0)), np.nan)
    for row, text in zip(rows, texts, strict=True):
        row[: len(text.ids)] = smoothed(text, column)
    return median_of(rows)


def curves_of(halves: Sequence[Half]) -> dict[str, FloatArray]:
    """Curves by CSS class: looping texts around their onsets, ordinary ones at the same places."""
    looping = [pair for half in halves for pair in half.looping]
    onsets = [loop.onset for _, loop in looping]
    out = {}
    for name, column in COLUMNS.items():
        out[name] = around([smoothed(t, column) for t, _ in looping], onsets)
        ordinary = by_place([t for half in halves for t in half.ordinary], column)
        out[f"{name} ordinary"] = around([ordinary] * len(onsets), onsets)
    return out


def onset_svg(models: Mapping[str, Sequence[Half]]) -> str:
    """One panel for each model that has at least LEAST_TEXTS looping texts."""
    shown = {m: h for m, h in models.items() if sum(len(x.looping) for x in h) >= LEAST_TEXTS}
    height = TOP + len(shown) * (PANEL + GAP)
    title = "Drift and entropy around the onset of a loop"
    body = [
        line
        for n, (model, halves) in enumerate(shown.items())
        for line in _panel(model, halves, TOP + n * (PANEL + GAP))
    ]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" class="onset" role="img" width="{WIDTH:g}" '
            f'height="{height:g}" viewBox="0 0 {WIDTH:g} {height:g}">',
            f"<title>{title}</title>",
            f"<desc>Median over looping texts of the drift KL(P‖Q) and of the entropy of P, means "
            f"of {SMOOTH} tokens, nats, {BEFORE} tokens before to {AFTER} after the first token of "
            "the second copy; dashed: ordinary texts at the same places.</desc>",
            f"<style>{STYLE}</style>",
            f'<rect class="paper" width="{WIDTH:g}" height="{height:g}"/>',
            f'<text x="{LEFT:g}" y="24" font-weight="650">{title}</text>',
            f'<text class="small" x="{LEFT:g}" y="42">median over texts of means of {SMOOTH} '
            "tokens, nats; 0 is the first token of the second copy</text>",
            *body,
            "</svg>",
            "",
        ]
    )


class _Axes:
    """From offsets and nats to places in a panel; the vertical axis is logarithmic."""

    def __init__(self, top: float, curves: Mapping[str, FloatArray]) -> None:
        values = np.concatenate(list(curves.values()))
        positive = values[np.isfinite(values) & (values > 0)]
        self.top = top
        self.low = int(np.floor(np.log10(positive.min()))) if len(positive) else -1
        self.high = int(np.ceil(np.log10(positive.max()))) if len(positive) else 0
        self.high = max(self.high, self.low + 1)

    def x(self, offset: float) -> float:
        return LEFT + (offset + BEFORE) / (BEFORE + AFTER) * (WIDTH - RIGHT - LEFT)

    def y(self, log10: float) -> float:
        return self.top + PANEL * (self.high - log10) / (self.high - self.low)

    def lines(self, curve: FloatArray) -> Iterator[str]:
        """Points of each unbroken piece of a curve."""
        here: list[str] = []
        for i, value in enumerate([*curve.tolist(), float("nan")]):
            if value > 0:
                here.append(f"{self.x(i - BEFORE):.1f},{self.y(float(np.log10(value))):.1f}")
            elif here:
                yield " ".join(here)
                here = []


def _panel(model: str, halves: Sequence[Half], top: float) -> list[str]:
    curves = curves_of(halves)
    axes, right = _Axes(top, curves), WIDTH - RIGHT
    looping, ordinary = (sum(len(getattr(h, n)) for h in halves) for n in ("looping", "ordinary"))
    words = f"{model}, {looping} looping texts, {ordinary} ordinary"
    lines = [f'<text x="{LEFT:g}" y="{top - 10:g}">{escape(words)}</text>']
    for exponent in range(axes.low, axes.high + 1):
        y = axes.y(exponent)
        lines += [
            f'<line class="grid" x1="{LEFT:g}" y1="{y:.1f}" x2="{right:g}" y2="{y:.1f}"/>',
            f'<text class="small" x="{LEFT - 8:g}" y="{y + 4:.1f}" text-anchor="end">'
            f"{10.0**exponent:g}</text>",
        ]
    for offset in range(-BEFORE, AFTER + 1, 32):
        lines.append(
            f'<text class="small" x="{axes.x(offset):.1f}" y="{top + PANEL + 17:.1f}" '
            f'text-anchor="middle">{str(offset).replace("-", "−")}</text>'
        )
    x = axes.x(0)
    lines.append(f'<path class="line" d="M{x:.1f} {top:g}v{PANEL:g}"/>')
    for n, (name, curve) in enumerate(curves.items()):
        lines += [f'<polyline class="{name}" points="{points}"/>' for points in axes.lines(curve)]
        y = top + 14 + 20 * n
        lines.append(
            f'<path class="{name}" d="M{right + 12:g} {y:g}h22"/>'
            f'<text class="small" x="{right + 42:g}" y="{y + 4:g}">{name}</text>'
        )
    return lines
