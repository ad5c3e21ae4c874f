"""The rate–distortion step over a large vocabulary, as a multiple of log-softmax.

`rd_step_vs_log_softmax(quick)` is the time of `rate_distortion_step` for 256 tokens × 262,144
vocabulary × 16 multipliers (laws, rates, distortions, certificates) over that of 16 log-softmax
passes over the same array: torch, float32, the median over 5 interleaved rounds. The laws go to
the caller four tokens at a time, since all at once would be 4 GB. One thread for both sides: the
step's many short operations would otherwise measure how busy the other cores are. Quick: 36 tokens.
"""

import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent.parent))

from common import interleaved, ratio

from flowgauge.rate import rate_distortion_step, rate_distortion_sweep

ROUNDS = 5
VOCABULARY = 262_144
MULTIPLIERS = torch.tensor(np.geomspace(0.03, 100.0, 16))
#: Tokens whose laws are held at once: 16 · 4 · 1 MB.
AT_ONCE = 4


def laws(tokens: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Two next-token laws per position, like a language model's: peaked, long-tailed, related."""
    generator = torch.Generator().manual_seed(0)
    logits = 3.0 * torch.randn(tokens, VOCABULARY, generator=generator)
    noise = torch.randn(tokens, VOCABULARY, generator=generator)
    return torch.log_softmax(1.3 * logits + noise, -1), torch.log_softmax(logits, -1)


def check(log_p: torch.Tensor, log_m: torch.Tensor) -> None:
    """The fast float32 answer is the float64 one, before its time counts for anything."""
    single = rate_distortion_step(log_p, log_m, MULTIPLIERS[:, None])
    double = rate_distortion_sweep(
        *(torch.log_softmax(law.double(), -1) for law in (log_p, log_m)), MULTIPLIERS
    )
    error = max(
        float((single.rate - double.rate).abs().max()),
        float((single.distortion - double.distortion).abs().max()),
    )
    if not bool(single.converged.all()) or error > 1e-5:
        raise RuntimeError(f"float32 is off by {error} nats, or did not converge")


def timings(quick: bool) -> dict[str, list[float]]:
    """Seconds per round of the step and of the log-softmax passes."""
    log_p, log_m = laws(36 if quick else 256)
    check(log_p[:2], log_m[:2])

    def step() -> None:
        for start in range(0, len(log_p), AT_ONCE):
            rows = slice(start, start + AT_ONCE)
            rate_distortion_step(log_p[rows], log_m[rows], MULTIPLIERS[:, None])

    def log_softmax() -> None:
        for _ in MULTIPLIERS:
            torch.log_softmax(log_p, -1)

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return interleaved({"step": step, "log_softmax": log_softmax}, ROUNDS)
    finally:
        torch.set_num_threads(threads)


def rd_step_vs_log_softmax(quick: bool) -> float:
    """Time of the step relative to as many log-softmax passes."""
    return ratio(timings(quick), "step", "log_softmax")


if __name__ == "__main__":
    seconds = timings("--quick" in sys.argv)
    for name, values in seconds.items():
        print(name, " ".join(f"{value:.2f}" for value in values), "s")
    print(f"rd_step_vs_log_softmax {ratio(seconds, 'step', 'log_softmax'):.2f}")
