"""`flowgauge constants`: from a run of ordinary responses, the constants of support it gives."""

from pathlib import Path
from typing import Any

import typer

from flowgauge.cli.support import echo_json
from flowgauge.pipeline.constants import constants_of_run, keep_constants
from flowgauge.store import open_run
from flowgauge.support import Levels, Spread
from flowgauge.text.printable import printable


def run_constants(folder: Path, text: str, out: Path | None, *, as_json: bool) -> None:
    """Compute, keep and show the constants; labels are never looked at.

    Raises:
        SettingsError: Fewer than 30 responses with a source, or all alike.
        RunError: No run there, or one that does not name its model.
    """
    run = open_run(folder)
    found = constants_of_run(run, text)
    file = keep_constants(run, found, out)
    model = run.manifest["model"]["name"]
    if as_json:
        echo_json({"model": model, "file": str(file), "constants": found.as_json()})
        return
    parts = found.parts
    rows: dict[str, Spread | None] = {
        "local fraction": parts.fraction,
        "log(1 + copied words)": parts.copied,
        "pointer": parts.pointer,
    }
    rows |= _levels("all parts", found.with_pointer)
    rows |= _levels("without pointers", found.without_pointer)
    typer.echo("constant\tmean\tstandard deviation")
    for name, spread in rows.items():
        if spread is not None:
            typer.echo(f"{name}\t{spread.mean:.4f}\t{spread.sd:.4f}")
    if parts.pointer is None:
        typer.echo("source pointers: none in this run, so support has no constants for them")
    typer.echo(f"constants of {printable(str(model))} from {printable(found.text)}: {file}")
    if out is None:
        typer.echo("from now on this model is measured with them; runs already made keep theirs")


def _levels(name: str, levels: Levels | None) -> dict[str, Any]:
    if levels is None:
        return {}
    return {
        f"{name}, tokens": levels.tokens,
        f"{name}, sentences": levels.sentences,
        f"{name}, responses": levels.responses,
    }
