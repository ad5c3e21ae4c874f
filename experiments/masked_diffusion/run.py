"""Train a causal and a masked-diffusion member of one size, compare likelihoods and flows.

python experiments/masked_diffusion/run.py --quick    a few updates and stories, one to two minutes
python experiments/masked_diffusion/run.py            everything; trained members are kept
"""

import argparse
import json
import platform
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import flowgauge as fg  # noqa: E402
from flowgauge.models import HuggingFaceModel  # noqa: E402
from flowgauge.models.masked_diffusion import MaskedDiffusionModel  # noqa: E402
from masked_diffusion import data, flows, likelihood, tables, train  # noqa: E402
from masked_diffusion.plan import QUICK, WHOLE, Sizes  # noqa: E402

RUNS = HERE.parents[1] / "runs" / "masked_diffusion"


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--assets", type=Path, default=data.ASSETS, help="folder of data sets")
    parser.add_argument("--runs", type=Path, default=RUNS, help="where trained members are kept")
    parser.add_argument("--quick", action="store_true", help="a few updates and stories")
    parser.add_argument("--json", action="store_true", help="print the result as JSON alone")
    return parser.parse_args(argv)


def versions() -> dict[str, str]:
    """Of what the numbers depend on."""
    import torch
    import transformers

    found = {m.__name__: m.__version__ for m in (np, torch, transformers)}
    return {"python": platform.python_version(), "flowgauge": fg.__version__, **found}


def measured(args: argparse.Namespace, sizes: Sizes, say: Any) -> dict[str, Any]:
    """Every number of the experiment."""
    stories, held_out = data.split(data.stories(args.assets))
    folder = args.runs / "quick" if args.quick else args.runs
    models: dict[str, Any] = {}
    training = {}
    for name in train.MODELS:
        models[name] = train.trained(name, folder, stories, sizes.training, say)
        training[name] = {
            "parameters": train.parameters(models[name]),
            "updates": sizes.training.steps,
        }
    tokenizer = data.tokenizer()
    causal = HuggingFaceModel(models["causal"], tokenizer, "causal")
    diffusion = MaskedDiffusionModel(models["diffusion"], tokenizer, "diffusion")
    say("likelihoods")
    bounds = likelihood.compared(causal, diffusion, data.records(held_out), sizes)
    say("flows")
    from_prompt = flows.compared(causal, diffusion, held_out, sizes)
    say("texts of its own")
    return {
        "date": time.strftime("%Y-%m-%d"),
        "versions": versions(),
        "sizes": asdict(sizes),
        "training": training,
        "likelihood": bounds,
        "flows": from_prompt,
        "written": flows.written(diffusion, held_out, sizes),
    }


def main(argv: Sequence[str] | None = None) -> None:
    """Train, measure, write."""
    args = arguments(argv)

    def say(text: str) -> None:
        if not args.json:
            print(text, flush=True)

    result = measured(args, QUICK if args.quick else WHOLE, say)
    out = args.runs / "quick" if args.quick else HERE
    text = json.dumps(result, indent=1, ensure_ascii=False) + "\n"
    (out / "result.json").write_text(text, encoding="utf-8")
    found = tables.every(result)
    if not args.quick:
        readme = HERE / "README.md"
        old = readme.read_text(encoding="utf-8")
        readme.write_text(tables.written_into(old, found), encoding="utf-8")
    if args.json:
        print(text, end="")
    for name, shown in found.items():
        say(f"\n{name}\n\n{shown}")


if __name__ == "__main__":
    main()
