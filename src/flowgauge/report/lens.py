"""The lens page: direct effects of each earlier token on each response token, as heat maps.

It is one file that needs nothing else, under the report's policy and in its colours. Numbers are
rounded to fit (`lens_payload`), and each record's rounding stands on the page.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from markupsafe import Markup

from flowgauge.records import FailedRow
from flowgauge.report.assets import join_script, page_template, policy_hash, read_static
from flowgauge.report.embed import embed_json

#: Parts of the page's script, in the order they run in.
LENS_SCRIPTS = (
    "dom.js",
    "numbers.js",
    "columns.js",
    "theme.js",
    "lens-data.js",
    "lens-scale.js",
    "lens-canvas.js",
    "lens-grid.js",
    "lens-layers.js",
    "lens-panel.js",
    "lens-totals.js",
    "lens-tokens.js",
    "lens-page.js",
)

#: Characters that the packed numbers of all records may take together: the page stays below 15 MB.
DATA_LIMIT = 12_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """A rank correlation with leaving documents out, in the page's words.

    Attributes:
        of: What was ranked.
        rho: The correlation; nan where one side does not vary.
        low, high: Its 95 % interval; nan for one record.
    """

    of: str
    rho: float
    low: float
    high: float

    @property
    def words(self) -> str:
        """As a sentence would say it.

        Example:
            >>> Agreement(of="document totals", rho=0.76, low=0.61, high=0.85).words
            'document totals 0.76 [0.61, 0.85]'
            >>> Agreement(of="all", rho=0.5, low=float("nan"), high=float("nan")).words
            'all 0.50 (one record gives no interval)'
        """
        if self.rho != self.rho:
            return f"{self.of}: no correlation, for one side does not vary"
        if self.low != self.low:
            return f"{self.of} {self.rho:.2f} (one record gives no interval)"
        return f"{self.of} {self.rho:.2f} [{self.low:.2f}, {self.high:.2f}]"


@dataclass(frozen=True, slots=True, kw_only=True)
class LensPage:
    """What the page shows.

    Attributes:
        name: Of the run or the file.
        model: Name of the model that was read.
        blocks: One a record, from `lens_block`.
        failed: Rows that could not be read.
        agreement: With leaving documents out, measured on these records; empty if nobody asked.
        compared: Number of records it was measured on.
        report: Address of the run's report page; "" for none.
    """

    name: str
    model: str
    blocks: Sequence[Mapping[str, Any]]
    failed: Sequence[FailedRow] = ()
    agreement: Sequence[Agreement] = field(default=())
    compared: int = 0
    report: str = ""


def render_lens(page: LensPage) -> str:
    """One self-contained HTML page about the direct effects in some records.

    Args:
        page: What it shows; a page without any record gives the reasons.

    Returns:
        The page, from its doctype on; write it as UTF-8.

    Example:
        >>> "No record could be read." in render_lens(LensPage(name="x", model="m", blocks=()))
        True
    """
    style, script = _style(), _script()
    return page_template(read_static("lens.html")).render(
        page=page,
        index=embed_json({"id": [block["id"] for block in page.blocks]}),
        blocks=[(number, embed_json(block)) for number, block in enumerate(page.blocks)],
        style=style,
        script=script,
        style_hash=policy_hash(style),
        script_hash=policy_hash(script),
    )


@cache
def _style() -> Markup:
    return Markup(read_static("page.css") + read_static("lens.css"))


@cache
def _script() -> Markup:
    return join_script(read_static(name) for name in LENS_SCRIPTS)
