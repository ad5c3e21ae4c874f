"""Drift and entropy around the onset of loops: one panel a model, as one SVG without scripts."""

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np

from e2_semantic_flow.labels import Loop
from e2_semantic_flow.written import Written
from flowgauge.records import FloatArray

BEFORE, AFTER = 64, 96
#: A point of a curve needs so many texts behind it.
LEAST_TEXTS = 3
WIDTH, PANEL, LEFT, RIGHT, TOP, GAP = 640.0, 190.0, 58.0, 150.0, 58.0, 46.0
STYLE = """
:where(svg.onset:root) { color-scheme: light dark; }
.onset { font: 13px system-ui, "Segoe UI", "Noto Sans", "Liberation Sans", Arial, sans-serif; }
.onset .paper { fill: none; fill: light-dark(#ffffff, #161c24); }
.onset text { fill: #67727f; fill: light-dark(#17202b, #e7ecf2); }
.onset .small { font-size: 12px; fill: #67727f; fill: light-dark(#525e6d, #a2aebc); }
.onset .grid { stroke: #8888; stroke: light-dark(#dde2e8, #2b3542); }
.onset .line { stroke: #67727f; stroke: light-dark(#525e6d, #a2aebc); stroke-dasharray: 4 3; }
.onset .drift, .onset .entropy { fill: none; stroke-width: 2; }
.onset .drift { stroke: #3f7fc8; stroke: light-dark(#1f5fae, #82b5f4); }
.onset .entropy { stroke: #c07a2c; stroke: light-dark(#a35a00, #f0b070); }
"""


def around_onset(texts: Sequence[tuple[Written, Loop]], column: str) -> FloatArray:
    """(BEFORE + AFTER,) median over texts at each distance from the onset; nan where too few."""
    rows = np.full((len(texts), BEFORE + AFTER), np.nan)
    for n, (text, loop) in enumerate(texts):
        values = getattr(text, column)
        first = max(loop.onset - BEFORE, 0)
        part = values[first : loop.onset + AFTER]
        at = first - loop.onset + BEFORE
        rows[n, at : at + len(part)] = part
    enough = (~np.isnan(rows)).sum(0) >= LEAST_TEXTS
    out = np.full(BEFORE + AFTER, np.nan)
    if enough.any():
        out[enough] = np.nanmedian(rows[:, enough], axis=0)
    return out


def onset_svg(models: Mapping[str, Sequence[tuple[Written, Loop]]]) -> str:
    """One panel for each model that has at least LEAST_TEXTS looping texts."""
    shown = {m: t for m, t in models.items() if len(t) >= LEAST_TEXTS}
    height = TOP + len(shown) * (PANEL + GAP)
    body = [
        line
        for n, (model, texts) in enumerate(shown.items())
        for line in _panel(model, texts, TOP + n * (PANEL + GAP))
    ]
    title = "Drift and entropy around the onset of a loop"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" class="onset" role="img" width="{WIDTH:g}" '
            f'height="{height:g}" viewBox="0 0 {WIDTH:g} {height:g}">',
            f"<title>{title}</title>",
            f"<desc>Median over looping texts of the drift KL(P‖Q) and of the entropy of P, nats, "
            f"{BEFORE} tokens before to {AFTER} after the first token of the second copy.</desc>",
            f"<style>{STYLE}</style>",
            f'<rect class="paper" width="{WIDTH:g}" height="{height:g}"/>',
            f'<text x="{LEFT:g}" y="24" font-weight="650">{title}</text>',
            f'<text class="small" x="{LEFT:g}" y="42">median over looping texts, nats; 0 is the '
            "first token of the second copy</text>",
            *body,
            "</svg>",
            "",
        ]
    )


def _panel(model: str, texts: Sequence[tuple[Written, Loop]], top: float) -> list[str]:
    curves = {
        c: around_onset(texts, column)
        for c, column in (("drift", "drift"), ("entropy", "entropy_p"))
    }
    highest = max(float(np.nanmax(c)) for c in curves.values() if np.isfinite(c).any())
    step = 10.0 ** np.floor(np.log10(highest))
    step = step / 2 if highest / step < 3 else step
    ticks = [step * i for i in range(int(highest / step) + 2)]
    right = WIDTH - RIGHT

    def x(offset: float) -> float:
        return LEFT + (offset + BEFORE) / (BEFORE + AFTER - 1) * (right - LEFT)

    def y(value: float) -> float:
        return top + PANEL * (1 - value / ticks[-1])

    lines = [f'<text x="{LEFT:g}" y="{top - 8:g}">{escape(model)}, {len(texts)} texts</text>']
    for tick in ticks:
        at = y(tick)
        lines += [
            f'<line class="grid" x1="{LEFT:g}" y1="{at:.1f}" x2="{right:g}" y2="{at:.1f}"/>',
            f'<text class="small" x="{LEFT - 8:g}" y="{at + 4:.1f}" text-anchor="end">'
            f"{tick:g}</text>",
        ]
    for offset in range(-BEFORE, AFTER + 1, 32):
        lines.append(
            f'<text class="small" x="{x(offset):.1f}" y="{top + PANEL + 17:.1f}" '
            f'text-anchor="middle">{str(offset).replace("-", "−")}</text>'
        )
    lines.append(
        f'<line class="line" x1="{x(0):.1f}" y1="{top:g}" x2="{x(0):.1f}" y2="{top + PANEL:g}"/>'
    )
    for n, (name, curve) in enumerate(curves.items()):
        lines += [
            f'<polyline class="{name}" points="{points}"/>' for points in _pieces(curve, x, y)
        ]
        row = top + 14 + 20 * n
        lines.append(
            f'<path class="{name}" d="M{right + 12:g} {row:g}h18"/>'
            f'<text class="small" x="{right + 36:g}" y="{row + 4:g}">{name}</text>'
        )
    return lines


def _pieces(curve: FloatArray, x, y) -> list[str]:  # type: ignore[no-untyped-def]
    """Points of each unbroken piece of a curve."""
    out, here = [], []
    for i, value in enumerate([*curve.tolist(), float("nan")]):
        if np.isfinite(value):
            here.append(f"{x(i - BEFORE):.1f},{y(value):.1f}")
        elif here:
            out.append(" ".join(here))
            here = []
    return out
