"""The numbers of contradiction.py as markdown tables."""

from collections.abc import Mapping
from typing import Any

from ragtruth import tables

CONFLICT = "evident conflict"
HEAD = ("score", "conflicts", "− support's", "all unsupported", "− support's")


def _tables(found: Mapping[str, Any], words: str) -> list[str]:
    """A table for responses and one for tokens."""
    out = []
    for what in ("responses", "tokens"):
        few, many = found[what][CONFLICT], found[what]["all"]
        out.append(
            f"## {what.capitalize()}, {words}: {few['unsupported']:,} in conflict, "
            f"{many['unsupported']:,} unsupported, {many['n'] - many['unsupported']:,} clean, "
            f"{found['sources']} sources\n"
        )
        rows = [
            [
                name,
                tables.cell(row["auroc"]),
                tables.cell(row["minus_support"], signed=True),
                tables.cell(many["scores"][name]["auroc"]),
                tables.cell(many["scores"][name]["minus_support"], signed=True),
            ]
            for name, row in few["scores"].items()
        ]
        out.append(tables.markdown(HEAD, rows))
    return out


def page(result: Mapping[str, Any]) -> str:
    """contradiction.md."""
    out = [
        "# Evident conflicts: tables\n",
        f"Written by `contradiction.py` on {result['date']} with {result['observer']}. AUROC "
        "against responses without any span (tokens: against the tokens of those), 95 % intervals "
        f"from {result['replicates']:,} draws of sources, differences to support paired. Many "
        "scores were tried on few conflicts and nothing corrects for that: a winner needs a "
        "margin. The letters are those of `contradiction_scores.py`; partners in (e) are the best "
        "two of the choosing half.\n",
    ]
    for half, found in result["halves"].items():
        out += _tables(found["whole"], f"{tables.HALVES[half]}, scores without passes")
        if "read" in found:
            out += _tables(found["read"], f"{tables.HALVES[half]}, those that got passes")
    return "\n".join(out)
