"""The reliability picture as one self-contained SVG: what was predicted, what people said.

A dot for each bin on the square of predicted and observed share, with the interval of what was
observed; on the dashed diagonal both agree. Pure strings.
"""

from html import escape

from flowgauge.support.reliability import Bin, Reliability

_SIDE, _LEFT, _TOP = 300, 56, 40
_STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#222}line{stroke:#888}.agree{stroke-dasharray:4 4}"
    ".interval{stroke:#0b61a4;stroke-width:2}circle{fill:#0b61a4}.page{fill:#fff}"
    "@media(prefers-color-scheme:dark){text{fill:#eee}.page{fill:#16181d}"
    ".interval{stroke:#7cc0f5}circle{fill:#7cc0f5}}"
)


def reliability_diagram(reliability: Reliability, *, title: str = "Reliability") -> str:
    """An SVG picture of predicted and observed shares, described in words inside [share].

    Args:
        reliability: What is drawn.
        title: Its heading; escaped, control characters replaced.

    Returns:
        The SVG element, with its style and no reference to anything outside.

    Example:
        >>> from flowgauge.support import measure_reliability
        >>> found = measure_reliability([0.1, 0.2, 0.8, 0.9], [False] * 2 + [True] * 2)
        >>> picture = reliability_diagram(found)
        >>> picture[:4], picture.count("<circle")
        ('<svg', 2)
    """
    name = escape("".join(c if c.isprintable() else "\ufffd" for c in " ".join(title.split())))
    words = " ".join(_words(b) for b in reliability.bins)
    width, height = _LEFT + _SIDE + 24, _TOP + _SIDE + 56
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}">',
        f"<title>{name}</title><desc>{words}</desc><style>{_STYLE}</style>",
        f'<rect class="page" width="{width}" height="{height}"/>',
        f'<text x="{_LEFT}" y="24">{name}</text>',
        *(_tick(k / 4) for k in range(5)),
        f'<line class="agree" x1="{_x(0)}" y1="{_y(0)}" x2="{_x(1)}" y2="{_y(1)}"/>',
        *(_dot(b, reliability.n) for b in reliability.bins),
        f'<text x="{_LEFT + _SIDE / 2}" y="{height - 12}" text-anchor="middle">predicted share '
        "found supported</text>",
        f'<text transform="translate(16 {_TOP + _SIDE / 2}) rotate(-90)" text-anchor="middle">'
        "observed share</text>",
        "</svg>",
    ]
    return "\n".join(parts)


def _words(b: Bin) -> str:
    o = b.observed
    return (
        f"Predicted {100 * b.predicted:.1f} %, observed {100 * o.share:.1f} % ({o.count} of {o.n}, "
        f"interval {100 * o.lower:.1f} to {100 * o.upper:.1f} %)."
    )


def _x(share: float) -> str:
    return f"{_LEFT + _SIDE * share:.1f}"


def _y(share: float) -> str:
    return f"{_TOP + _SIDE * (1 - share):.1f}"


def _tick(share: float) -> str:
    label = f"{100 * share:.0f} %"
    return (
        f'<text x="{_x(share)}" y="{_TOP + _SIDE + 18}" text-anchor="middle">{label}</text>'
        f'<text x="{_LEFT - 6}" y="{float(_y(share)) + 4:.1f}" text-anchor="end">{label}</text>'
        + (
            ""
            if share not in (0, 1)
            else f'<line x1="{_x(share)}" y1="{_y(0)}" x2="{_x(share)}" y2="{_y(1)}"/>'
            f'<line x1="{_x(0)}" y1="{_y(share)}" x2="{_x(1)}" y2="{_y(share)}"/>'
        )
    )


def _dot(b: Bin, n: int) -> str:
    o = b.observed
    radius = 3 + 5 * (o.n / n) ** 0.5
    return (
        f'<g><title>{_words(b)}</title><line class="interval" x1="{_x(b.predicted)}" '
        f'y1="{_y(o.lower)}" x2="{_x(b.predicted)}" y2="{_y(o.upper)}"/>'
        f'<circle cx="{_x(b.predicted)}" cy="{_y(o.share)}" r="{radius:.1f}"/></g>'
    )
