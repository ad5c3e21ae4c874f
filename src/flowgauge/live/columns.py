"""Two rows of laws become numbers while a text is written; the vocabulary dies here.

Plain laws go through the reductions of `scores`. A law with tokens that cannot come (top-k, top-p)
is reduced in float64 on its support: every expectation under P needs that alone.
"""

from typing import TYPE_CHECKING

import numpy as np

from flowgauge.records import ORDERS, IntArray, TokenScores
from flowgauge.scores.reduce import Columns, Reducer, exact_columns

if TYPE_CHECKING:
    import torch

#: A support larger than this share of the vocabulary is reduced like a whole row.
MOST_SUPPORT = 0.25


class LiveColumns:
    """Columns of a few rows at a time, float64.

    Args:
        orders: The λ grid.
        alternatives: How many likeliest tokens of each law are kept.
    """

    def __init__(self, orders: tuple[float, ...] = ORDERS, alternatives: int = 5) -> None:
        self.orders = orders
        self.alternatives = alternatives
        self._reducer = Reducer(orders, alternatives)

    def reduce(self, p: "torch.Tensor", q: "torch.Tensor", tokens: IntArray) -> TokenScores:
        """Columns (row,) of each row's own token.

        Args:
            p: (row, vocab) logits of the prompted law; −inf is a token that cannot come.
            q: (row, vocab) logits of the reference law.
            tokens: (row,) ids drawn.
        """
        import torch

        rows, vocab = p.shape
        out = Columns(rows, self.orders, min(self.alternatives, vocab))
        with torch.inference_mode():
            sizes = torch.isfinite(p).sum(-1)
            for row in range(rows):
                one = slice(row, row + 1)
                if p.dtype == torch.float64 or int(sizes[row]) > MOST_SUPPORT * vocab:
                    self._reducer.reduce(p[one], q[one], tokens[one], out, row)
                else:
                    out.put(one, **self._on_support(p[row], q[row], int(tokens[row]), out))
        return out.scores(slice(0, rows))

    def _on_support(
        self, p: "torch.Tensor", q: "torch.Tensor", token: int, out: Columns
    ) -> dict[str, "torch.Tensor"]:
        import torch

        where = torch.nonzero(torch.isfinite(p))[:, 0]
        place = torch.nonzero(where == token)[:, 0]
        if not len(place):  # somebody else's token: outside what the sampler allows
            return exact_columns(
                p[None], q[None], torch.tensor([token], device=p.device), out.orders,
                out.data["top_p_ids"].shape[1],
            )  # fmt: skip
        log_q = torch.log_softmax(q.double(), -1)
        rest = torch.ones(len(log_q), dtype=torch.bool, device=q.device)
        rest[where] = False
        others = torch.logsumexp(log_q[rest], -1, keepdim=True)
        few_q = torch.cat((log_q[where], others))
        few_p = torch.cat((p[where].double(), torch.full_like(others, -torch.inf)))
        k = out.data["top_p_ids"].shape[1]
        columns = exact_columns(few_p[None], few_q[None], place, out.orders, min(k, len(few_p)))
        top_q = torch.topk(log_q, k)
        ids = torch.cat((where, where.new_zeros(1)))
        few = columns["top_p_ids"].shape[1]
        columns["top_p_ids"] = torch.nn.functional.pad(ids[columns["top_p_ids"]], (0, k - few))
        columns["top_p_log"] = torch.nn.functional.pad(
            columns["top_p_log"], (0, k - few), value=-torch.inf
        )
        columns["top_q_ids"], columns["top_q_log"] = top_q.indices[None], top_q.values[None]
        columns["entropy_q"] = -(log_q.exp() * log_q.clamp(min=-1e300)).sum()[None]
        return columns


def draw(logits: "torch.Tensor", rng: np.random.Generator) -> int:
    """A token from the law with these logits (vocab,), by inversion of its distribution.

    Example:
        >>> import torch
        >>> draw(torch.tensor([-torch.inf, 0.0]), np.random.default_rng(0))
        1
    """
    import torch

    with torch.inference_mode():
        weights = torch.exp(logits - logits.max())
        sums = torch.cumsum(weights, -1, dtype=torch.float64)
        # In (0, total]: the first token whose sum reaches it has a positive weight.
        at = (1.0 - rng.random()) * float(sums[-1])
        return int(torch.searchsorted(sums, at))
