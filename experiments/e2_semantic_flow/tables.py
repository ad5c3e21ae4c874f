"""The numbers as Markdown, and their place in the README between markers."""

from collections.abc import Mapping, Sequence
from typing import Any

Numbers = Mapping[str, Any]
NONE = "–"


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; the first column is text, the rest stand right.

    Example:
        >>> print(markdown(["a", "b"], [["x", "1"]]))
        | a | b |
        | --- | ---: |
        | x | 1 |
    """
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def cell(found: Sequence[float | None] | None, form: str = ".3f") -> str:
    """A number with its interval; – where there is none, ∞ for an end among texts not found.

    Example:
        >>> cell([0.84314, 0.8, 0.881]), cell([3.0, 2.0, None], ".0f"), cell(None)
        ('0.843 [0.800, 0.881]', '3 [2, ∞]', '–')
    """
    if found is None or found[0] is None:
        return NONE
    ends = ["∞" if x is None else f"{x:{form}}" for x in found[1:]]
    return f"{found[0]:{form}} [{ends[0]}, {ends[1]}]"


def p_value(value: float | None) -> str:
    """A p-value; one that underflowed is no 0."""
    if value is None:
        return NONE
    return f"{value:.2g}" if value >= 1e-99 else "<1e-99"


def law(rows: Sequence[Numbers]) -> str:
    """The check of the sub-martingale, one row a set of texts."""
    head = (
        "texts", "n", "tokens", "mean log P/Q", "mean drift", "p: E[ı − k] = 0",
        "p: E F_τ = E A_τ", "p: E M² = E Σv", "flagged at α = 0.01", "SD of residuals",
        "consistent with P",
    )  # fmt: skip
    out = []
    for row in rows:
        n = row["numbers"]
        p = n["p_values"]
        flagged = n.get("flagged")
        out.append(
            [
                row["name"],
                f"{n['texts']:,}",
                f"{n['tokens']:,}",
                cell(n["mean_density"]),
                f"{n['mean_drift'][0]:.3f}",
                *(p_value(x) for x in (p.get("mean increment"), p.get("optional stopping"))),
                p_value(n.get("variance_p")),
                f"{flagged[0]} of {flagged[1]}" if flagged else NONE,
                f"{n['residual_deviation']:.2f}" if "residual_deviation" in n else NONE,
                "yes" if n["is_consistent"] else "**no**",
            ]
        )
    return markdown(head, out)


def counts(loops: Mapping[str, Numbers]) -> str:
    """What was drawn and what looped, one row a condition."""
    head = (
        "model", "condition", "texts (planned)", "tokens", "looping", "ordinary", "left out",
        "median onset", "median block",
    )  # fmt: skip
    rows = []
    for model, found in loops.items():
        for c in found["conditions"]:
            rows.append(
                [
                    model,
                    c["name"],
                    f"{c['texts']} ({c['planned']})",
                    f"{c['tokens']:,}",
                    str(c["looping"]),
                    str(c["ordinary"]),
                    str(c["left_out"]),
                    _plain(c["median_onset"]),
                    _plain(c["median_block"]),
                ]
            )
    return markdown(head, rows)


def halves(loops: Mapping[str, Numbers]) -> str:
    """What detectors are chosen on and judged on, one row a model and half."""
    head = (
        "model",
        "half",
        "looping texts",
        "of prompts",
        "ordinary texts",
        "tokens",
        "ordinary texts are of",
    )
    rows = [
        [
            model,
            name,
            str(h["looping"]),
            str(h["looping_prompts"]),
            str(h["ordinary"]),
            f"{h['ordinary_tokens']:,}",
            "temperature 0 and 0.3" if found["ordinary_is_cold"] else "every sampling",
        ]
        for model, found in loops.items()
        for name, h in found["halves"].items()
    ]
    return markdown(head, rows)


def _plain(value: float | None) -> str:
    return NONE if value is None else f"{value:g}"


def detection(found: Numbers, rate: str) -> str:
    """How well each detector finds a loop that is there, one row a detector."""
    head = (
        "detector", "window", "sign", "AUROC per token", "− entropy's", "AUROC, same place",
        "found", "median delay, tokens", "false alarms per 1,000 on test",
        "alarm in the 32 tokens before", "the same by chance", "difference", "median lead, tokens",
    )  # fmt: skip
    rows = []
    for name, row in found["detectors"].items():
        r = row["rates"][rate]
        rows.append(
            [
                f"**{name}**" if row["of_flow"] else name,
                str(row["window"]),
                "high" if row["sign"] > 0 else "low",
                cell(row["token_auroc"]),
                NONE if name == "entropy" else cell(row["minus_rival"], "+.3f"),
                cell(row["place_auroc"], ".2f"),
                cell(r["found"], ".2f"),
                cell(r["median_delay_tokens"], ".0f"),
                cell(r["false_alarms_per_1000"], ".2f"),
                cell(r["foretold"], ".2f"),
                cell(r["foretold_by_chance"], ".2f"),
                cell(r["foretold_minus_chance"], "+.2f"),
                _plain(r["median_lead_tokens"]),
            ]
        )
    return markdown(head, rows)


def ahead(found: Numbers) -> str:
    """AUROC of scores before the onset against ordinary text at the same place."""
    onsets = found["onsets"]
    head = (
        "detector", "window", "sign", *(f"{h} before ({n} onsets)" for h, n in onsets.items()),
        "16 before, − entropy's",
    )  # fmt: skip
    rows = [
        [
            f"**{name}**" if row["of_flow"] else name,
            str(row["early"]["window"]),
            "high" if row["early"]["sign"] > 0 else "low",
            *(cell(row["early"][h], ".2f") for h in onsets),
            NONE if name == "entropy" else cell(row["early"]["minus_rival"], "+.2f"),
        ]
        for name, row in found["detectors"].items()
    ]
    return markdown(head, rows)


def constants(rows: Sequence[Numbers]) -> str:
    """Constants of the loop monitor, or why there are none."""
    head = (
        "model", "sampling", "texts", "tokens", "threshold, nats per token", "bound per 1,000",
        "alarmed texts", "alarms per 1,000 at temperature 0 and 0.3", "loops found there",
    )  # fmt: skip
    out = []
    for row in rows:
        if "absent" in row:
            cells = [
                str(row["texts_drawn"]),
                NONE,
                f"none: {row['absent'].split(';')[0]}",
                *[NONE] * 4,
            ]
        else:
            cells = [
                str(row["generations"]),
                f"{row['tokens']:,}",
                f"{row['threshold_nats']:.4f}",
                f"{row['upper_per_1000']:.2f}",
                str(row["alarmed"]),
                _plain(row.get("cold_false_alarms_per_1000")),
                f"{row['cold_found'][0]} of {row['cold_found'][1]}"
                if "cold_found" in row
                else NONE,
            ]
        out.append([row["model"], f"{row['sampling']}, {row['prompts']}", *cells])
    return markdown(head, out)


def every(result: Numbers) -> dict[str, str]:
    """All tables by the name of their marker."""
    out = {"law": law(result["law"]), "counts": counts(result["loops"])}
    out["halves"] = halves(result["loops"])
    for model, found in result["loops"].items():
        if "detectors" in found:
            out[f"detection 1 {model}"] = detection(found, "1")
            out[f"detection 5 {model}"] = detection(found, "5")
            out[f"ahead {model}"] = ahead(found)
    out["constants"] = constants(result["constants"])
    return out


def written_into(text: str, tables: Mapping[str, str]) -> str:
    """`text` with each table between its markers `<!-- name -->` and `<!-- /name -->`.

    Raises:
        SystemExit: A table has no place.

    Example:
        >>> written_into("<!-- a -->old<!-- /a -->", {"a": "new"})
        '<!-- a -->\\n\\nnew\\n\\n<!-- /a -->'
    """
    for name, table in tables.items():
        start, end = f"<!-- {name} -->", f"<!-- /{name} -->"
        if text.count(start) != 1 or text.count(end) != 1:
            raise SystemExit(f"README.md needs {start} and {end} once each, for a table")
        before, _, rest = text.partition(start)
        text = f"{before}{start}\n\n{table}\n\n{end}{rest.partition(end)[2]}"
    return text
