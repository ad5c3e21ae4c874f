"""Two rows of logits become numbers: where the vocabulary axis dies (theory §2).

`Reducer` walks a few rows at a time, so that every intermediate stays in the processor's cache:
the cost is memory traffic, and the arithmetic is nearly free. `exact_columns` is the plain way
through `flowgauge.math`, in float64: for tables, for zero probabilities, and for the rare rows
whose ratios leave the range in which single precision is safe.

With d = log P/Q − KL, E_P d = 0, so by Jensen E_P e^{λd} ≥ 1: what underflows below e^{−87+|λ|d}
cannot matter while |d| ≤ 55, and e^{d} cannot overflow a single-precision sum over 2^20 tokens.
"""

from typing import Any

import numpy as np
import torch

from flowgauge.math import entropy, kl_divergence, log_moment
from flowgauge.records import FloatArray, IntArray, TokenScores

SAFE_LOG_RATIO = 55.0
#: Rows are walked so that one buffer takes about this much (a share of a core's cache).
SLICE_BYTES = 2 * 2**20
_BLOCK = 512


def top_k(x: torch.Tensor, k: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Largest k entries of each row (values, indices), best first.

    The k largest lie in the k blocks with the largest maxima, so one pass for the maxima and a
    search among k blocks replace a search among all.
    """
    rows, vocab = x.shape
    whole = vocab - vocab % _BLOCK
    if vocab < 4 * k * _BLOCK:
        return torch.topk(x, k)
    blocks = x[:, :whole].view(rows, -1, _BLOCK)
    best = torch.topk(blocks.amax(-1), k).indices  # (rows, k)
    ids = (best[:, :, None] * _BLOCK + torch.arange(_BLOCK, device=x.device)).view(rows, -1)
    if whole < vocab:
        rest = torch.arange(whole, vocab, device=x.device).expand(rows, -1)
        ids = torch.cat((ids, rest), dim=1)
    values, places = torch.topk(x.gather(1, ids), k)
    return values, ids.gather(1, places)


def _row_sums(x: torch.Tensor, y: torch.Tensor, work: torch.Tensor) -> torch.Tensor:
    # Pairwise summation: 1e-7 relative where a BLAS dot over 262,144 terms makes 2e-6.
    return torch.mul(x, y, out=work).sum(-1).double()


def _row_dots(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    # Half the time of `_row_sums`; good enough under a logarithm.
    return torch.stack([torch.dot(a, b) for a, b in zip(x, y, strict=True)]).double()


class Columns:
    """Float64 columns for `time` positions, filled piece by piece."""

    def __init__(self, time: int, orders: tuple[float, ...], k: int) -> None:
        self.orders = np.asarray(orders, dtype=np.float64)
        names = ("log_p", "log_q", "drift", "variance", "entropy_p", "entropy_q")
        self.data: dict[str, Any] = {n: np.full(time, np.nan) for n in names}
        self.data["log_moments"] = np.full((time, len(orders)), np.nan)
        for law in "pq":
            self.data[f"top_{law}_ids"] = np.zeros((time, k), dtype=np.int64)
            self.data[f"top_{law}_log"] = np.full((time, k), np.nan)

    def put(self, at: slice, **values: torch.Tensor) -> None:
        """Write rows `at` of the named columns."""
        for name, value in values.items():
            self.data[name][at] = value.cpu().numpy()

    def scores(self, at: slice) -> TokenScores:
        """Rows `at` as a record."""
        return TokenScores(orders=self.orders, **{n: v[at] for n, v in self.data.items()})


def exact_columns(
    logits_p: torch.Tensor, logits_q: torch.Tensor, ids: torch.Tensor, orders: FloatArray, k: int
) -> dict[str, torch.Tensor]:
    """All columns of some rows in float64, through flowgauge.math.

    Args:
        logits_p: (rows, vocab) of P; −inf is a zero probability.
        logits_q: (rows, vocab) of Q.
        ids: (rows,) tokens written.
        orders: (order,) the λ grid.
        k: Number of alternatives.
    """
    log_p = torch.log_softmax(logits_p.double(), -1)
    log_q = torch.log_softmax(logits_q.double(), -1)
    ratio = torch.where(log_p > -torch.inf, log_p - log_q, torch.zeros_like(log_p))
    drift = kl_divergence(log_p, log_q)
    centred = torch.where(log_p > -torch.inf, ratio - drift[:, None], torch.zeros_like(ratio))
    top_p, top_q = torch.topk(log_p, k), torch.topk(log_q, k)
    return {
        "log_p": log_p.gather(1, ids[:, None])[:, 0],
        "log_q": log_q.gather(1, ids[:, None])[:, 0],
        "drift": drift.clamp(min=0.0),
        "variance": (log_p.exp() * centred.square()).sum(-1),
        "entropy_p": entropy(log_p),
        "entropy_q": entropy(log_q),
        "log_moments": log_moment(log_p, log_q, orders),
        "top_p_ids": top_p.indices,
        "top_p_log": top_p.values,
        "top_q_ids": top_q.indices,
        "top_q_log": top_q.values,
    }


class Reducer:
    """Fast columns of single-precision logits; holds the work buffers of a few rows.

    Args:
        orders: λ grid; multiples of 1/4 within [−1, 1] cost one multiplication each.
        k: Number of alternatives of each law.
    """

    def __init__(self, orders: tuple[float, ...], k: int) -> None:
        self.orders = orders
        self.k = k
        self._buffers: tuple[torch.Tensor, ...] = ()

    def reduce(
        self,
        logits_p: torch.Tensor,
        logits_q: torch.Tensor,
        ids: IntArray,
        out: Columns,
        start: int,
    ) -> None:
        """Fill `out` from row `start` on. The logits are used up: they are changed in place."""
        vocab = logits_p.shape[1]
        k = min(self.k, vocab)
        tokens = torch.from_numpy(ids).to(logits_p.device)
        rows = max(1, SLICE_BYTES // (4 * vocab))
        for first in range(0, len(ids), rows):
            here = slice(first, min(first + rows, len(ids)))
            there = slice(start + here.start, start + here.stop)
            p, q, u = logits_p[here], logits_q[here], tokens[here]
            if p.dtype == torch.float64:
                out.put(there, **exact_columns(p, q, u, out.orders, k))
                continue
            # bfloat16 becomes float32 here, float32 stays what it is.
            p, q = p.float(), q.float()
            columns, is_safe = self._slice(p, q, u, k)
            out.put(there, **columns)
            for row in np.flatnonzero(~is_safe):
                # The maxima were subtracted in place, which no law notices.
                one = slice(int(row), int(row) + 1)
                exact = exact_columns(p[one], q[one], u[one], out.orders, k)
                out.put(slice(there.start + int(row), there.start + int(row) + 1), **exact)

    def _work(self, like: torch.Tensor) -> tuple[torch.Tensor, ...]:
        if not self._buffers or self._buffers[0].shape[1] != like.shape[1]:
            rows = max(1, SLICE_BYTES // (4 * like.shape[1]))
            self._buffers = tuple(
                torch.empty(rows, like.shape[1], dtype=torch.float32, device=like.device)
                for _ in range(5)
            )
        return tuple(b[: len(like)] for b in self._buffers)

    def _slice(
        self, p: torch.Tensor, q: torch.Tensor, ids: torch.Tensor, k: int
    ) -> tuple[dict[str, torch.Tensor], np.ndarray]:
        weights, d, w, t, s = self._work(p)
        top_p, top_p_ids = top_k(p, k)
        top_q, top_q_ids = top_k(q, k)
        max_p, max_q = top_p[:, :1].clone(), top_q[:, :1].clone()
        p.sub_(max_p)
        q.sub_(max_q)
        torch.exp(q, out=w)
        mass_q = w.sum(-1).double()
        entropy_q = mass_q.log() - _row_sums(w, q, s) / mass_q
        torch.exp(p, out=weights)
        mass_p = weights.sum(-1).double()
        entropy_p = mass_p.log() - _row_sums(weights, p, s) / mass_p
        torch.sub(p, q, out=d)
        mean = _row_sums(weights, d, s) / mass_p
        d.sub_(mean.float()[:, None])
        # The mean was rounded when it was subtracted: first moment of what is left.
        left = _row_sums(weights, d, t) / mass_p
        variance = _row_sums(t, d, s) / mass_p - left.square()
        shift = mean.float().double() + left
        drift = shift - mass_p.log() + mass_q.log()
        low, high = torch.aminmax(d, dim=1) if len(d) > 1 else torch.aminmax(d)
        range_d = torch.maximum(low.abs(), high.abs()).reshape(-1).double()
        # Equal laws give exact zeros, which two ways of summing would miss by 1e-8.
        differ = (range_d > 0).double()[:, None]
        orders = torch.tensor(self.orders, dtype=torch.float64, device=p.device)
        moments = differ * self._moments(weights, d, (w, t), mass_p, left)
        moments += orders * drift[:, None]
        log_p = p.gather(1, ids[:, None])[:, 0].double() - mass_p.log()
        log_q = q.gather(1, ids[:, None])[:, 0].double() - mass_q.log()
        is_safe = (range_d <= SAFE_LOG_RATIO) & torch.isfinite(drift) & torch.isfinite(variance)
        columns = {
            "log_p": log_p,
            "log_q": log_q,
            "drift": drift.clamp(min=0.0),
            "variance": variance.clamp(min=0.0),
            "entropy_p": entropy_p.clamp(min=0.0),
            "entropy_q": entropy_q.clamp(min=0.0),
            "log_moments": moments,
            "top_p_ids": top_p_ids,
            "top_p_log": (top_p - max_p).double() - mass_p.log()[:, None],
            "top_q_ids": top_q_ids,
            "top_q_log": (top_q - max_q).double() - mass_q.log()[:, None],
        }
        return columns, is_safe.cpu().numpy()

    def _moments(
        self,
        weights: torch.Tensor,
        d: torch.Tensor,
        buffers: tuple[torch.Tensor, torch.Tensor],
        mass: torch.Tensor,
        left: torch.Tensor,
    ) -> torch.Tensor:
        """(rows, order) log E_P[e^{λ d}] with d recentred by `left`."""
        found: dict[float, torch.Tensor] = {}
        for sign in (1.0, -1.0):
            wanted = [o for o in self.orders if o * sign > 0]
            step = min((abs(o) for o in wanted), default=1.0)
            self._powers(weights, d, buffers, sign * step, wanted, found)
        nought = torch.zeros(len(d), dtype=torch.float64, device=d.device)
        columns = [
            (found[o] / mass).log() - o * left if o in found else nought for o in self.orders
        ]
        return torch.stack(columns, dim=1)

    @staticmethod
    def _powers(
        weights: torch.Tensor,
        d: torch.Tensor,
        buffers: tuple[torch.Tensor, torch.Tensor],
        step: float,
        orders: list[float],
        found: dict[float, torch.Tensor],
    ) -> None:
        """Sums Σ weights·e^{λ d}; multiples of `step` cost one product each, others one exp."""
        base, power = buffers
        torch.mul(d, step, out=base).exp_()
        reached = 1
        for order in sorted(orders, key=abs):
            times = round(order / step)
            if times * step == order and times >= reached:
                if times == 1:
                    found[order] = _row_dots(weights, base)
                    continue
                if reached == 1:
                    torch.mul(base, base, out=power)
                    reached = 2
                while reached < times:
                    power.mul_(base)
                    reached += 1
                found[order] = _row_dots(weights, power)
            else:
                found[order] = _row_dots(weights, (d * order).exp_())
