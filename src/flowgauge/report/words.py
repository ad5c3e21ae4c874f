"""The run's main answer in words, and its manifest as lines of a table.

Counts are of the stored outcomes; nothing is tested anew here.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

DRIVEN = "driven by the source"
NOT_FROM = "not from this source"
NEITHER = "neither"
BOTH = "both"

_ALONE = {
    DRIVEN: "The response is driven by its source.",
    NOT_FROM: "The response was not written from its source.",
    NEITHER: "The evidence does not settle whether the response is driven by its source.",
    BOTH: "The response fits neither law: not the model with its source, not the model without.",
}


def headline(outcomes: Sequence[str], failed: int) -> str:
    """The title line: how many responses are driven by their sources.

    Args:
        outcomes: Outcome of each measured response.
        failed: Number of rows that could not be measured.

    Example:
        >>> headline([DRIVEN, DRIVEN, NEITHER], failed=0)
        '2 of 3 responses are driven by their sources.'
    """
    total, driven = len(outcomes), Counter(outcomes)[DRIVEN]
    if total == 0:
        return "No response could be measured." if failed else "This run holds no responses."
    if total == 1:
        return _ALONE.get(outcomes[0], f"One response was measured: {outcomes[0]}.")
    if driven == 0:
        return f"None of {total:,} responses is shown to be driven by its source."
    if driven == total:
        return f"All {total:,} responses are driven by their sources."
    verb, owner = ("is", "its source") if driven == 1 else ("are", "their sources")
    return f"{driven:,} of {total:,} responses {verb} driven by {owner}."


def remainder(outcomes: Sequence[str], failed: int) -> str:
    """What became of the responses that the title line does not count.

    Example:
        >>> remainder([DRIVEN, NOT_FROM, NEITHER, NEITHER], failed=1)
        '1 was not written from its source, 2 are not settled by the evidence, 1 row failed.'
    """
    count = Counter(outcomes)
    parts = []
    if len(outcomes) > 1:
        if n := count[NOT_FROM]:
            parts.append(f"{n:,} {'was' if n == 1 else 'were'} not written from {_owner(n)}")
        if n := count[NEITHER]:
            parts.append(f"{n:,} {'is' if n == 1 else 'are'} not settled by the evidence")
        if n := count[BOTH]:
            parts.append(f"{n:,} {'fits' if n == 1 else 'fit'} neither law")
    if failed:
        parts.append(f"{failed:,} {'row' if failed == 1 else 'rows'} failed")
    return ", ".join(parts) + "." if parts else ""


def _owner(n: int) -> str:
    return "its source" if n == 1 else "their sources"


def provenance_lines(manifest: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Every entry of a manifest, nested ones by their path, as (name, value) texts.

    Example:
        >>> provenance_lines({"model": {"name": "tiny"}, "orders": [-1.0, 0.5], "pool": None})
        [('model › name', 'tiny'), ('orders', '-1.0, 0.5'), ('pool', '–')]
    """
    return list(_lines((), manifest))


def _lines(path: tuple[str, ...], value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and value and len(path) > 1:  # deep numbers on one line
        yield " › ".join(path), "; ".join(f"{name}: {text}" for name, text in _lines((), value))
    elif isinstance(value, Mapping) and (value or not path):
        for key, inner in value.items():
            yield from _lines((*path, str(key).replace("_", " ")), inner)
    elif isinstance(value, list | tuple) and any(isinstance(v, Mapping) for v in value):
        for number, inner in enumerate(value):
            yield from _lines((*path, str(number)), inner)
    elif isinstance(value, list | tuple):
        yield " › ".join(path), ", ".join(_text(v) for v in value) or "–"
    else:
        yield " › ".join(path), _text(value)


def _text(value: Any) -> str:
    if value is None or value == {} or value == "":
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return "/".join(map(_text, value))
    return str(round(value, 6)) if isinstance(value, float) else str(value)
