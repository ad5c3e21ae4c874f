"""What a person and a machine see of what `flowgauge lens` read."""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import typer

from flowgauge.cli.work import REPORT_PAGE
from flowgauge.lens.ablation import AblationComparison, Correlation
from flowgauge.models.protocol import LanguageModel
from flowgauge.records import FailedRow, FloatArray
from flowgauge.report.lens import Agreement
from flowgauge.text.printable import printable


@dataclass(slots=True)
class Found:
    """What was read so far; effects themselves are dropped once they are packed.

    Attributes:
        blocks: Of the page.
        records: For machines.
        failed: Rows that could not be read.
        lens, ablation: (document, response sentence) [nats] of the records whose documents were
            left out.
    """

    blocks: list[dict[str, Any]] = field(default_factory=list)
    records: list[dict[str, Any]] = field(default_factory=list)
    failed: list[FailedRow] = field(default_factory=list)
    lens: list[FloatArray] = field(default_factory=list)
    ablation: list[FloatArray] = field(default_factory=list)


def agreements(found: AblationComparison | None) -> tuple[Agreement, ...]:
    """The three correlations in words; none for None."""
    if found is None:
        return ()
    parts = {
        "document totals": found.documents,
        "documents and sentences": found.overall,
        "documents within a sentence": found.within,
    }
    return tuple(Agreement(of=k, rho=c.rho, low=c.low, high=c.high) for k, c in parts.items())


def as_data(
    page: Path, lm: LanguageModel, found: Found, agreement: AblationComparison | None
) -> dict[str, Any]:
    """One object for `--json`."""

    def numbers(c: Correlation) -> dict[str, float | None]:
        pairs = {"rho": c.rho, "low": c.low, "high": c.high}
        return {k: None if math.isnan(v) else v for k, v in pairs.items()}

    data: dict[str, Any] = {
        "page": str(page),
        "bytes": page.stat().st_size,
        "model": lm.name,
        "records": found.records,
        "failed": [{"row": f.row, "id": f.id, "kind": f.kind, "reason": f.reason}
                   for f in found.failed],
    }  # fmt: skip
    if agreement is not None:
        parts = ("overall", "documents", "within")
        data["ablation"] = {
            "records": agreement.n, **{p: numbers(getattr(agreement, p)) for p in parts}
        }  # fmt: skip
    return data


def show(
    page: Path,
    found: Found,
    agreement: AblationComparison | None,
    *,
    is_ablation: bool,
    linked: bool,
) -> None:
    """Lines for people."""
    say = typer.echo
    for record in found.records:
        _show_record(record)
    for row in found.failed:
        name, reason = printable(row.id, 40), printable(row.reason, 300)
        say(f"failed: row {row.row} ({name}): {row.kind}: {reason}")
    if agreement is not None:
        count = f"{agreement.n} record{'' if agreement.n == 1 else 's'}"
        for part in agreements(agreement):
            say(f"rank correlation with leaving documents out ({count}): {part.words}")
    if is_ablation and agreement is None:
        say("no record has documents, so none was left out")
    say("a direct effect is to first order and along one path: no cause; see the page")
    say(f"{len(found.records)} read, {len(found.failed)} failed; lens: {page}")
    if linked:
        say(f"{page.parent / REPORT_PAGE} now links to it")


def _show_record(record: dict[str, Any]) -> None:
    say = typer.echo
    say(f"{printable(record['id'], 40)}: {record['prompt_tokens']} prompt tokens, "
        f"{record['response_tokens']} response tokens, {len(record['layers'])} layers")  # fmt: skip
    falls = record["left_out_nats"]
    for d, total in enumerate(record["documents_nats"]):
        left = "" if falls is None else f"\tleft out {falls[d]:+.3f}"
        say(f"  document {d}\t{total:+.3f} nats{left}")
    for link in record["links"]:
        place = "prompt" if link["document"] is None else f"document {link['document']}"
        say(f"  {link['effect_nats']:+.3f} nats\t{_signs(link['source_text'])} ({place}) "
            f"→ {_signs(link['response_text'])} ({link['response']})")  # fmt: skip
    for note in record["notes"]:
        say(f"  note: {printable(note)}")


def _signs(text: str) -> str:
    """A token's text with signs for what cannot be seen, as on the page."""
    for blank, sign in ((" ", "␣"), ("\n", "↵"), ("\r", "␍"), ("\t", "⇥")):
        text = text.replace(blank, sign)
    return printable(text, 40) or "(no text)"
