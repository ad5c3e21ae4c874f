"""Writes the measured figures into README.md: `python benchmarks/write_readme.py`."""

import json
from pathlib import Path

ROOT = Path(__file__).parent.parent
START, END = "<!-- benchmarks: written by benchmarks/write_readme.py -->", "<!-- /benchmarks -->"


def scoring(result: dict) -> list[str]:
    """Rows of the scoring table."""
    rows = (
        ("time / two bare passes", "vs_bare", "{:.2f}"),
        ("naive way / ours, 12 answers to 12 sources", "vs_naive", "{:.2f} ×"),
        ("naive way / ours, 18 answers to 3 sources", "vs_naive_shared", "{:.2f} ×"),
        ("`--precision fast` / two bare passes", "fast_vs_bare", "{:.2f}"),
        ("peak memory above the model", "peak_mb_above_model", "{:.0f} MB"),
        ("the same, naive way", "naive_peak_mb_above_model", "{:.0f} MB"),
        ("largest difference of any column to float64 definitions", "max_abs_difference", "{:.1e}"),
    )
    models = [name for name in result if name != "machine"]
    lines = [f"| | {' | '.join(models)} |", "|---|" + "---|" * len(models)]
    for text, key, form in rows:
        cells = (form.format(result[m][key]) if result[m][key] is not None else "–" for m in models)
        lines.append(f"| {text} | {' | '.join(cells)} |")
    return lines


def block() -> str:
    """The figures as Markdown."""
    kept = json.loads((ROOT / "benchmarks" / "scoring" / "result.json").read_text())
    solvers = json.loads((ROOT / "benchmarks" / "solvers" / "result.json").read_text())
    support = json.loads((ROOT / "benchmarks" / "support" / "result.json").read_text())
    live = json.loads((ROOT / "benchmarks" / "live" / "result.json").read_text())
    family = json.loads((ROOT / "benchmarks" / "family" / "result.json").read_text())
    gemma = live["gemma-3-270m"]
    machine = kept["machine"]
    lines = [
        START,
        f"`make bench NAME=scoring`, {machine['date']}, {machine['threads']} threads of "
        f"{machine['processor']}, torch {machine['torch']}; medians of 5 interleaved rounds:",
        "",
        *scoring(kept),
        "",
        "`make bench NAME=solvers`, one thread: a rate–distortion step for 16 multipliers over "
        f"256 × 262,144 takes {solvers['rd_step_vs_log_softmax']:.1f} times as long as 16 "
        "log-softmax passes; the bounds of Gromov–Wasserstein for 2,000 points take "
        f"{solvers['gw_bounds_vs_pot']:.3f} of the time of POT's solver.",
        "",
        "`make bench NAME=support`: source pointers cost "
        f"{support['pointers_vs_without']:.2f} of the time without them (smollm2-135m; "
        f"{support['pointers_vs_without_shared']:.2f} where answers share their source; "
        f"gemma-3-270m {support['gemma-3-270m']['pointers_vs_without']:.2f}), "
        f"{support['extra_mb']:.1f} MB more at 4,000 source tokens, and differ from the eager "
        f"attention by at most {support['max_abs_difference']:.1e}.",
        "",
        "`make bench NAME=live`: a text written under both laws with every column and three "
        f"monitors comes at {live['vs_generate']:.2f} times the tokens per second of transformers' "
        f"`generate` without any measurement ({live['tokens_per_second']:.1f} a second; "
        f"gemma-3-270m {gemma['vs_generate']:.2f}; at temperature 0.7 and top-p 0.9 "
        f"{live['vs_generate_top_p']:.2f} and {gemma['vs_generate_top_p']:.2f}).",
        "",
        "`make bench NAME=family`: a training step of our chunked Mamba-2 takes "
        f"1/{family['mamba2_vs_scan_1024']:.1f} of a sequential scan's time at length 1,024; "
        "training of the linear members grows with length to the power "
        f"{family['length_exponent']:.2f} at most, the time of one written token to the power "
        f"{family['decode_exponent']:.2f}.",
        END,
    ]
    return "\n".join(lines)


def rewritten(text: str) -> str:
    """`text` with the figures of today between the markers."""
    before, _, rest = text.partition(START)
    _, _, after = rest.partition(END)
    return before + block() + after


if __name__ == "__main__":
    readme = ROOT / "README.md"
    readme.write_text(rewritten(readme.read_text(encoding="utf-8")), encoding="utf-8")
