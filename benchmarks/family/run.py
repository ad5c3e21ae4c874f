"""What do the members of the family cost, in training and in writing?

One mixer of width 256, float32, batch 1, on two threads; the same weights in transformers' modules
in plain torch. A training step is forward and backward; decoding is one token after a prefix.

    mamba2_vs_scan_1024   time with states one after another / time in chunks, 1,024 tokens (≥ 3)
    length_exponent       slope of log time over log length, largest of linear members (≤ 1.15)
    decode_exponent       the same for one token's time, largest of linear members (about 0)

`theirs` is left out where it would take minutes: the backward pass through transformers' loop over
Mamba's positions grows with their square (each position's gradient is written into a whole zero
tensor). Load is the number of processes that wanted a core, at the start and at the end.
"""

import math
import os
import statistics
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

import torch  # noqa: E402
import transformers  # noqa: E402
from common import arguments, finish, interleaved, ratio  # noqa: E402
from torch import Tensor, nn  # noqa: E402
from transformers.models.llama import modeling_llama  # noqa: E402
from transformers.models.mamba.modeling_mamba import MambaMixer  # noqa: E402
from transformers.models.mamba2.modeling_mamba2 import Mamba2Mixer  # noqa: E402

from flowgauge.architectures import (  # noqa: E402
    Attention,
    AttentionConfig,
    LinearAttention,
    LinearAttentionConfig,
    Rotary,
)
from flowgauge.architectures.mamba import Mamba, MambaConfig  # noqa: E402
from flowgauge.architectures.mamba2 import Mamba2, Mamba2Config  # noqa: E402
from flowgauge.architectures.scan import scan, sequential_scan  # noqa: E402
from flowgauge.architectures.selective import Drive  # noqa: E402

WIDTH, HEADS, STATE = 256, 8, 64
LENGTHS = (256, 1024, 4096)
LINEAR = ("mamba", "mamba2", "linear_attention")
THEIR_MAMBA_AT_MOST = 256
TOKENS = 100  # written after each prefix


class Recurrent(Mamba2):
    """Mamba-2 with all states written out by a scan, in place of the products of chunks."""

    def __init__(self, config: Mamba2Config, way: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__(config)
        self.way = way

    def mix(self, value: Tensor, drive: Drive, memory: Tensor) -> tuple[Tensor, Tensor]:
        del memory  # nothing was read before: it is zero in every run here
        x = value.unflatten(-1, (HEADS, -1)) * drive.dt[..., None]
        decay = torch.exp(-drive.dt * self.A_log.exp())[..., None, None]
        h = self.way(decay, x[..., None] * drive.b[..., None, :])
        return (h @ drive.c[..., None])[..., 0].flatten(-2), h[:, -1]


class TheirAttention(nn.Module):
    """Llama's attention (SDPA) with its rotary positions and a cache as a model would give them."""

    def __init__(self) -> None:
        super().__init__()
        config = transformers.LlamaConfig(
            hidden_size=WIDTH, num_attention_heads=HEADS, max_position_embeddings=8192
        )
        config._attn_implementation = "sdpa"
        self.inner = modeling_llama.LlamaAttention(config, layer_idx=0)
        self.rotary = modeling_llama.LlamaRotaryEmbedding(config)

    def forward(self, u: Tensor, cache: Any = None) -> Tensor:
        start = 0 if cache is None else cache.get_seq_length()
        turns = self.rotary(u, torch.arange(start, start + u.shape[1])[None])
        out = self.inner(u, position_embeddings=turns, attention_mask=None, cache=cache)
        return out[0]


def pairs() -> dict[str, tuple[nn.Module, nn.Module | None, Any]]:
    """name -> our member, transformers' module with the same weights, its configuration."""
    torch.manual_seed(0)
    first = transformers.MambaConfig(hidden_size=WIDTH, num_hidden_layers=1)
    second = transformers.Mamba2Config(
        hidden_size=WIDTH,
        state_size=STATE,
        num_heads=HEADS,
        head_dim=2 * WIDTH // HEADS,
        n_groups=1,
        chunk_size=64,
        num_hidden_layers=1,
    )
    theirs = {
        "mamba": (MambaMixer(first, 0), first),
        "mamba2": (Mamba2Mixer(second, 0), second),
        "attention": (TheirAttention(), None),
    }
    ours: dict[str, nn.Module] = {
        "mamba": Mamba(MambaConfig(width=WIDTH)),
        "mamba2": Mamba2(Mamba2Config(width=WIDTH, heads=HEADS, state=STATE)),
        "attention": Attention(AttentionConfig(width=WIDTH, heads=HEADS, rotary=Rotary())),
        "linear_attention": LinearAttention(LinearAttentionConfig(width=WIDTH, heads=HEADS)),
    }
    out: dict[str, tuple[nn.Module, nn.Module | None, Any]] = {}
    for name, member in ours.items():
        module, config = theirs.get(name, (None, None))
        if module is not None:
            copied = module.inner if name == "attention" else module
            member.load_state_dict(copied.state_dict())
        out[name] = (member, module, config)
    return out


def step_of(module: nn.Module, u: Tensor) -> Callable[[], None]:
    def run() -> None:
        module.zero_grad()
        module(u).sum().backward()

    return run


def slope(seconds: dict[int, float]) -> float:
    """Least squares slope of log time over log length."""
    x, y = [math.log(n) for n in seconds], [math.log(s) for s in seconds.values()]
    return statistics.linear_regression(x, y).slope


def training(members: dict[str, Any], *, quick: bool) -> dict[str, Any]:
    """Milliseconds of a training step by member and length, ours and theirs."""
    out: dict[str, Any] = {name: {"ours": {}, "theirs": {}} for name in members}
    their_mamba = 0 if quick else THEIR_MAMBA_AT_MOST
    for length in LENGTHS:
        u = torch.randn(1, length, WIDTH)
        ways = {}
        for name, (ours, theirs, _) in members.items():
            ways[name, "ours"] = step_of(ours, u)
            if theirs is not None and (name != "mamba" or length <= their_mamba):
                ways[name, "theirs"] = step_of(theirs, u)
        interleaved(ways, 1)  # memory is asked for and touched for the first time
        for (name, whose), times in interleaved(ways, 5).items():
            out[name][whose][length] = 1000 * statistics.median(times)
    return out


class Writing:
    """Our member or transformers' module in the midst of a text, one token at a time."""

    def __init__(self, module: Any, state: Any, *, ours: bool) -> None:
        self.module, self.state, self.ours = module, state, ours

    def __call__(self, u_i: Tensor) -> None:
        if self.ours:
            self.state, _ = self.module.step(self.state, u_i)
        else:
            self.module(u_i[None], cache=self.state)


def after_prefixes(members: dict[str, Any], u: Tensor) -> dict[Any, Writing]:
    """(name, whose, length) -> a text that has read the first tokens of u, (1, time, width)."""
    out = {}
    for name, (ours, theirs, config) in members.items():
        state = ours.initial_state(1)
        for i in range(u.shape[1]):
            state, _ = ours.step(state, u[:, i])
            if i + 1 in LENGTHS:
                out[name, "ours", i + 1] = Writing(ours, state, ours=True)
        for length in LENGTHS if theirs is not None else ():
            cache = transformers.DynamicCache(config=config)
            theirs(u[:, :length], cache=cache)
            out[name, "theirs", length] = Writing(theirs, cache, ours=False)
    return out


@torch.no_grad()
def decoding(members: dict[str, Any]) -> dict[str, Any]:
    """Milliseconds of one token after prefixes of each length, ours and theirs, interleaved."""
    out: dict[str, Any] = {name: {"ours": {}, "theirs": {}} for name in members}
    u_i = torch.randn(1, WIDTH)
    texts = after_prefixes(members, torch.randn(1, LENGTHS[-1], WIDTH))
    # By length: the same module twice running would find its weights in the cache.
    ways = {key: partial(texts[key], u_i) for key in sorted(texts, key=lambda key: key[2])}
    for (name, whose, length), times in interleaved(ways, TOKENS).items():
        out[name][whose][length] = 1000 * statistics.median(times)
    return out


def chunks_against_scans(batch: int, rounds: int) -> dict[str, float]:
    """Training step of Mamba-2 at 1,024 tokens: recurrence by two scans against chunks."""
    config = Mamba2Config(width=WIDTH, heads=HEADS, state=STATE)
    u = torch.randn(batch, 1024, WIDTH)
    members = {"chunks": Mamba2(config)}
    for name, way in (("in_order", sequential_scan), ("own_gradient", scan)):
        members[name] = Recurrent(config, way)
        members[name].load_state_dict(members["chunks"].state_dict())
        difference = (members[name](u) - members["chunks"](u)).abs().max().item()
        if difference > 1e-4:
            raise RuntimeError(f"{name} differs from chunks by {difference}")
    seconds = interleaved({name: step_of(m, u) for name, m in members.items()}, rounds)
    tail = "" if batch == 1 else f"_batch{batch}"
    return {
        f"mamba2_vs_scan_1024{tail}": round(ratio(seconds, "in_order", "chunks"), 2),
        f"mamba2_vs_scan_own_gradient_1024{tail}": round(
            ratio(seconds, "own_gradient", "chunks"), 2
        ),
    }


def difference(members: dict[str, Any]) -> float:
    """Largest relative difference of ours to theirs."""
    u, most = torch.randn(1, 200, WIDTH), 0.0
    for ours, theirs, _ in members.values():
        if theirs is not None:
            expected = theirs(u)
            most = max(most, ((ours(u) - expected).abs().max() / expected.abs().max()).item())
    return most


def rounded(times: dict[str, Any]) -> dict[str, Any]:
    return {
        name: {
            whose: {n: float(f"{ms:.3g}") for n, ms in by_length.items()}
            for whose, by_length in both.items()
            if by_length
        }
        for name, both in times.items()
    }


def main() -> None:
    args = arguments(__doc__.splitlines()[0])
    torch.set_num_threads(2)
    load = [os.getloadavg()[0]]
    members = pairs()
    result: dict[str, Any] = chunks_against_scans(1, 5)
    if not args.quick:
        result |= chunks_against_scans(4, 5)
    trained, decoded = training(members, quick=args.quick), decoding(members)
    for key, times in (("length_exponent", trained), ("decode_exponent", decoded)):
        slopes = {name: slope(times[name]["ours"]) for name in members}
        result[key] = round(max(slopes[name] for name in LINEAR), 3)
        result[f"{key}s"] = {name: round(s, 3) for name, s in slopes.items()}
    result["max_relative_difference"] = float(f"{difference(members):.2g}")
    result["training_ms"], result["decoding_ms"] = rounded(trained), rounded(decoded)
    result["load"] = [round(x, 1) for x in (*load, os.getloadavg()[0])]
    lines = [f"{key:40} {value}" for key, value in result.items()]
    finish(result, args, HERE, "\n".join(lines))


if __name__ == "__main__":
    main()
