"""The numbers as Markdown, and their place in the README between markers."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from recall.members import FAMILY, ONE_LAYER
from recall.tasks import TASKS

NONE = "–"
SPLITS = ("seen", "new values", "new forms", "same form", "longer")


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; the first column is text, the rest stand right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def spread(found: Sequence[float], form: str = ".3f") -> str:
    """Mean and interval.

    Example:
        >>> spread([0.91234, 0.8, 1.0])
        '0.912 [0.800, 1.000]'
    """
    mean, low, high = (f"{x:{form}}" for x in found)
    return f"{mean} [{low}, {high}]"


def solved(steps: Sequence[int | None]) -> str:
    """Median of the seeds that got there, and how many did.

    Example:
        >>> solved([100, None, 140]), solved([None])
        ('120 (2 of 3)', '– (0 of 1)')
    """
    there = [s for s in steps if s is not None]
    median = f"{statistics.median(there):.0f}" if there else NONE
    return f"{median} ({len(there)} of {len(steps)})"


def of_task(cells: Sequence[Mapping[str, Any]], members: Mapping[str, Any], task: str) -> str:
    """One row a member."""
    rows = [c for c in cells if c["task"] == task and c["member"] in members]
    if not rows:
        return ""
    splits = [s for s in SPLITS if s in rows[0]["accuracy"]]
    head = ("member", "parameters", "rate", *splits, "steps to 90 %", "seconds")
    return markdown(
        head,
        [
            [
                c["words"],
                f"{c['parameters']:,}",
                f"{c['rate']:g}" + (" (edge)" if c["is_at_edge"] else ""),
                *(spread(c["accuracy"][s]) for s in splits),
                solved(c["steps_to_90"]),
                f"{c['seconds']:.0f}",
            ]
            for c in rows
        ],
    )


def sweeps(cells: Sequence[Mapping[str, Any]]) -> str:
    """Loss and accuracy of every rate tried."""
    rates = sorted({s["rate"] for c in cells for s in c["sweep"]})
    rows = []
    for c in cells:
        tried = {s["rate"]: s for s in c["sweep"]}
        row = [f"{c['task']}, {c['words']}"]
        for rate in rates:
            found = tried.get(rate)
            loss = NONE if found is None or found["loss_nats"] is None else (
                f"{found['loss_nats']:.2g} ({found['accuracy']:.2f})"
            )  # fmt: skip
            row.append(f"**{loss}**" if rate == c["rate"] else loss)
        rows.append(row)
    return markdown(("task, member", *(f"{r:g}" for r in rates)), rows)


def differences(found: Sequence[Mapping[str, Any]], extra: Sequence[Mapping[str, Any]]) -> str:
    """Differences of accuracy, paired by seed."""
    rows = [
        [f"{d['task']} ({d['split']})", d["words"], spread(d["difference"], "+.3f")] for d in found
    ]
    for e in extra:
        words = next(
            d["words"] for d in found if (d["first"], d["second"]) == (e["first"], e["second"])
        )
        rows.append(["semantic less recall", words, spread(e["difference"], "+.3f")])
    return markdown(("task (split)", "members", "difference"), rows)


def cosines(found: Sequence[Mapping[str, Any]]) -> str:
    """How alike synonyms are in the embedding, one row a member."""
    head = ("member", "two forms of a concept that never met", "forms of different concepts")
    rows = [
        [c["words"], spread(c["new_forms"], "+.3f"), spread(c["others"], "+.3f")] for c in found
    ]
    return markdown(head, rows)


def every(result: Mapping[str, Any]) -> dict[str, str]:
    """All tables by the name of their markers."""
    cells = result["cells"]
    out = {task: of_task(cells, FAMILY, task) for task in TASKS}
    out |= {f"one layer, {task}": of_task(cells, ONE_LAYER, task) for task in TASKS}
    out["cosines"] = cosines(result["cosines"]) if result["cosines"] else ""
    out["differences"] = differences(result["differences"], result["of_synonyms"])
    out["sweeps"] = sweeps(cells)
    return {name: table for name, table in out.items() if table}


def written_into(text: str, found: Mapping[str, str]) -> str:
    """A page with each table between its markers; a table without markers is an error."""
    for name, table in found.items():
        start, end = f"<!-- {name} -->", f"<!-- /{name} -->"
        before, rest = text.split(start)
        text = f"{before}{start}\n\n{table}\n\n{end}{rest.split(end)[1]}"
    return text
