"""Judge support and its rivals on RAGTruth QA and three sets of summaries.

    python experiments/ragtruth/run.py --quick           40 responses a set, one small observer
    python experiments/ragtruth/run.py                   everything, choosing halves alone
    python experiments/ragtruth/run.py --report          and the reported half

Measures what is not measured yet (resumable), runs the tools, writes result.json and tables.md.
"""

import argparse
import json
import platform
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import flowgauge as fg  # noqa: E402
from ragtruth import data, judge, measure, tables, tools  # noqa: E402
from ragtruth.answers import answers  # noqa: E402
from ragtruth.baselines import SCORES, usable  # noqa: E402
from ragtruth.sheet import Sheet, averaged, scale_of, sheet, with_responses  # noqa: E402

SEED = 0
Runs = Mapping[str, Mapping[str, fg.Run]]
Records = Mapping[str, Sequence[fg.Record]]
Sheets = dict[tuple[str, bool], Sheet]  # (set, whether it is the choosing half)


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--assets", type=Path, default=data.ASSETS, help="folder of data sets")
    parser.add_argument("--runs", type=Path, default=HERE.parents[1] / "runs" / "ragtruth")
    parser.add_argument("--out", type=Path, help="where results go (default: results/, or inside "
                        "--runs with --quick)")  # fmt: skip
    parser.add_argument("--observers", help="comma-separated; default smollm2-135m and, unless "
                        "--quick, gemma-3-270m")  # fmt: skip
    parser.add_argument("--quick", action="store_true", help="40 responses a set")
    parser.add_argument("--report", action="store_true", help="look at the reported half too")
    parser.add_argument("--no-measure", action="store_true", help="take the runs as they stand")
    parser.add_argument("--no-tools", action="store_true", help="leave the other tools out")
    parser.add_argument("--replicates", type=int, default=1000)
    return parser.parse_args(argv)


def sheets_of(
    records: Records, runs: Mapping[str, fg.Run], common: Mapping[str, set[str]], report: bool
) -> tuple[Sheets, list[str]]:
    """One observer's sheets of the halves that may be looked at."""
    out: Sheets = {}
    notes: list[str] = []
    for name, rows in records.items():
        for choosing in (True, False) if report else (True,):
            some = [r for r in rows if r.id in common[name] and data.is_choosing(r) == choosing]
            if some:
                found = answers(some, runs[name])
                scores, more = usable(SCORES, found)
                notes += [f"{name}: {line}" for line in more]
                out[name, choosing] = sheet(found, scores)
    return out, notes


def common_ids(records: Records, runs: Runs) -> dict[str, set[str]]:
    """Ids that every observer measured, by set."""
    out = {}
    for name, rows in records.items():
        ids = {r.id for r in rows}
        for of_observer in runs.values():
            ids &= set(of_observer[name])
        out[name] = ids
    return out


def with_tools(found: Sheets, scores: tools.ToolScores) -> Sheets:
    """Sheets with the tools' scores of responses; a tool counts where it judged every response."""
    out = {}
    for (name, choosing), s in found.items():
        columns = {}
        for tool, values in scores.scores.items():
            here = [values.get((name, a.id), np.nan) for a in s.answers]
            if not np.isnan(here).any():
                columns[tool] = np.array(here)
        out[name, choosing] = with_responses(s, columns)
    return out


def average(first: Sheets, second: Sheets) -> Sheets:
    """Two observers, each standardised on RAGTruth's choosing half, averaged."""
    one, two = (scale_of(x[data.RAGTRUTH, True]) for x in (first, second))
    return {k: averaged(first[k], second[k], one, two) for k in first}


def observer_numbers(found: Sheets, replicates: int) -> dict[str, Any]:
    """Everything about one observer."""
    four = {n: found[n, True] for n in data.SETS if (n, True) in found}
    return {
        "ragtruth": judge.halves(
            found[data.RAGTRUTH, True], found.get((data.RAGTRUTH, False)), replicates, SEED
        ),
        "four_sets": judge.four_sets(four, replicates, SEED),
    }


def provenance(runs: Runs, replicates: int) -> dict[str, Any]:
    """Date, versions, models, seed."""
    import sklearn
    import torch
    import transformers

    return {
        "date": time.strftime("%Y-%m-%d"),
        "seed": SEED,
        "replicates": replicates,
        "versions": {
            "python": platform.python_version(),
            "flowgauge": fg.__version__,
            **{m.__name__: m.__version__ for m in (np, sklearn, torch, transformers)},
        },
        "models": {o: next(iter(r.values())).manifest.get("model") for o, r in runs.items()},
        "support": {o: next(iter(r.values())).manifest.get("support") for o, r in runs.items()},
        "measured": {o: {n: len(x) for n, x in r.items()} for o, r in runs.items()},
        "failed": {o: {n: x.failed for n, x in r.items() if x.failed} for o, r in runs.items()},
    }


def write(result: dict[str, Any], out: Path, name: str = "result.json") -> None:
    """A result as JSON."""
    out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(result, indent=1, ensure_ascii=False)
    (out / name).write_text(text + "\n", encoding="utf-8")


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, judge, write, print."""
    args = arguments(argv)
    out = args.out or (args.runs / "quick" / "results" if args.quick else HERE / "results")
    names = args.observers or ("smollm2-135m" if args.quick else "smollm2-135m,gemma-3-270m")
    observers = names.split(",")
    assets = data.assets_folder(args.assets)
    records = {n: data.load(n, assets) for n in data.SETS}
    if args.quick:
        records = {n: data.spread(rows, 40) for n, rows in records.items()}
    said = tools.ToolScores(scores={})
    if not args.no_tools:
        said = tools.tool_scores(records, args.runs / "tools-environment")
        out.mkdir(parents=True, exist_ok=True)
        tools.write_csv(said, out / "tools.csv")
    door = measure.opened if args.no_measure else measure.measured
    runs = {o: door(records, o, args.runs, quick=args.quick) for o in observers}
    common = common_ids(records, runs)
    result = {**provenance(runs, args.replicates), "notes": list(said.failures), "observers": {}}
    for observer, sets in result["failed"].items():
        result["notes"] += [f"{observer}, {n}: {len(x)} rows not measured" for n, x in sets.items()]
    found = {}
    for observer in observers:
        found[observer], notes = sheets_of(records, runs[observer], common, args.report)
        result["notes"] += [f"{observer}, {line}" for line in notes]
    if len(observers) == 2:
        found["both, averaged"] = average(found[observers[0]], found[observers[1]])
    for name, sheets in found.items():
        result["observers"][name] = observer_numbers(with_tools(sheets, said), args.replicates)
    write(result, out)
    (out / "tables.md").write_text(tables.page(result), encoding="utf-8")
    print(tables.page(result))


if __name__ == "__main__":
    main()
