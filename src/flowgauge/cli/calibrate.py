"""`flowgauge calibrate`: labels in, threshold with its guarantee out, stored beside the run."""

import json
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table

from flowgauge.cli.show import printable
from flowgauge.errors import SettingsError
from flowgauge.store import open_run
from flowgauge.support import (
    Calibration,
    Labels,
    Reliability,
    calibrate,
    labels_from_run,
    read_labels,
    write_calibration,
)
from flowgauge.support.storage import CALIBRATION_FILE, DIAGRAM_FILE, as_json

MOST_LEFT_OUT = 5
HEADS = ("predicted", "observed", "responses", "95 % interval of the observed")


def run_calibrate(
    file: Path | None,
    folder: Path,
    *,
    from_run: bool,
    alpha: float,
    confidence: float,
    future: int | None,
    to_json: bool,
) -> int:
    """Calibrate a run, store and show it; 1 if labelled responses had no support, else 0.

    Raises:
        SettingsError: Both a file of labels and --from-run were given, or neither.
    """
    if from_run == (file is not None):
        raise SettingsError(
            f"{'both' if from_run else 'neither'} a file of labels and --from-run came; give one: "
            "LABELS.jsonl, or --from-run for the labels that came with the run's own records"
        )
    run = open_run(folder)
    labels: Labels = labels_from_run(run) if file is None else read_labels(file, run)
    found = calibrate(run, labels, alpha=alpha, confidence=confidence, future=future)
    place = write_calibration(found, run.path or folder).parent
    files = [str(place / name) for name in (CALIBRATION_FILE, DIAGRAM_FILE)]
    if to_json:  # ASCII: no control character reaches a terminal
        typer.echo(json.dumps({"run": str(place), "files": files, "calibration": as_json(found)}))
    else:
        _show(found, files)
    return 1 if found.provenance.left_out else 0


def _show(found: Calibration, files: list[str]) -> None:
    say = typer.echo
    own = found.provenance
    say(
        f"{own.supported} responses marked supported and {own.unsupported} marked unsupported "
        f"({printable(own.labels, 60)}), seen by {printable(own.model, 60)}"
    )
    say(f"threshold: {found.threshold.shown}")
    say(printable(found.words))
    _show_reliability(found.reliability)
    for identity, reason in own.left_out[:MOST_LEFT_OUT]:
        say(f"left out: {printable(identity, 40)}: {printable(reason, 200)}")
    if len(own.left_out) > MOST_LEFT_OUT:
        say(f"left out: {len(own.left_out) - MOST_LEFT_OUT} more, all in {files[0]}")
    say(f"stored: {', '.join(files)}")


def _show_reliability(seen: Reliability) -> None:
    alone = seen.groups == seen.n
    typer.echo(
        f'probability that a person says "supported", on responses it was not fitted to '
        f"({seen.folds} folds{'' if alone else f' of {seen.groups} groups'}):"
    )
    rows = [
        (
            f"{100 * b.predicted:.1f} %",
            f"{100 * b.observed.share:.1f} %",
            str(b.observed.n),
            f"{100 * b.observed.lower:.1f} to {100 * b.observed.upper:.1f} %",
        )
        for b in seen.bins
    ]
    console = Console()
    if console.is_terminal:
        table = Table()
        for head in HEADS:
            table.add_column(head, justify="right")
        for row in rows:
            table.add_row(*row)
        console.print(table)
    else:
        for row in (HEADS, *rows):
            typer.echo("\t".join(row))
    typer.echo(
        f"Brier score {seen.brier:.4f} ({seen.brier_base:.4f} for the same probability always), "
        f"log loss {seen.log_loss_nats:.4f} nats, expected calibration error "
        f"{seen.expected_calibration_error:.4f}"
    )
