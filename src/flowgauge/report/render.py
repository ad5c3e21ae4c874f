"""From a run to one HTML page that needs nothing else.

The skeleton is a Jinja template with escaping on; style, script and data are put inside. A content
security policy lets this one script run and nothing load, so even markup that got through would
stay dead. The script is plain JavaScript, in the files of static/ in the order of SCRIPTS.
"""

from collections import Counter
from collections.abc import Mapping
from functools import cache
from typing import Any

from jinja2 import Template
from markupsafe import Markup

from flowgauge.report.assets import (
    DRAWING_SCRIPTS,
    join_script,
    page_template,
    policy_hash,
    read_static,
)
from flowgauge.report.digits import print_level
from flowgauge.report.embed import embed_json
from flowgauge.report.payload import (
    blocks,
    documents,
    failed_rows,
    has_values,
    index,
    measured_rows,
    supports,
)
from flowgauge.report.support import SupportView, support_line, support_view
from flowgauge.report.view import RunView
from flowgauge.report.words import headline, provenance_lines, remainder

#: Parts of the page's script, in the order they run in.
SCRIPTS = (*DRAWING_SCRIPTS, "data.js", "list.js", "overview.js", "page.js")


def render(run: RunView, lens: str = "") -> str:
    """One self-contained HTML page that shows a run; numbers are the store's, in nats.

    Nothing is computed anew but sums for the curve's band and counts (responses below the support's
    threshold, tokens that a document fed). The page is no judge of truth: it shows which law the
    tokens of a response follow and where their words stand in the documents.

    Args:
        run: A run: its name, its manifest and its tables `records`, `tokens` and `sentences`.
            A run without any measured response gives a page with the reasons.
        lens: Address of the run's lens page, which the page then links to; "" for none.

    Returns:
        The page, from its doctype on; write it as UTF-8.

    Example:
        >>> from types import SimpleNamespace
        >>> from flowgauge.store.schema import arrow_schema
        >>> empty = SimpleNamespace(
        ...     name="empty", manifest={}, table=lambda name: arrow_schema(name).empty_table()
        ... )
        >>> "This run holds no responses." in render(empty)
        True
    """
    records = run.table("records")
    measured, failed = measured_rows(records), failed_rows(records)
    outcomes = [outcome or "" for outcome in measured.column("outcome").to_pylist()]
    support = support_view(run.manifest)
    data = index(measured, threshold=support.threshold)
    parts = blocks(
        measured,
        run.table("tokens"),
        run.table("sentences"),
        threshold=support.sentence_threshold,
    )
    style, script = _style(), _script()
    return _template().render(
        name=run.name,
        lens=lens,
        headline=headline(outcomes, len(failed)),
        remainder=remainder(outcomes, len(failed)),
        observer=_observer(run.manifest),
        alphas=_levels(measured.column("alpha").to_pylist()),
        relative=Counter(measured.column("is_exact").to_pylist())[False],
        support=support,
        has_pointers=has_values(run.table("tokens"), "pointer"),
        unsupported=support_line(supports(measured), support.threshold),
        measured=len(outcomes),
        tokens=sum(data["n_tokens"]),
        failed=failed,
        provenance=provenance_lines(run.manifest),
        index=embed_json(data),
        settings=embed_json(_settings(support)),
        documents=((k, embed_json(text)) for k, text in enumerate(documents(measured))),
        blocks=((row, embed_json(block)) for row, block in parts),
        style=style,
        script=script,
        style_hash=policy_hash(style),
        script_hash=policy_hash(script),
    )


def _level(threshold: float | None) -> str:
    return "" if threshold is None else str(print_level(threshold))


def _settings(support: SupportView) -> dict[str, Any]:
    """What the script needs to know of the run's support."""
    return {
        "threshold": support.threshold,
        "threshold_text": _level(support.threshold),
        "sentence_threshold_text": _level(support.sentence_threshold),
        "calibration": support.calibration,
        "missing": support.missing,
    }


def _observer(manifest: Mapping[str, Any]) -> str:
    """Name of the model that scored, "" where the manifest does not say."""
    model = manifest.get("model")
    return str(model.get("name", "") if isinstance(model, Mapping) else model or "")


def _levels(alphas: list[float | None]) -> str:
    """The level or levels of the verdicts, as text."""
    return ", ".join(print_level(alpha) for alpha in sorted({a for a in alphas if a is not None}))


@cache
def _template() -> Template:
    return page_template(read_static("page.html"))


@cache
def _style() -> Markup:
    return Markup(read_static("page.css"))


@cache
def _script() -> Markup:
    return join_script(read_static(name) for name in SCRIPTS)
