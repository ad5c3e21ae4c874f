"""Draw texts, check the sub-martingale, look for loops, calibrate the loop monitor.

python experiments/e2_semantic_flow/run.py --quick    two small plans, minutes
python experiments/e2_semantic_flow/run.py            everything, resumable
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
from e2_semantic_flow import (  # noqa: E402
    constants,
    data,
    generations,
    judge,
    labels,
    law,
    loops,
    others,
    pictures,
    plan,
    tables,
)
from e2_semantic_flow.written import Written  # noqa: E402
from flowgauge.live.qq import qq_svg  # noqa: E402
from flowgauge.live.submartingale import SubmartingaleReport  # noqa: E402

TABULAR_TEXTS = 2000


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--assets", type=Path, default=data.ASSETS, help="folder of data sets")
    parser.add_argument("--runs", type=Path, default=data.ROOT / "runs" / "e2_semantic_flow")
    parser.add_argument("--quick", action="store_true", help="few texts of what travels along")
    parser.add_argument("--models", help="comma-separated; all by default")
    parser.add_argument("--generate-only", action="store_true", help="draw, judge nothing")
    parser.add_argument("--no-generate", action="store_true", help="take the texts as they stand")
    parser.add_argument("--replicates", type=int, default=1000)
    return parser.parse_args(argv)


def say(text: str) -> None:
    """Progress."""
    print(text, flush=True)


def law_sets(texts: generations.Texts) -> list[tuple[str, list[Written]]]:
    """Sets of texts, with what they are and under which law, model by model."""
    out: list[tuple[str, list[Written]]] = []
    for sampling in ("plain", "warm"):
        words = f"table, {plan.WORDS[sampling]}, sampling law"
        out.append((words, generations.tabular(sampling, TABULAR_TEXTS)))
    for (model, name), found in texts.items():
        sampling, _, kind = name.removesuffix(generations.OF_MODEL).partition("-")
        of_model = name.endswith(generations.OF_MODEL) or sampling in plan.COLD
        by = "model's law" if of_model else "sampling law"
        out.append((f"{model}, {kind}, {plan.WORDS[sampling]}, {by}", found))
    return out


def provenance(replicates: int) -> dict[str, Any]:
    """Date, versions, constants that were fixed before."""
    import torch
    import transformers

    return {
        "date": time.strftime("%Y-%m-%d"),
        "replicates": replicates,
        "versions": {
            "python": platform.python_version(),
            "flowgauge": fg.__version__,
            **{m.__name__: m.__version__ for m in (np, torch, transformers)},
        },
        "settings": {
            "min_block": labels.MIN_BLOCK,
            "copies": labels.COPIES,
            "lead": judge.LEAD,
            "alpha": law.ALPHA,
            "threshold_nats": law.THRESHOLD_NATS,
            "monitor_window": constants.WINDOW,
        },
    }


def write_json(result: Any, file: Path) -> None:
    """A result as JSON."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def write(result: dict[str, Any], reports: Mapping[str, SubmartingaleReport], out: Path) -> None:
    """JSON files and pictures."""
    write_json(result, out / "result.json")
    write_json(result["constants"], out / "loop_calibration.json")
    for name, report in reports.items():
        model, _, rest = name.partition(", ")
        if plan.WORDS["plain"] in rest and report.residuals is not None:
            (out / f"qq-{model}.svg").write_text(qq_svg(report) + "\n", encoding="utf-8")


def main(argv: Sequence[str] | None = None) -> None:
    """Draw, judge, write."""
    args = arguments(argv)
    folder = args.runs / "quick" if args.quick else args.runs
    names = args.models.split(",") if args.models else None
    conditions = [c for c in plan.conditions(args.quick) if not names or c.model in names]
    if not args.no_generate:
        generations.generate(conditions, args.assets, folder, args.quick, say)
    if args.generate_only:
        return
    texts = generations.read_all(conditions, folder)
    its = {c.model: [d for d in conditions if d.model == c.model] for c in conditions}
    sets = law_sets(texts) + ([] if args.quick else others.sets(texts, folder, args.assets, say))
    reports = {name: law.report(found) for name, found in sets if found}
    result = provenance(args.replicates) | {
        "law": [{"name": name, "numbers": law.numbers(r)} for name, r in reports.items()],
        "loops": {m: loops.of_model(some, texts, args.replicates) for m, some in its.items()},
        "constants": [x for some in its.values() for x in constants.calibrations(some, texts)],
    }
    out = folder / "results" if args.quick else HERE / "results"
    write(result, reports, out)
    shown = {m: list(loops.halves(some, texts)[0].values()) for m, some in its.items()}
    (out / "onset.svg").write_text(pictures.onset_svg(shown), encoding="utf-8")
    found_tables = tables.every(result)
    if not args.quick:
        readme = HERE / "README.md"
        old = readme.read_text(encoding="utf-8")
        readme.write_text(tables.written_into(old, found_tables), encoding="utf-8")
    for name, table in found_tables.items():
        say(f"\n{name}\n\n{table}")


if __name__ == "__main__":
    main()
