"""What do source pointers cost, and are they the model's own attention?

Real RAGTruth answers, scored with and without the pointers of the model's copy heads:

    pointers_vs_without   time with / time without (1.10 at most wanted)
    extra_mb              peak memory with − without, one answer to 4,000 source tokens (--quick:
                          500; 20 wanted)
    max_abs_difference    largest difference of a pointer to the eager attention's (1e-4 wanted)
"""

import json
import statistics
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
sys.path.insert(0, str(HERE.parent.parent / "tests"))

import numpy as np  # noqa: E402
from common import arguments, finish, interleaved, peak_mb, ratio  # noqa: E402
from oracles.pointers import pointers_of  # noqa: E402

from flowgauge.lens import CopyHeads, SourcePointers, copy_heads  # noqa: E402
from flowgauge.models import load_model  # noqa: E402
from flowgauge.records import Record, Tokens  # noqa: E402
from flowgauge.scores import score  # noqa: E402
from flowgauge.text import ChatTemplate, Omit, PlainTemplate, align, parse_record  # noqa: E402

DATA = HERE.parent.parent / "tests" / "data" / "ragtruth_qa_200.jsonl"
LONG_SOURCE = 4000
LONG_SOURCE_QUICK = 500


def records() -> list[Record]:
    return [parse_record(json.loads(line)) for line in DATA.read_text().splitlines()]


def tokens_of(lm: Any, record: Record) -> Tokens:
    template = ChatTemplate(lm.chat) if lm.has_chat_template else PlainTemplate()
    return align(record.id, template.compose(record, Omit()), record.response, lm)


def groups(rows: list[Record]) -> dict[tuple[str, ...], list[Record]]:
    out: dict[tuple[str, ...], list[Record]] = {}
    for record in rows:
        out.setdefault(record.documents or (), []).append(record)
    return out


def long_record(lm: Any, rows: list[Record], source: int) -> Tokens:
    """One answer and the documents of many questions, about `source` tokens of them."""
    documents = [d for some in groups(rows) for d in some]
    record = replace(rows[0], documents=tuple(documents))
    while len(tokens_of(lm, record).prompt_ids) > source:
        record = replace(record, documents=record.documents[:-1])
    return tokens_of(lm, record)


def extra_mb(lm: Any, tokens: Tokens, heads: CopyHeads, rounds: int) -> float:
    """Median peak with pointers less median peak without; a first round warms the allocator."""
    with_, without = [], []
    for _ in range(rounds + 1):
        without.append(peak_mb(lambda: score([tokens], lm)))
        with_.append(peak_mb(lambda: score([tokens], lm, probe=SourcePointers(heads))))
    return statistics.median(with_[1:]) - statistics.median(without[1:])


def difference(lm: Any, tokens: list[Tokens], heads: CopyHeads) -> float:
    found = score(tokens, lm, probe=SourcePointers(heads))
    return max(
        float(np.abs(f.pointers.mass - pointers_of(lm, t, heads.heads)[0]).max())
        for f, t in zip(found, tokens, strict=True)
    )


def measured(name: str, *, quick: bool) -> dict[str, Any]:
    lm = load_model(name)
    heads = copy_heads(lm)
    rows = records()
    by_source = list(groups(rows).values())
    different = [tokens_of(lm, g[0]) for g in by_source[: 1 if quick else 6]]
    shared = [
        tokens_of(lm, r) for g in by_source[: 1 if quick else 2] for r in g[: 2 if quick else 6]
    ]
    short = sorted(rows, key=lambda r: len(r.response) + len("".join(r.documents or ())))
    score(different[:1], lm, probe=SourcePointers(heads))
    out: dict[str, Any] = {}
    for kind, some in (("", different), ("_shared", shared)):
        seconds = interleaved(
            {
                "without": lambda some=some: score(some, lm),
                "with": lambda some=some: score(some, lm, probe=SourcePointers(heads)),
            },
            2 if quick else 5,
        )
        out[f"pointers_vs_without{kind}"] = round(ratio(seconds, "with", "without"), 3)
    long = long_record(lm, rows, LONG_SOURCE_QUICK if quick else LONG_SOURCE)
    out["extra_mb"] = round(extra_mb(lm, long, heads, 1 if quick else 3), 1)
    checked = [tokens_of(lm, r) for r in short[: 1 if quick else 6]]
    out["max_abs_difference"] = float(f"{difference(lm, checked, heads):.2g}")
    out["heads"] = len(heads.heads)
    return out


def main() -> None:
    args = arguments(__doc__.splitlines()[0])
    result = measured("smollm2-135m", quick=args.quick)
    if not args.quick:
        result["gemma-3-270m"] = measured("gemma-3-270m", quick=False)
    lines = [f"{key:28} {value}" for key, value in result.items()]
    finish(result, args, HERE, "\n".join(lines))


if __name__ == "__main__":
    main()
