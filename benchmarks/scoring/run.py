"""How much more than the model's own passes does it cost to have every column?

Three ways to the same columns (both laws' log-probabilities, drift, variance, entropies, eight log
moments, top 5), on real RAGTruth answers:

    ours     flowgauge.scores.score
    bare     two forward passes a record that return logits at the response positions, no columns
    naive    two full forward passes a record, float32 log-softmax of all positions, all columns

`vs_bare` = ours / bare (below 1.15 wanted), `vs_naive` = naive / ours on 12 answers to 12 sources,
`vs_naive_shared` = naive / ours on 18 answers to 3 sources, `fast_vs_bare` = bfloat16 / bare.
"""

import itertools
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from common import arguments, finish, interleaved, peak_mb, ratio  # noqa: E402

from flowgauge.models import load_model  # noqa: E402
from flowgauge.pipeline.precision import precision_errors  # noqa: E402
from flowgauge.records import ORDERS, Tokens, TokenScores  # noqa: E402
from flowgauge.scores import score  # noqa: E402
from flowgauge.text import ChatTemplate, Omit, PlainTemplate, align, parse_record  # noqa: E402

DATA = HERE.parent.parent / "tests" / "data" / "ragtruth_qa_200.jsonl"


def records(lm: Any) -> list[tuple[str, Tokens]]:
    """(source, tokens) of every answer in the file."""
    template = ChatTemplate(lm.chat) if lm.has_chat_template else PlainTemplate()
    out = []
    for line in DATA.read_text().splitlines():
        row = json.loads(line)
        record = parse_record(row)
        tokens = align(record.id, template.compose(record, Omit()), record.response, lm)
        out.append((row["source_id"], tokens))
    return out


def different(items: list[tuple[str, Tokens]], n: int) -> list[Tokens]:
    """One answer to each of n sources."""
    return [next(g)[1] for _, g in itertools.groupby(items, key=lambda x: x[0])][:n]


def shared(items: list[tuple[str, Tokens]], sources: int) -> list[Tokens]:
    """Six answers to each of some sources."""
    groups = [[t for _, t in g] for _, g in itertools.groupby(items, key=lambda x: x[0])]
    return [t for group in [g for g in groups if len(g) >= 6][:sources] for t in group[:6]]


def _ids(prefix: Any, response: Any) -> torch.Tensor:
    return torch.from_numpy(np.concatenate((prefix, response)))[None]


def bare(model: Any, tokens: list[Tokens]) -> None:
    with torch.inference_mode():
        for t in tokens:
            for prefix in (t.prompt_ids, t.reference_ids):
                ids = _ids(prefix, t.response_ids)
                model(input_ids=ids, use_cache=False, logits_to_keep=len(t.response_ids) + 1)


def naive(model: Any, tokens: list[Tokens]) -> list[TokenScores]:
    out = []
    with torch.inference_mode():
        for t in tokens:
            laws = []
            for prefix in (t.prompt_ids, t.reference_ids):
                logits = model(input_ids=_ids(prefix, t.response_ids), use_cache=False).logits[0]
                laws.append(torch.log_softmax(logits.float(), -1)[len(prefix) - 1 : -1])
            out.append(naive_columns(*laws, torch.from_numpy(t.response_ids)))
    return out


def truth(model: Any, tokens: list[Tokens]) -> list[TokenScores]:
    """The columns by their definitions in float64, from the model's own full logits."""
    out = []
    with torch.inference_mode():
        for t in tokens:
            laws = []
            for prefix in (t.prompt_ids, t.reference_ids):
                logits = model(input_ids=_ids(prefix, t.response_ids), use_cache=False).logits[0]
                laws.append(torch.log_softmax(logits[len(prefix) - 1 : -1].double(), -1))
            out.append(naive_columns(*laws, torch.from_numpy(t.response_ids)))
    return out


def naive_columns(p: torch.Tensor, q: torch.Tensor, ids: torch.Tensor) -> TokenScores:
    weight, log_ratio = p.exp(), p - q
    drift = (weight * log_ratio).sum(-1)
    top_p, top_q = p.topk(5), q.topk(5)
    columns: dict[str, torch.Tensor] = {
        "log_p": p.gather(1, ids[:, None])[:, 0],
        "log_q": q.gather(1, ids[:, None])[:, 0],
        "drift": drift,
        "variance": (weight * (log_ratio - drift[:, None]).square()).sum(-1),
        "entropy_p": -(weight * p).sum(-1),
        "entropy_q": -(q.exp() * q).sum(-1),
        "log_moments": torch.stack([torch.logsumexp(p + o * log_ratio, -1) for o in ORDERS], 1),
        "top_p_ids": top_p.indices,
        "top_p_log": top_p.values,
        "top_q_ids": top_q.indices,
        "top_q_log": top_q.values,
    }
    arrays = {k: (v.double() if v.is_floating_point() else v).numpy() for k, v in columns.items()}
    return TokenScores(orders=np.array(ORDERS), **arrays)


def measure(name: str, quick: bool) -> dict[str, Any]:
    lm = load_model(name)
    items = records(lm)
    model = lm._model
    if quick:  # the shortest sources, so that it stays quick
        items.sort(key=lambda item: (len(item[1].prompt_ids), item[0]))
    twelve = different(items, 2 if quick else 12)
    eighteen = shared(items, 1 if quick else 3)
    if quick and name.startswith("gemma"):
        twelve, eighteen = twelve[:1], eighteen[:2]
    elif quick:
        eighteen = eighteen[:3]
    score(twelve[:1], lm)  # first calls allocate and choose kernels
    bare(model, twelve[:1])
    exact = score(twelve, lm)
    # The definitions in float64 take longer than all the rest, so on a few records.
    few = twelve[:4]
    differences = precision_errors(truth(model, few), score(few, lm))["columns"]
    largest = max(column["largest"] for column in differences.values())
    rounds = 1 if quick else 5
    seconds = interleaved(
        {
            "ours": lambda: score(twelve, lm),
            "bare": lambda: bare(model, twelve),
            "naive": lambda: naive(model, twelve),
            "ours_shared": lambda: score(eighteen, lm),
            "naive_shared": lambda: naive(model, eighteen),
        },
        rounds,
    )
    result: dict[str, Any] = {
        "vs_bare": ratio(seconds, "ours", "bare"),
        "vs_naive": ratio(seconds, "naive", "ours"),
        "vs_naive_shared": ratio(seconds, "naive_shared", "ours_shared"),
        "peak_mb_above_model": peak_mb(lambda: score(twelve, lm)),
        "naive_peak_mb_above_model": None if quick else peak_mb(lambda: naive(model, twelve)),
        "max_abs_difference": largest,
        "max_abs_difference_of": {k: v["largest"] for k, v in differences.items()},
        "seconds": {k: round(float(np.median(v)), 3) for k, v in seconds.items()},
        "records": len(twelve),
        "records_shared": len(eighteen),
    }
    fast = lm.fast()
    if fast is not None:
        found = score(twelve, fast)
        more = interleaved(
            {"fast": lambda: score(twelve, fast), "bare": lambda: bare(model, twelve)}, rounds
        )
        result["fast_vs_bare"] = ratio(more, "fast", "bare")
        result["fast_errors"] = precision_errors(exact, found)["columns"]
    else:
        result["fast_vs_bare"] = None
    return result


def main() -> None:
    args = arguments(__doc__.splitlines()[0])
    result = {name: measure(name, args.quick) for name in ("smollm2-135m", "gemma-3-270m")}
    lines = []
    for name, r in result.items():
        lines.append(name)
        lines += [f"  {k:26} {v:.4g}" for k, v in r.items() if isinstance(v, int | float)]
    finish(result, args, HERE, "\n".join(lines))


if __name__ == "__main__":
    main()
