"""`flowgauge generate`: write a text with the model and measure it on the way."""

import math
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import typer
from rich.console import Console

from flowgauge.cli.live import event_line, live_view
from flowgauge.cli.support import echo_json
from flowgauge.errors import InputError, RecordError, SettingsError
from flowgauge.live import Generated, GenerateSettings, Generation, Monitor, SamplingLaw, generate
from flowgauge.live.event import stop
from flowgauge.live.offered import parse_monitor
from flowgauge.records import Record, Sampling
from flowgauge.scores import ModelLaw
from flowgauge.text import check_record
from flowgauge.text.printable import printable, printable_lines


def prompt_record(question: str, documents: Sequence[Path], instruction: str) -> Record:
    """The prompt as a record; its documents are text files.

    Raises:
        InputError: A file is not there or holds no UTF-8 text.
        RecordError: There is nothing to go on from.
    """
    texts = []
    for path in documents:
        try:
            texts.append(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(
                f"the document {path} cannot be read ({error}); a UTF-8 text file was needed"
            ) from error
    if not (question.strip() or instruction.strip() or any(t.strip() for t in texts)):
        raise RecordError(
            "nothing to go on from came: give a question or a beginning, or --document FILE"
        )
    record = Record(
        id="generated",
        question=question,
        documents=tuple(texts) if texts else None,
        instruction=instruction,
        response="-",
    )
    check_record(record)
    return record


def monitors_of(noting: Sequence[str], stopping: Sequence[str], model: str = "") -> list[Monitor]:
    """Monitors from the command line; a name given twice is an error.

    Raises:
        SettingsError: As `parse_monitor` says, or one name twice.
    """
    found = [parse_monitor(text, model=model) for text in noting]
    found += [parse_monitor(text, action=stop, model=model) for text in stopping]
    names = [m.name for m in found]
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        raise SettingsError(
            f"the monitor {twice[0]} was asked twice; give it once, with --monitor or --stop-on"
        )
    return found


def run_generate(
    record: Record,
    load: Any,
    *,
    sampling: Sampling,
    law: str,
    monitors: Sequence[Monitor],
    max_tokens: int,
    seed: int,
    out: Path | None,
    live: bool,
    as_json: bool,
) -> None:
    """Write, show, save where asked."""
    if law not in ("sampling", "model"):
        raise SettingsError(f"--law is {law!r}; generate has: sampling, model")
    if out is not None and (out / "plan.json").exists():
        raise SettingsError(f"{out} holds a run already; choose another --out")
    settings = GenerateSettings(
        law=SamplingLaw() if law == "sampling" else ModelLaw(), max_tokens=max_tokens
    )
    lm = load()
    generation = generate(
        record, lm, sampling=sampling, monitors=monitors, seed=seed, settings=settings
    )
    try:
        _write(generation, live=live, quiet=as_json)
    except KeyboardInterrupt:  # what is written stays
        generation.stop("it was interrupted")
    result = generation.result()
    run = None
    if out is not None:
        from flowgauge.pipeline import save_generated

        run = save_generated([result], lm, out=out)
    if as_json:
        echo_json({**as_data(result, lm.name), "run": str(out) if run else None})
        return
    _closing(result, out)


def _write(generation: Generation, *, live: bool, quiet: bool) -> None:
    console = Console()
    if quiet:
        generation.finish()
    elif live and console.is_terminal:
        with live_view(generation, console) as view:
            for step in generation:
                view.add(step)
    else:
        for step in generation:
            typer.echo(printable_lines(step.text), nl=False)
            sys.stdout.flush()
        typer.echo()


def _closing(result: Generated, out: Path | None) -> None:
    last = result.steps[-1]
    for event in result.events:
        typer.echo(event_line(event).plain)
    surprise = -sum(s.log_q for s in result.steps)
    share = f"; explained {100 * last.flow / surprise:.1f} %" if surprise > 0 else ""
    typer.echo(
        f"{len(result.steps)} tokens; flow {last.flow:.1f} nats, expected {last.compensator:.1f}"
        f"{share}; {result.stopped_by}; law: {result.law}; seed {result.seed}"
        + (f"; run: {printable(str(out))}" if out else "")
    )
    for note in result.tokens.notes:
        typer.echo(f"note: {note}")


def _finite(value: Any) -> Any:
    """JSON has no infinities: they travel as text."""
    if isinstance(value, float) and math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    return [_finite(v) for v in value] if isinstance(value, list) else value


def as_data(result: Generated, model: str) -> dict[str, Any]:
    """A generation in one JSON-able object; infinite numbers become text."""
    steps = [{k: v for k, v in asdict(s).items() if k != "orders"} for s in result.steps]
    data = {
        "model": model,
        "text": result.record.response,
        "stopped_by": result.stopped_by,
        "law": result.law,
        "reference": "omit",
        "sampling": asdict(result.record.sampling or Sampling()),
        "seed": result.seed,
        "flow_nats": result.steps[-1].flow,
        "compensator_nats": result.steps[-1].compensator,
        "orders": result.scores.orders.tolist(),
        "steps": [{**s, "log_moments": s["log_moments"].tolist()} for s in steps],
        "events": [{**asdict(e), "values": dict(e.values)} for e in result.events],
        "notes": list(result.tokens.notes),
    }
    return {k: _finite(v) for k, v in data.items()}
