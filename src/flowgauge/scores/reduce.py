"""Two rows of logits become numbers: where the vocabulary axis dies (theory §2).

`Reducer` walks blocks of a few rows and some thousand tokens, so that every intermediate stays in
the processor's cache; all columns are sums over the vocabulary, so blocks simply add up in float64.
`exact_columns` is the plain way through `flowgauge.math`, in float64: for tables, for zero
probabilities, and for the rare rows whose logits leave the range that single precision holds.

With a, b the two rows of logits, each less a constant near its largest entry, and d = a − b, one
small matrix product per block,

    [e^a, e^b] · [1, a, b, d, d², e^{d/4}, e^{2d/4}, e^{3d/4}, e^d]ᵀ

holds all of them: normalisers, entropies, drift, variance, and every moment of the grid: Σ e^a
e^{kd/4} for λ = k/4 and, since P^{1−k/4} Q^{k/4} = e^b e^{(4−k)d/4} up to normalisers, Σ e^b
e^{(4−k)d/4} for λ = −k/4. What belongs to one law is computed from that law alone, so the same
reference gives the same numbers whatever P is.
"""

from typing import Any

import numpy as np
import torch

from flowgauge.math import entropy, kl_divergence, log_moment
from flowgauge.records import FloatArray, IntArray, TokenScores

#: A block: rows × tokens, so that its dozen buffers stay in a core's cache and calling torch costs
#: little. Single-precision sums run over the tokens of one block, then in float64.
BLOCK_ROWS = 16
BLOCK_VOCAB = 2**13
#: a, b are at most MOST_TOP and e^d at most e^MOST_RATIO: then no sum over 2^20 tokens overflows,
#: and what underflows is below e^{-87 + 13} of a sum that Jensen keeps above 1.
MOST_TOP = 40.0
MOST_RATIO = 40.0
#: d is centred where its mean is larger, so that its variance is no difference of large numbers.
MOST_MEAN = 6.0
QUARTERS = 4
#: Places of the terms; the powers of e^{d/4} come last.
ONE, OF_A, OF_B, D, SQUARE, POWER = range(6)
TERMS = POWER + QUARTERS
_SEARCH = 512


def block_maxima(x: torch.Tensor) -> torch.Tensor:
    """Largest entry of each run of 512 entries of each row; the last run may be shorter."""
    rows, width = x.shape
    whole = width - width % _SEARCH
    best = x[:, :whole].unflatten(1, (-1, _SEARCH)).amax(-1) if whole else x.new_empty(rows, 0)
    if whole == width:
        return best
    return torch.cat((best, x[:, whole:].amax(-1, keepdim=True)), dim=1)


def top_k(x: torch.Tensor, maxima: torch.Tensor, k: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Largest k entries of each row (values, indices), best first.

    They lie in the k runs with the largest maxima, so a search among k runs replaces one among all.

    Args:
        x: (rows, vocab).
        maxima: (rows, run) from `block_maxima`.
        k: At most vocab.
    """
    rows, vocab = x.shape
    if maxima.shape[1] <= k:
        return torch.topk(x, k)
    best = torch.topk(maxima, k).indices
    ids = (best[:, :, None] * _SEARCH + torch.arange(_SEARCH, device=x.device)).view(rows, -1)
    inside = ids < vocab
    found = x.gather(1, ids.clamp(max=vocab - 1)).masked_fill(~inside, -torch.inf)
    values, places = torch.topk(found, k)
    return values, ids.gather(1, places)


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
    """Fast columns of single-precision logits; holds the work buffers of one block.

    Args:
        orders: λ grid; multiples of 1/4 within [−1, 1] come out of one matrix product, others of
            the exact way.
        k: Number of alternatives of each law.
    """

    def __init__(self, orders: tuple[float, ...], k: int) -> None:
        self.orders = orders
        self.k = k
        self._is_quarters = all(QUARTERS * o == round(QUARTERS * o) and abs(o) <= 1 for o in orders)
        self._buffers: dict[str, torch.Tensor] = {}

    def reduce(
        self,
        logits_p: torch.Tensor,
        logits_q: torch.Tensor,
        ids: IntArray,
        out: Columns,
        start: int,
    ) -> None:
        """Fill `out` from row `start` on. The logits stay as they are."""
        vocab = logits_p.shape[1]
        k = min(self.k, vocab)
        tokens = torch.from_numpy(ids).to(logits_p.device)
        is_exact = logits_p.dtype == torch.float64 or not self._is_quarters
        for first in range(0, len(ids), BLOCK_ROWS):
            here = slice(first, min(first + BLOCK_ROWS, len(ids)))
            there = slice(start + here.start, start + here.stop)
            p, q, u = logits_p[here], logits_q[here], tokens[here]
            if is_exact:
                out.put(there, **exact_columns(p, q, u, out.orders, k))
                continue
            # bfloat16 becomes float32 here, float32 stays what it is.
            columns, is_safe = self._slice(p.float(), q.float(), u, k)
            out.put(there, **columns)
            for row in torch.nonzero(~is_safe)[:, 0].tolist():
                one = slice(row, row + 1)
                exact = exact_columns(p[one], q[one], u[one], out.orders, k)
                out.put(slice(there.start + row, there.start + row + 1), **exact)

    def _buffer(self, name: str, *shape: int, like: torch.Tensor) -> torch.Tensor:
        found = self._buffers.get(name)
        if found is None or found.shape != shape:
            # Ones, for the first of the terms is the constant 1; the others are written over.
            found = torch.ones(shape, dtype=torch.float32, device=like.device)
            self._buffers[name] = found
        return found

    def _slice(
        self, p: torch.Tensor, q: torch.Tensor, ids: torch.Tensor, k: int
    ) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        sums = self._walk(p, q, None)
        mean = sums.of_p[:, D] / sums.of_p[:, ONE]
        far = torch.nonzero(mean.abs() > MOST_MEAN)[:, 0]
        if len(far):
            sums.replace(far, self._walk(p[far], q[far], mean[far].float()))
        top_p, top_p_ids = top_k(p, sums.maxima_p, k)
        top_q, top_q_ids = top_k(q, sums.maxima_q, k)
        mass_p, mass_q = sums.of_p[:, ONE], sums.of_q[:, ONE]
        # log P = p − log_z_p for the logits as they came; log P/Q = d + gap for the d summed.
        shift_p, shift_q = sums.shift.double()
        log_z_p, log_z_q = shift_p + mass_p.log(), shift_q + mass_q.log()
        gap = mass_q.log() - mass_p.log() + sums.offset.double()
        mean = sums.of_p[:, D] / mass_p
        columns = {
            "log_p": p.gather(1, ids[:, None])[:, 0].double() - log_z_p,
            "log_q": q.gather(1, ids[:, None])[:, 0].double() - log_z_q,
            "drift": (mean + gap).clamp(min=0.0),
            "variance": (sums.of_p[:, SQUARE] / mass_p - mean.square()).clamp(min=0.0),
            "entropy_p": (mass_p.log() - sums.of_p[:, OF_A] / mass_p).clamp(min=0.0),
            "entropy_q": (mass_q.log() - sums.of_q[:, OF_B] / mass_q).clamp(min=0.0),
            "log_moments": self._moments(sums, gap),
            "top_p_ids": top_p_ids,
            "top_p_log": top_p.double() - log_z_p[:, None],
            "top_q_ids": top_q_ids,
            "top_q_log": top_q.double() - log_z_q[:, None],
        }
        is_safe = (sums.largest <= MOST_RATIO) & (mean.abs() <= MOST_MEAN)
        is_safe &= (top_p[:, 0] - shift_p <= MOST_TOP) & (top_q[:, 0] - shift_q <= MOST_TOP)
        is_safe &= torch.isfinite(columns["variance"]) & torch.isfinite(columns["drift"])
        is_safe &= torch.isfinite(columns["log_moments"]).all(-1)
        return columns, is_safe

    def _walk(self, p: torch.Tensor, q: torch.Tensor, offset: torch.Tensor | None) -> "_Sums":
        """Sums over the vocabulary, with d less `offset`."""
        first = slice(0, BLOCK_VOCAB)
        shift = torch.stack((p[:, first].amax(-1), q[:, first].amax(-1)))
        sums = _Sums(shift, torch.zeros_like(shift[0]) if offset is None else offset)
        maxima_p, maxima_q = [], []
        for start in range(0, p.shape[1], BLOCK_VOCAB):
            block = slice(start, start + BLOCK_VOCAB)
            a, b = self._add_block(p[:, block], q[:, block], sums, is_centred=offset is not None)
            maxima_p.append(block_maxima(a))
            maxima_q.append(block_maxima(b))
        sums.maxima_p, sums.maxima_q = torch.cat(maxima_p, 1), torch.cat(maxima_q, 1)
        return sums

    def _add_block(
        self, p: torch.Tensor, q: torch.Tensor, sums: "_Sums", *, is_centred: bool
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Add one block to the sums; returns its a and b."""
        rows, width = p.shape
        weights = self._buffer("weights", rows, 2, width, like=p)
        terms = self._buffer("terms", rows, TERMS, width, like=p)
        # Rows of logits lie a power of two apart, where caches collide: read them once.
        a = torch.sub(p, sums.shift[0, :, None], out=terms[:, OF_A])
        b = torch.sub(q, sums.shift[1, :, None], out=terms[:, OF_B])
        torch.exp(a, out=weights[:, 0])
        torch.exp(b, out=weights[:, 1])
        d = torch.sub(a, b, out=terms[:, D])
        if is_centred:
            d.sub_(sums.offset[:, None])
        torch.mul(d, d, out=terms[:, SQUARE])
        torch.mul(d, 1 / QUARTERS, out=terms[:, POWER]).exp_()
        for k in range(POWER + 1, TERMS):
            torch.mul(terms[:, k - 1], terms[:, POWER], out=terms[:, k])
        sums.largest = torch.maximum(sums.largest, d.amax(-1))
        product = torch.bmm(weights, terms.transpose(1, 2)).double()
        sums.of_p += product[:, 0]
        sums.of_q += product[:, 1]
        return a, b

    def _moments(self, sums: "_Sums", gap: torch.Tensor) -> torch.Tensor:
        """(rows, order) ψ(λ) from the sums; exactly 0 where the laws are equal."""
        log_mass_p, log_mass_q = sums.of_p[:, ONE].log(), sums.of_q[:, ONE].log()
        out = torch.zeros(len(gap), len(self.orders), dtype=torch.float64, device=gap.device)
        differ = sums.of_p[:, SQUARE] > 0
        for column, order in enumerate(self.orders):
            k = round(QUARTERS * abs(order))
            if order > 0:
                value = sums.of_p[:, POWER + k - 1].log() - log_mass_p + order * gap
            elif 0 < k < QUARTERS:
                rest = QUARTERS - k
                value = sums.of_q[:, POWER + rest - 1].log() - log_mass_q + rest / QUARTERS * gap
            else:  # λ = 0 and λ = −1: both laws have mass 1
                continue
            out[:, column] = torch.where(differ, value, 0.0)
        return out


class _Sums:
    """Float64 sums over the vocabulary for some rows: e^a and e^b times each of the terms.

    Attributes:
        shift: (2, rows) constants taken off the logits of P and of Q.
        offset: (rows,) constant taken off d besides.
        largest: (rows,) largest d.
        maxima_p, maxima_q: (rows, run) from `block_maxima`.
    """

    maxima_p: torch.Tensor
    maxima_q: torch.Tensor

    def __init__(self, shift: torch.Tensor, offset: torch.Tensor) -> None:
        rows, device = len(offset), offset.device
        self.shift, self.offset = shift, offset
        self.of_p = torch.zeros(rows, TERMS, dtype=torch.float64, device=device)
        self.of_q = torch.zeros(rows, TERMS, dtype=torch.float64, device=device)
        self.largest = torch.full((rows,), -torch.inf, device=device)

    def replace(self, rows: torch.Tensor, other: "_Sums") -> None:
        """Put the sums of `other` in the place of some rows."""
        self.of_p[rows], self.of_q[rows] = other.of_p, other.of_q
        self.offset[rows], self.largest[rows] = other.offset, other.largest
