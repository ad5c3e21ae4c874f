"""What does it cost to watch a text while it is written?

The same prompt (a question with three RAGTruth documents), the same sampling, the same number of
tokens, prefill included on both sides:

    vs_generate           tokens per second, both laws with every column and three monitors, over
                          transformers' own `generate` without them (0.7 wanted)
    vs_generate_top_p     the same at temperature 0.7 and top-p 0.9 (not with --quick)
    tokens_per_second     of ours
"""

import json
import statistics
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

import torch  # noqa: E402
from common import arguments, finish  # noqa: E402

from flowgauge.live import GenerateSettings, generate  # noqa: E402
from flowgauge.live.offered import monitor_named  # noqa: E402
from flowgauge.models import load_model  # noqa: E402
from flowgauge.models.quiet import quiet_transformers  # noqa: E402
from flowgauge.records import Record, Sampling  # noqa: E402
from flowgauge.text import parse_record  # noqa: E402

DATA = HERE.parent.parent / "tests" / "data" / "ragtruth_qa_200.jsonl"
MONITORS = ("grounded", "loop", "sufficient")
WAYS = {"": Sampling(), "_top_p": Sampling(temperature=0.7, top_p=0.9)}


def prompt(*, quick: bool) -> Record:
    """The first record: its question and documents, one of them to be quick."""
    record = parse_record(json.loads(DATA.read_text().splitlines()[0]))
    return replace(record, documents=(record.documents or ())[: 1 if quick else None])


def ours(lm: Any, record: Record, sampling: Sampling, tokens: int, seed: int) -> float:
    """Tokens per second, monitored."""
    monitors = [monitor_named(name) for name in MONITORS]
    start = time.perf_counter()
    text = generate(
        record, lm, sampling=sampling, monitors=monitors, seed=seed,
        settings=GenerateSettings(max_tokens=tokens),
    )  # fmt: skip
    done = text.finish()
    return len(done.steps) / (time.perf_counter() - start)


def theirs(lm: Any, record: Record, sampling: Sampling, tokens: int, seed: int) -> float:
    """Tokens per second of transformers' `generate`, unmonitored."""
    ids = torch.from_numpy(generate(record, lm).prompt.tokens.prompt_ids)[None]
    torch.manual_seed(seed)
    start = time.perf_counter()
    with torch.inference_mode(), quiet_transformers():
        out = lm._model.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=tokens, do_sample=True,
            temperature=sampling.temperature, top_k=0, top_p=sampling.top_p,
        )  # fmt: skip
    return (out.shape[1] - ids.shape[1]) / (time.perf_counter() - start)


def measured(name: str, *, quick: bool) -> dict[str, Any]:
    lm, record = load_model(name), prompt(quick=quick)
    # A text that ends at once would time the prefill alone, so both sides go on to the limit.
    lm._model.generation_config.eos_token_id = None
    tokens, rounds = (24, 3) if quick else (192, 5)
    ours(lm, record, Sampling(), 4, 0)
    theirs(lm, record, Sampling(), 4, 0)
    out: dict[str, Any] = {}
    for suffix, sampling in list(WAYS.items())[: 1 if quick else None]:
        speeds = [
            (ours(lm, record, sampling, tokens, k), theirs(lm, record, sampling, tokens, k))
            for k in range(rounds)
        ]
        out[f"vs_generate{suffix}"] = round(statistics.median(a / b for a, b in speeds), 3)
        out[f"tokens_per_second{suffix}"] = round(statistics.median(a for a, _ in speeds), 2)
    return out


def main() -> None:
    args = arguments(__doc__.splitlines()[0])
    result = measured("smollm2-135m", quick=args.quick)
    result["gemma-3-270m"] = measured("gemma-3-270m", quick=args.quick)
    lines = [f"{key:24} {value}" for key, value in result.items()]
    finish(result, args, HERE, "\n".join(lines))


if __name__ == "__main__":
    main()
