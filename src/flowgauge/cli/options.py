"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout, for machines.")]
Model = Annotated[
    str,
    typer.Option(
        "--model", "-m", help="Preset (see `flowgauge models`), folder, .gguf file or owner/name."
    ),
]

Pointers = Annotated[
    bool,
    typer.Option(
        "--pointers/--no-pointers",
        help="Source pointers of the model's copy heads; without them support says less.",
    ),
]
FailUnder = Annotated[
    float | None,
    typer.Option(help="Exit 1 unless every response has at least this support, 0 to 1."),
]
Junit = Annotated[
    Path | None,
    typer.Option(
        help="Write JUnit XML: a test a response, failed below --fail-under or the run's threshold."
    ),
]
TrustRemoteCode = Annotated[
    bool, typer.Option("--trust-remote-code", help="Let a model repository run its own code.")
]
