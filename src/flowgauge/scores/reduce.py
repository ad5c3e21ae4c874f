"""Two rows of logits become numbers: where the vocabulary axis dies (theory §2).

`Reducer` walks blocks of a few rows and some thousand tokens, so that every intermediate stays in
the processor's cache; all columns are sums over the vocabulary, so blocks simply add up in float64.
`exact_columns` is the plain way through `flowgauge.math`, in float64: for tables, for zero
probabilities, and for the rare rows whose logits leave the range that single precision holds.

With a, b the two rows of logits and d = a − b, one small matrix product per block,

    [e^a, e^b] · [1, a − c, b − c', d, d², e^{d/4}, e^{2d/4}, e^{3d/4}, e^d]ᵀ

(c, c' constants of the row near its largest logits) holds all of them: normalisers, entropies,
drift, variance, and every moment of the grid: Σ e^a e^{kd/4} for λ = k/4 and, since P^{1−k/4}
Q^{k/4} = e^b e^{(4−k)d/4} up to normalisers, Σ e^b e^{(4−k)d/4} for λ = −k/4. What belongs to one
law is computed from that law alone, so the same reference gives the same numbers whatever P is.
"""

import itertools
from typing import Any

import numpy as np
import torch

from flowgauge.math import entropy, kl_divergence, log_moment
from flowgauge.records import FloatArray, IntArray, TokenScores

#: Sums over this many numbers at a time: eight buffers of them stay in a core's cache.
BLOCK_NUMBERS = 2**16
BLOCK_VOCAB = 2**15
#: Single-precision products are summed over at most this many numbers, then in float64.
CHUNK = 2**12
#: Top logits are kept in [0, MOST_TOP], and e^d below e^MOST_RATIO: then no sum over 2^20 tokens
#: overflows, and what underflows is below e^{-87 + 13} of a sum that Jensen keeps above 1.
MOST_TOP = 40.0
MOST_RATIO = 40.0
#: d is centred where its mean is larger, so that its variance is no difference of large numbers.
MOST_MEAN = 6.0
QUARTERS = 4
#: Places of the terms: 1, a − c, b − c', d, d², then the powers of e^{d/4}.
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
        """Fill `out` from row `start` on. The logits are used up: they may change in place."""
        vocab = logits_p.shape[1]
        k = min(self.k, vocab)
        tokens = torch.from_numpy(ids).to(logits_p.device)
        is_exact = logits_p.dtype == torch.float64 or not self._is_quarters
        rows = max(1, BLOCK_NUMBERS // min(vocab, BLOCK_VOCAB))
        for first in range(0, len(ids), rows):
            here = slice(first, min(first + rows, len(ids)))
            there = slice(start + here.start, start + here.stop)
            p, q, u = logits_p[here], logits_q[here], tokens[here]
            if is_exact:
                out.put(there, **exact_columns(p, q, u, out.orders, k))
                continue
            # bfloat16 becomes float32 here, float32 stays what it is.
            columns, is_safe = self._slice(p.float(), q.float(), u, k)
            out.put(there, **columns)
            for row in torch.nonzero(~is_safe)[:, 0].tolist():
                # Constants may have been added in place, which no law notices.
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
        sums, tops = self._walk(p, q, k)
        shifts = [_into_range(values[:, 0]) for values, _ in tops]
        if any(bool(shift.any()) for shift in shifts):
            # Rare: these logits float far from 0. A constant brings them back; no law notices.
            p.add_(shifts[0][:, None])
            q.add_(shifts[1][:, None])
            sums, tops = self._walk(p, q, k)
        mean = sums.of_p[:, D] / sums.of_p[:, ONE]
        is_far = mean.abs() > MOST_MEAN
        if bool(is_far.any()):
            sums, tops = self._walk(p, q, k, torch.where(is_far, mean, 0.0).float())
        (top_p, top_p_ids), (top_q, top_q_ids) = tops
        mass_p, mass_q = sums.of_p[:, ONE], sums.of_q[:, ONE]
        log_mass_p, log_mass_q = mass_p.log(), mass_q.log()
        logit_p = sums.centre[0].double() + sums.of_p[:, OF_A] / mass_p
        logit_q = sums.centre[1].double() + sums.of_q[:, OF_B] / mass_q
        # log P/Q = d + gap for the d that was summed.
        gap = log_mass_q - log_mass_p + sums.offset.double()
        mean = sums.of_p[:, D] / mass_p
        columns = {
            "log_p": p.gather(1, ids[:, None])[:, 0].double() - log_mass_p,
            "log_q": q.gather(1, ids[:, None])[:, 0].double() - log_mass_q,
            "drift": (mean + gap).clamp(min=0.0),
            "variance": (sums.of_p[:, SQUARE] / mass_p - mean.square()).clamp(min=0.0),
            "entropy_p": (log_mass_p - logit_p).clamp(min=0.0),
            "entropy_q": (log_mass_q - logit_q).clamp(min=0.0),
            "log_moments": self._moments(sums, log_mass_p, log_mass_q, gap),
            "top_p_ids": top_p_ids,
            "top_p_log": top_p.double() - log_mass_p[:, None],
            "top_q_ids": top_q_ids,
            "top_q_log": top_q.double() - log_mass_q[:, None],
        }
        is_safe = (sums.largest <= MOST_RATIO) & torch.isfinite(columns["variance"])
        is_safe &= (mean.abs() <= MOST_MEAN) & torch.isfinite(columns["log_moments"]).all(-1)
        return columns, is_safe

    def _walk(
        self, p: torch.Tensor, q: torch.Tensor, k: int, offset: torch.Tensor | None = None
    ) -> tuple["_Sums", tuple[tuple[torch.Tensor, torch.Tensor], ...]]:
        """Sums over the vocabulary, d shifted by −offset, and the k largest of each row."""
        sums = _Sums(len(p), p.device)
        maxima_p, maxima_q = [], []
        for block in _blocks(p.shape[1]):
            maxima_p.append(block_maxima(p[:, block]))
            maxima_q.append(block_maxima(q[:, block]))
            if block.start == 0:
                sums.centre = torch.stack((maxima_p[0].amax(-1), maxima_q[0].amax(-1)))
                sums.offset = torch.zeros_like(sums.offset) if offset is None else offset
            self._add_block(p[:, block], q[:, block], sums)
        tops = (top_k(p, torch.cat(maxima_p, 1), k), top_k(q, torch.cat(maxima_q, 1), k))
        return sums, tops

    def _add_block(self, p: torch.Tensor, q: torch.Tensor, sums: "_Sums") -> None:
        rows, width = p.shape
        weights = self._buffer("weights", 2, rows, width, like=p)
        terms = self._buffer("terms", TERMS, rows, width, like=p)
        torch.exp(p, out=weights[0])
        torch.exp(q, out=weights[1])
        torch.sub(p, sums.centre[0, :, None], out=terms[OF_A])
        torch.sub(q, sums.centre[1, :, None], out=terms[OF_B])
        d = torch.sub(p, q, out=terms[D])
        if bool(sums.offset.any()):
            d.sub_(sums.offset[:, None])
        torch.mul(d, d, out=terms[SQUARE])
        base = torch.mul(d, 1 / QUARTERS, out=terms[POWER]).exp_()
        for k in range(POWER + 1, TERMS):
            torch.mul(terms[k - 1], base, out=terms[k])
        sums.largest = torch.maximum(sums.largest, d.amax(-1))
        chunk = CHUNK if width % CHUNK == 0 else width
        product = torch.bmm(
            weights.view(2, -1, chunk).transpose(0, 1),
            terms.view(TERMS, -1, chunk).permute(1, 2, 0),
        )
        total = product.double().view(rows, -1, 2, TERMS).sum(1)
        sums.of_p += total[:, 0]
        sums.of_q += total[:, 1]

    def _moments(
        self, sums: "_Sums", log_mass_p: torch.Tensor, log_mass_q: torch.Tensor, gap: torch.Tensor
    ) -> torch.Tensor:
        """(rows, order) ψ(λ) from the sums; exactly 0 where the laws are equal."""
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


def _blocks(vocab: int) -> list[slice]:
    """Blocks of the vocabulary; but for the last one a whole number of chunks."""
    edges = [*range(0, vocab, BLOCK_VOCAB), vocab]
    rest = vocab % CHUNK
    if rest and vocab - rest > edges[-2]:
        edges.insert(-1, vocab - rest)
    return [slice(a, b) for a, b in itertools.pairwise(edges)]


def _into_range(high: torch.Tensor) -> torch.Tensor:
    """(rows,) constant that brings rows with these largest logits into range; mostly 0."""
    return torch.where((high < 0) | (high > MOST_TOP), MOST_TOP / 2 - high, 0.0)


class _Sums:
    """Float64 sums over the vocabulary for some rows: e^a and e^b times each of the terms."""

    def __init__(self, rows: int, device: torch.device) -> None:
        self.of_p = torch.zeros(rows, TERMS, dtype=torch.float64, device=device)
        self.of_q = torch.zeros(rows, TERMS, dtype=torch.float64, device=device)
        self.centre = torch.zeros(2, rows, device=device)
        self.offset = torch.zeros(rows, device=device)
        self.largest = torch.full((rows,), -torch.inf, device=device)
