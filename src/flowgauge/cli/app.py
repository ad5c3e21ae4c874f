"""The commands and their options; what they do stands in the layers below.

Heavy libraries are imported inside the commands, so that `flowgauge --help` is instant.
"""

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from flowgauge.cli.options import FailUnder, Json, Junit, Model, Pointers, TrustRemoteCode


class _Commands(TyperGroup):
    """Ends a command that was interrupted, or whose reader went away, in words and with a code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except KeyboardInterrupt:
            sys.stderr.write("flowgauge: interrupted; --resume continues a run\n")
            raise typer.Exit(130) from None
        except BrokenPipeError:
            # The reader had enough. Python flushes once more at its end: into nothing.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(0) from None
        return result


app = typer.Typer(
    cls=_Commands,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Measures which tokens of a language model's text are driven by what it was given and "
    "which by what it remembers, in nats.",
)


@app.callback(invoke_without_command=True)
def _top(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        from flowgauge import __version__

        typer.echo(f"flowgauge {__version__}")
        raise typer.Exit


@app.command()
def measure(
    file: Annotated[Path, typer.Argument(help="JSONL or Parquet with one response a row.")],
    model: Model = "smollm2-135m",
    reference: Annotated[
        str, typer.Option(help="Reference law Q: omit (the same model without the source).")
    ] = "omit",
    law: Annotated[
        str,
        typer.Option(
            help="Prompted law P: model (its own), or cache (mixed with a cache over the source)."
        ),
    ] = "model",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder of the run [runs/NAME-OF-FILE].")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue an interrupted run.")] = False,
    alpha: Annotated[float, typer.Option(help="Level of each verdict.")] = 0.01,
    pool: Annotated[
        int,
        typer.Option(
            help="Counter-sources of the exact test for text somebody else wrote (0 or ≥ 19)."
        ),
    ] = 0,
    truncate: Annotated[
        bool, typer.Option("--truncate", help="Cut documents that do not fit, and say so.")
    ] = False,
    precision: Annotated[
        str, typer.Option(help="exact, or fast (bfloat16; its error is measured and stored).")
    ] = "exact",
    seed: Annotated[int, typer.Option(help="Chooses the pool.")] = 0,
    pointers: Pointers = True,
    fail_under: FailUnder = None,
    junit: Junit = None,
    trust_remote_code: TrustRemoteCode = False,
    as_json: Json = False,
) -> None:
    """Measure the responses in FILE and write a run."""
    from flowgauge.cli.show import show_run
    from flowgauge.cli.support import Gate
    from flowgauge.cli.work import measure_file
    from flowgauge.errors import SettingsError
    from flowgauge.models.load import load_model
    from flowgauge.pipeline import Settings
    from flowgauge.scores import ContinuousCache, ModelLaw
    from flowgauge.text import Omit

    if reference != "omit":
        raise SettingsError(f"--reference is {reference!r}; this version has: omit")
    if law not in ("model", "cache"):
        raise SettingsError(f"--law is {law!r}; this version has: model, cache")
    settings = Settings(
        reference=Omit(),
        law=ContinuousCache() if law == "cache" else ModelLaw(),
        alpha=alpha,
        pool=pool,
        pointers=pointers,
        truncate=truncate,
        precision=precision,
        seed=seed,
    )
    gate = Gate(fail_under=fail_under, junit=junit)  # refused before the long work
    folder = out or Path("runs") / file.stem
    run = measure_file(
        file,
        lambda: load_model(model, trust_remote_code=trust_remote_code),
        folder,
        settings,
        resume=resume,
    )
    show_run(run, as_json=as_json, gate=gate)
    raise typer.Exit(gate.close(run, as_json=as_json))


@app.command()
def report(
    run: Annotated[Path, typer.Argument(help="Folder of a run, or its name under runs/.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The page [RUN/report.html].")
    ] = None,
    as_json: Json = False,
) -> None:
    """Write one self-contained HTML page about a run."""
    from flowgauge.cli.work import write_report
    from flowgauge.store import open_run

    page = write_report(open_run(run), out)
    _say(page, as_json, {"page": str(page), "bytes": page.stat().st_size})


def _say(page: Path, as_json: bool, data: dict[str, Any]) -> None:
    import json

    typer.echo(json.dumps(data) if as_json else f"report: {page}")


@app.command()
def lens(
    file: Annotated[Path, typer.Argument(help="JSONL or Parquet with one response a row.")],
    model: Model = "smollm2-135m",
    record: Annotated[
        list[str] | None, typer.Option("--id", help="Only the record with this id; repeatable.")
    ] = None,
    layers: Annotated[
        str | None, typer.Option(help="Only these layers, from 0, as 0,5-9 [all].")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="The page, or its folder [runs/NAME-OF-FILE/lens.html]."),
    ] = None,
    ablation: Annotated[
        bool,
        typer.Option(
            "--ablation",
            help="Leave each document out too and say how alike the ranks are; slow.",
        ),
    ] = False,
    trust_remote_code: TrustRemoteCode = False,
    as_json: Json = False,
) -> None:
    """Read what each source token adds to each response token off the model's layers."""
    from flowgauge.cli.lens import Asked, layers_of, run_lens
    from flowgauge.models.load import load_model

    asked = Asked(ids=tuple(record or ()), layers=layers_of(layers), ablation=ablation)
    status = run_lens(
        file,
        lambda: load_model(model, trust_remote_code=trust_remote_code),
        out,
        asked,
        as_json=as_json,
    )
    raise typer.Exit(status)


@app.command()
def demo(
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder of the run [runs/demo].")
    ] = None,
    as_json: Json = False,
) -> None:
    """Measure 12 real answers with a real model and write the report."""
    from flowgauge.cli.demo import run_demo

    run_demo(out, as_json=as_json)


@app.command()
def generate(
    question: Annotated[str, typer.Argument(help="What is asked, or how the text begins.")] = "",
    model: Model = "smollm2-135m",
    document: Annotated[
        list[Path] | None,
        typer.Option("--document", "-d", help="A text file the answer is to stand on; repeatable."),
    ] = None,
    instruction: Annotated[str, typer.Option(help="What stands before the documents.")] = "",
    max_tokens: Annotated[int, typer.Option(help="Most tokens.")] = 256,
    temperature: Annotated[float, typer.Option(help="Divides the logits; 0 is greedy.")] = 1.0,
    top_k: Annotated[int, typer.Option(help="Only the k likeliest tokens; 0 for all.")] = 0,
    top_p: Annotated[float, typer.Option(help="Only the likeliest tokens of this mass.")] = 1.0,
    min_p: Annotated[
        float, typer.Option(help="Only tokens of this share of the likeliest one's probability.")
    ] = 0.0,
    repetition_penalty: Annotated[
        float, typer.Option(help="Above 1: tokens that stand in the text already come less.")
    ] = 1.0,
    seed: Annotated[int, typer.Option(help="Of the random numbers.")] = 0,
    law: Annotated[
        str,
        typer.Option(
            help="Laws measured: sampling (those the tokens were drawn from), or model (its own)."
        ),
    ] = "sampling",
    monitor: Annotated[
        list[str] | None,
        typer.Option(
            help="Watch and say: grounded, not-from-source, change, loop, repetition, "
            "sufficient; with settings as grounded:alpha=0.05. Repeatable."
        ),
    ] = None,
    stop_on: Annotated[
        list[str] | None, typer.Option(help="The same, and end the text when it speaks.")
    ] = None,
    live: Annotated[
        bool, typer.Option("--live", help="Shade the tokens as they come and draw the flow.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Save the text as a run in this folder.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Write a text with the model and measure it on the way."""
    from flowgauge.cli.generate import monitors_of, prompt_record, run_generate
    from flowgauge.models.load import load_model
    from flowgauge.records import Sampling

    run_generate(
        prompt_record(question, document or (), instruction),
        lambda: load_model(model),
        sampling=Sampling(
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            min_p=min_p,
            repetition_penalty=repetition_penalty,
        ),
        law=law,
        monitors=monitors_of(monitor or (), stop_on or (), model),
        max_tokens=max_tokens,
        seed=seed,
        out=out,
        live=live,
        as_json=as_json,
    )


@app.command()
def serve(
    run: Annotated[
        Path | None,
        typer.Argument(help="A run to open first: its folder, or its name under runs/."),
    ] = None,
    model: Model = "smollm2-135m",
    host: Annotated[
        str, typer.Option(help="Address to listen at; any but this machine's own needs --token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 for any free one.")] = 8765,
    token: Annotated[
        str | None,
        typer.Option(
            envvar="FLOWGAUGE_TOKEN", help="What each request must carry; 16 or more characters."
        ),
    ] = None,
    runs: Annotated[
        Path | None, typer.Option(help="Folder of the runs [that of RUN, or runs/].")
    ] = None,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the page in a browser.")
    ] = True,
) -> None:
    """Serve a local page that measures answers and shows texts while they are written."""
    from flowgauge.cli.serve import run_serve

    run_serve(run, model=model, host=host, port=port, token=token, runs=runs, open_browser=browser)


@app.command()
def models(
    fetch: Annotated[
        str | None, typer.Option("--fetch", help="Download and convert a preset now.")
    ] = None,
    as_json: Json = False,
) -> None:
    """List the presets and what is cached."""
    from flowgauge.cli.models import show_models

    show_models(fetch, as_json=as_json)


@app.command()
def constants(
    run: Annotated[
        Path,
        typer.Argument(help="Folder of a run of ordinary responses, or its name under runs/."),
    ],
    text: Annotated[
        str, typer.Option(help="What the responses are, in a few words [their number and run].")
    ] = "",
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Write them here, not into the user's cache."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Compute support's constants for the model of a run, from unlabelled responses."""
    from flowgauge.cli.constants import run_constants

    run_constants(run, text, out, as_json=as_json)


@app.command()
def calibrate(
    run: Annotated[
        Path, typer.Option("--run", "-r", help="Folder of a run, or its name under runs/.")
    ],
    labels: Annotated[
        Path | None,
        typer.Argument(
            metavar="LABELS.jsonl",
            help='{"id": …, "supported": true or false} or {"id": …, "labels": [spans]} a row.',
        ),
    ] = None,
    from_run: Annotated[
        bool,
        typer.Option(
            "--from-run", help="Use the records' own labels; one without spans is supported."
        ),
    ] = False,
    alpha: Annotated[
        float, typer.Option(help="Largest share of unsupported responses that may pass.")
    ] = 0.1,
    confidence: Annotated[float, typer.Option(help="Least confidence in that.")] = 0.95,
    future: Annotated[
        int | None,
        typer.Option(help="Only for the next so many unsupported responses [all to come]."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Find the support below which a response is unsupported, from people's labels."""
    from flowgauge.cli.calibrate import run_calibrate

    status = run_calibrate(
        labels,
        run,
        from_run=from_run,
        alpha=alpha,
        confidence=confidence,
        future=future,
        to_json=as_json,
    )
    raise typer.Exit(status)
