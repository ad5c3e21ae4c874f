"""What a person sees of a run in the terminal, and what a machine reads of it.

Text written by models is shown with its control characters replaced, so it cannot steer a terminal.
"""

import sys
from typing import Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from flowgauge.cli.support import (
    Gate,
    echo_json,
    say_least_supported,
    support_cell,
)
from flowgauge.pipeline.summary import has_support, summary
from flowgauge.store import Run
from flowgauge.text.printable import printable

#: More responses than this are summed up, the least supported (else least driven) ones shown.
MOST_ROWS = 24
MOST_SENTENCES = 5
HEADS = (
    "response", "tokens", "explained", "flow [nats]", "expected [nats]", "verdict", "support",
    "pool p", "human labels",
)  # fmt: skip


def show_run(run: Run, *, as_json: bool, gate: Gate | None = None) -> None:
    """Summary of a run: a table for people, tab-separated when piped, JSON when asked."""
    if as_json:
        echo_json({**summary(run), **(gate.as_json(run) if gate else {})})
        return
    console = Console()
    rows = [r for r in run.table("records").to_pylist() if r["status"] == "measured"]
    order = _support if has_support(run) else _fraction
    shown = sorted(rows, key=order)[:MOST_ROWS] if len(rows) > MOST_ROWS else rows
    cells = [_cells(run, r) for r in shown]
    used = [i for i in range(len(HEADS)) if i < 6 or any(c[i] for c in cells)]
    if console.is_terminal:
        _table(console, run, HEADS, cells, used, len(rows))
    else:
        for line in (HEADS, *cells):
            typer.echo("\t".join(line[i] for i in used))
    _closing(console, run, rows)


def _fraction(row: dict[str, Any]) -> float:
    return float("inf") if row["flow_fraction"] is None else float(row["flow_fraction"])


def _support(row: dict[str, Any]) -> float:
    return float("inf") if row["support"] is None else float(row["support"])


def _cells(run: Run, row: dict[str, Any]) -> tuple[str, ...]:
    fraction = row["flow_fraction"]
    labels = len(row["labels"] or ())
    return (
        printable(row["id"], 40),
        str(row["n_tokens"]),
        "–" if fraction is None else f"{100 * fraction:.1f} %",
        f"{row['flow_nats']:.1f}",
        f"{row['compensator_nats']:.1f}",
        row["outcome"],
        support_cell(run, row["support"]),
        "" if row["pool_p_value"] is None else f"{row['pool_p_value']:.3f}",
        f"{labels} span{'s' if labels > 1 else ''}" if labels else "",
    )


def _table(
    console: Console,
    run: Run,
    heads: tuple[str, ...],
    cells: list[tuple[str, ...]],
    used: list[int],
    total: int,
) -> None:
    title = f"{run.name}: {total} responses seen by {printable(run.manifest['model']['name'])}"
    if total > len(cells):
        least = "least supported" if has_support(run) else "least driven by their source"
        title += f" (the {len(cells)} {least})"
    table = Table(title=Text(title), title_justify="left")
    for i in used:
        table.add_column(heads[i], justify="right" if 1 <= i <= 4 else "left", overflow="fold")
    colours = {"driven by the source": "green", "not from this source": "red", "both": "yellow"}
    for line in cells:
        style = colours.get(line[5], "")
        table.add_row(*(Text(line[i], style=style if i == 5 else "") for i in used))
    console.print(table)


def _closing(console: Console, run: Run, rows: list[dict[str, Any]]) -> None:
    say = typer.echo
    if has_support(run):
        say_least_supported(run, console.width)
    elif rows:
        least = run.sql(
            "select id, text, flow_fraction from sentences where flow_fraction is not null "
            f"and n_tokens >= 5 order by flow_fraction, row, sentence limit {MOST_SENTENCES}"
        ).to_pylist()
        if least:
            say("least driven sentences (share of their surprise that the source explains):")
        for s in least:
            text = printable(s["text"], max(40, console.width - 40))
            say(f"  {100 * s['flow_fraction']:6.1f} %  {printable(s['id'], 24)}: {text}")
    for note in run.manifest.get("notes", ()):
        say(f"note: {note}")
    for column, error in run.manifest.get("precision_errors", {}).get("columns", {}).items():
        say(
            f"fast precision: {column} is off by at most {error['largest']:.2g}, "
            f"in the median {error['median']:.2g}"
        )
    for row in run.failed:
        reason = printable(row["reason"], 300)
        say(f"failed: row {row['row']} ({printable(row['id'], 40)}): {row['kind']}: {reason}")
    m = run.manifest
    say(
        f"{len(rows)} measured, {len(run.failed)} failed, {m.get('tokens', 0)} tokens in "
        f"{m.get('seconds', 0)} s; reference law: {m.get('reference')}; "
        f"run: {run.path or 'in memory'}"
    )
    sys.stdout.flush()
