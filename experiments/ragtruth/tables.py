"""The numbers as markdown tables."""

from collections.abc import Mapping, Sequence
from typing import Any

Numbers = Mapping[str, Any]
HALVES = {"choose": "choosing half", "report": "reported half"}
NO_NUMBER = "–"


def cell(found: Sequence[float | None] | None, *, signed: bool = False) -> str:
    """A number with its interval.

    Example:
        >>> cell([0.8431, 0.8, 0.881]), cell([-0.02, -0.05, 0.01], signed=True), cell(None)
        ('0.843 [0.800, 0.881]', '-0.020 [-0.050, +0.010]', '–')
    """
    if found is None or found[0] is None:
        return NO_NUMBER
    form = "+.3f" if signed else ".3f"
    if found[1] is None or found[2] is None:
        return f"{found[0]:{form}}"
    return f"{found[0]:{form}} [{found[1]:{form}}, {found[2]:{form}}]"


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; the first column is text, the rest stand right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def _of_items(found: Numbers, what: str) -> str:
    """Responses or tokens: one table a half."""
    out = []
    for half, words in HALVES.items():
        if half not in found:
            continue
        here = found[half][what]
        title = (
            f"{what.capitalize()}, {words}: {here['n']:,}, {here['unsupported']:,} unsupported, "
            f"{here['sources']} sources"
        )
        rows = [
            [
                name,
                cell(row["auroc"]),
                cell(row["average_precision"]),
                cell(row["f1"]),
                cell(row.get("auroc_minus_support"), signed=True),
            ]
            for name, row in here["scores"].items()
        ]
        head = ("score", "AUROC", "average precision", "F1", "AUROC − support's")
        out.append(f"{title}\n\n{markdown(head, rows)}")
    return "\n".join(out)


def groups(found: Numbers, key: str, title: str) -> str:
    """AUROC within groups: one table a half, a column a group."""
    out = []
    for half, words in HALVES.items():
        if half not in found or not found[half][key]:
            continue
        here = found[half][key]
        head = ["score", *(f"{g} ({x['unsupported']:,} of {x['n']:,})" for g, x in here.items())]
        names = next(iter(here.values()))["auroc"]
        rows = [[n, *(cell(x["auroc"][n]) for x in here.values())] for n in names]
        out.append(f"{title}, {words}: AUROC\n\n{markdown(head, rows)}")
    return "\n".join(out)


def sets(found: Numbers) -> str:
    """Four choosing sets and their mean."""
    head = [
        "score",
        *(f"{n} ({x['unsupported']} of {x['n']})" for n, x in found["sets"].items()),
        "mean",
        "mean − support's",
    ]
    rows = [
        [
            name,
            *(cell(row[n]) for n in found["sets"]),
            cell(row["mean"]),
            cell(row.get("mean_minus_support"), signed=True),
        ]
        for name, row in found["scores"].items()
    ]
    return f"Four choosing sets, responses: AUROC\n\n{markdown(head, rows)}"


def observer_tables(name: str, found: Numbers) -> str:
    """All tables of one observer."""
    parts = [
        f"## Observer: {name}\n",
        _of_items(found["ragtruth"], "responses"),
        _of_items(found["ragtruth"], "tokens"),
        sets(found["four_sets"]),
        groups(found["ragtruth"], "kinds", "Responses by kind of unsupported span"),
        groups(found["ragtruth"], "token_kinds", "Tokens by kind of unsupported span"),
        groups(found["ragtruth"], "generators", "Responses by generating model"),
        groups(found["ragtruth"], "refusals", "Responses with and without refusals"),
    ]
    return "\n".join(p for p in parts if p)


def page(result: Numbers) -> str:
    """The whole of tables.md."""
    head = [
        "# RAGTruth QA and three sets of summaries: tables\n",
        f"Written by `run.py` on {result['date']}; every number is in `result.json`. Unsupported "
        f"text is what is to be found; 95 % intervals from {result['replicates']:,} draws of "
        "sources. F1 at the threshold that is best on the choosing half (so it is optimistic "
        "there).\n",
    ]
    if "report" not in next(iter(result["observers"].values()))["ragtruth"]:
        head.append("The reported half was not looked at (`--report` does).\n")
    head += [f"- {note}" for note in result["notes"]]
    if result["notes"]:
        head.append("")
    return "\n".join([*head, *(observer_tables(k, v) for k, v in result["observers"].items())])
