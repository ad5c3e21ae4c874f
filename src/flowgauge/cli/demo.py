"""`flowgauge demo`: twelve real answers, a real model, a table and a page."""

import json
from importlib.resources import as_file, files
from pathlib import Path

import typer

from flowgauge.cli.show import show_run
from flowgauge.cli.work import measure_file, write_report
from flowgauge.errors import MissingDependencyError, ModelUnavailableError, RunMismatchError
from flowgauge.models.load import load_model
from flowgauge.pipeline import Settings
from flowgauge.pipeline.summary import summary
from flowgauge.store import Run


def run_demo(out: Path | None, *, as_json: bool) -> None:
    """Measure the bundled answers, print the table, write the report and say where it is."""
    name = "ragtruth_qa_12.jsonl"
    try:
        lm = load_model("smollm2-135m")
    except (ModelUnavailableError, MissingDependencyError) as error:
        typer.echo(f"flowgauge: {error}", err=True)
        typer.echo(
            "flowgauge: showing the small story model on children's stories instead", err=True
        )
        lm = load_model("stories-260k")
        name = "stories_12.jsonl"
    with as_file(files("flowgauge") / "data" / "demo" / name) as file:
        run = _measured(file, lm, out)
    page = write_report(run, None)
    if as_json:
        typer.echo(json.dumps({**summary(run), "page": str(page.resolve())}))
        return
    show_run(run, as_json=False)
    typer.echo(f"report: {page.resolve()}")


def _measured(file: Path, lm: object, out: Path | None) -> Run:
    """Into `out`, or the first of runs/demo, runs/demo-2, … that is free or holds this demo."""
    if out is not None:
        return measure_file(file, lambda: lm, out, Settings(), resume=True)
    number = 1
    while True:
        folder = Path("runs") / ("demo" if number == 1 else f"demo-{number}")
        try:
            return measure_file(file, lambda: lm, folder, Settings(), resume=True)
        except RunMismatchError:  # made by another version or with another model
            number += 1
