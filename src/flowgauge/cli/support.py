"""What `flowgauge measure` says about support: least supported sentences, and `--fail-under`.

A response without a support, or a row that failed, never passes `--fail-under` in silence.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from flowgauge.errors import SettingsError
from flowgauge.pipeline.findings import (
    UNSUPPORTED,
    Finding,
    check_share,
    findings,
    shown_support,
    thresholds,
)
from flowgauge.pipeline.summary import least_supported
from flowgauge.store import Run
from flowgauge.text.printable import printable


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """What a pipeline asks of a run.

    Attributes:
        fail_under: Least support of every response, 0…1; None to ask nothing.
        junit: Where the JUnit XML goes; None for nowhere.
    """

    fail_under: float | None = None
    junit: Path | None = None

    def __post_init__(self) -> None:
        check_share(self.fail_under, "--fail-under")
        if self.junit is not None and self.junit.is_dir():
            raise SettingsError(f"--junit is the folder {self.junit}, a file name was needed")

    def close(self, run: Run, *, as_json: bool) -> int:
        """Write the JUnit file, say who fails; 1 if some response fails or some row did, else 0."""
        if self.junit is not None:
            from flowgauge.cli.junit import write_junit

            write_junit(run, self.junit, self.fail_under)
            if not as_json:
                typer.echo(f"junit: {self.junit}")
        failing = self.failing(run)
        if failing and not as_json:
            self._say(failing, len(run) + len(run.failed))
        return 1 if run.failed or failing else 0

    def failing(self, run: Run) -> list[Finding]:
        """Rows whose support does not reach `fail_under`, those without a support among them."""
        if self.fail_under is None:
            return []
        return [f for f in findings(run, self.fail_under) if not f.is_supported]

    def as_json(self, run: Run) -> dict[str, Any]:
        """For the object of `--json`; empty when nothing was asked."""
        out: dict[str, Any] = {} if self.junit is None else {"junit": str(self.junit)}
        if self.fail_under is not None:
            rows = [
                {"row": f.row, "id": f.id, "support": f.support, "reason": f.why_none or None}
                for f in self.failing(run)
            ]
            out["fail_under"] = {"least_support": self.fail_under, "failing": rows}
        return out

    def _say(self, failing: Sequence[Finding], total: int) -> None:
        least = self.fail_under or 0.0
        typer.echo(
            f"--fail-under {least:g}: {len(failing)} of {total} responses "
            f"{'does' if len(failing) == 1 else 'do'} not reach it:"
        )
        for f in failing:
            name = printable(f.id, 40) or f"row {f.row}"
            why = (
                f"no support: {printable(f.why_none, 300)}"
                if f.support is None
                else f"support {shown_support(f.support, least)}"
            )
            typer.echo(f"  {name}: {why}")


def say_least_supported(run: Run, width: int) -> None:
    """The least supported sentences as lines, and what support is made of."""
    of_response, threshold = thresholds(run)
    typer.echo(f"least supported sentences (support 0…1, unsupported below {threshold:.4g}):")
    for s in least_supported(run):
        sign = "" if s["is_supported"] else UNSUPPORTED
        number = shown_support(s["support"], threshold)
        text = printable(s["text"], max(40, width - 52))
        typer.echo(f"  {number}  {sign:<13}  {printable(s['id'], 24)}: {text}")
    entry = run.manifest["support"]
    typer.echo(f"support: {printable(str(entry.get('words', '')))}")
    if "calibration" in entry:
        typer.echo(
            f"calibrated: responses below {of_response:.4g} are unsupported. "
            f"{printable(entry['calibration']['words'])}"
        )


def support_cell(run: Run, support: float | None) -> str:
    """A response's support in the table."""
    if support is None or "support" not in run.manifest:
        return ""
    threshold = thresholds(run)[0]
    number = shown_support(support, threshold)
    return f"{number} {UNSUPPORTED}" if support < threshold else number


def echo_json(data: dict[str, Any]) -> None:
    """One object on one line; ASCII, so that no control character reaches a terminal."""
    typer.echo(json.dumps(data))
