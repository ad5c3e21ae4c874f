"""Train members of the family on copying and recall; tables with intervals over seeds.

python experiments/recall/run.py --quick    two members, one task, within a minute
python experiments/recall/run.py            everything, resumable
"""

import argparse
import json
import platform
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE.parent))

from recall import judge, plan, tables, training, trainings  # noqa: E402


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="within a minute, in its own folder")
    parser.add_argument("--json", action="store_true", help="one JSON object on one line")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "recall")
    parser.add_argument("--processes", type=int, default=2, help="trainings at a time")
    parser.add_argument("--no-train", action="store_true", help="judge what was trained so far")
    return parser.parse_args(argv)


def say(text: str) -> None:
    """Progress; standard output is for the result."""
    print(text, file=sys.stderr, flush=True)


def provenance(chosen: plan.Plan) -> dict[str, Any]:
    """Date, versions, settings."""
    import numpy
    import torch
    import transformers

    import flowgauge

    return {
        "date": time.strftime("%Y-%m-%d"),
        "versions": {
            "python": platform.python_version(),
            **{m.__name__: m.__version__ for m in (flowgauge, numpy, torch, transformers)},
        },
        "settings": {
            "steps": chosen.steps,
            "batch": training.BATCH,
            "weight_decay": training.WEIGHT_DECAY,
            "sweep_seed": plan.SWEEP_SEED,
            "seeds": list(chosen.seeds),
            "tested_sequences": training.TESTED,
            "confidence": judge.CONFIDENCE,
        },
    }


def main(argv: Sequence[str] | None = None) -> None:
    """Train, judge, write."""
    args = arguments(argv)
    chosen = plan.QUICK if args.quick else plan.FULL
    folder = args.runs / "quick" if args.quick else args.runs
    if args.no_train:
        done = trainings.read(folder, chosen)
    else:
        done = trainings.run(chosen, folder, args.processes, say)
    result = provenance(chosen) | judge.judged(chosen, done)
    found = tables.every(result)
    out = folder if args.quick else HERE / "results"
    out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(result, ensure_ascii=False)
    (out / "result.json").write_text(
        json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    if not args.quick:
        readme = HERE / "README.md"
        old = readme.read_text(encoding="utf-8")
        readme.write_text(tables.written_into(old, found), encoding="utf-8")
    print(text if args.json else "\n\n".join(f"{name}\n\n{t}" for name, t in found.items()))


if __name__ == "__main__":
    main()
