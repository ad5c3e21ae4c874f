"""A tabular channel by brute force: every source, every text, every law from its definition."""

from itertools import product

import numpy as np


class Channel:
    """K sources with laws over texts of N letters, and what a reader without a source believes."""

    def __init__(self, table, prior=None, memory=None):
        self.table = np.asarray(table, dtype=float)
        self.k, self.vocab, self.time = len(table), self.table.shape[1], self.table.ndim - 1
        self.prior = np.full(self.k, 1 / self.k) if prior is None else np.asarray(prior)
        self.marginal = sum(p * t for p, t in zip(self.prior, self.table, strict=True))
        self.memory = self.marginal if memory is None else np.asarray(memory)

    def pairs(self):
        """Every (source, text)."""
        return list(product(range(self.k), product(range(self.vocab), repeat=self.time)))

    def next_law(self, table, prefix):
        """P(u_{j+1} | prefix) by summing all texts that begin so."""
        mass = np.zeros(self.vocab)
        for text in product(range(self.vocab), repeat=self.time):
            if text[: len(prefix)] == tuple(prefix):
                mass[text[len(prefix)]] += table[text]
        return mass / mass.sum()

    def columns(self, source, text, orders):
        """Every column of a measured text, token by token."""
        names = ("log_p", "log_q", "drift", "variance", "entropy_p", "entropy_q", "log_moments")
        rows = {name: [] for name in names}
        for j, token in enumerate(text):
            p = self.next_law(self.table[source], text[:j])
            q = self.next_law(self.memory, text[:j])
            ratio = np.log(p) - np.log(q)
            drift = sum(p * ratio)
            rows["log_p"].append(np.log(p[token]))
            rows["log_q"].append(np.log(q[token]))
            rows["drift"].append(drift)
            rows["variance"].append(sum(p * (ratio - drift) ** 2))
            rows["entropy_p"].append(-sum(p * np.log(p)))
            rows["entropy_q"].append(-sum(q * np.log(q)))
            rows["log_moments"].append([np.log(sum(p * np.exp(o * ratio))) for o in orders])
        return {name: np.array(row) for name, row in rows.items()}

    def directed_information(self):
        """I(S;U): the source is known before the first token."""
        total = 0.0
        for source, text in self.pairs():
            p = self.table[(source, *text)]
            if p > 0:
                total += self.prior[source] * p * np.log(p / self.marginal[text])
        return total

    def memory_gap(self):
        """KL(P_U ‖ Q) of the true marginal against the memory."""
        return float(np.sum(self.marginal * np.log(self.marginal / self.memory)))


def random_table(rng, sources, vocab, time, concentration=0.5):
    """(source, vocab, …) positive probabilities, each source summing to 1."""
    weights = rng.gamma(concentration, size=(sources, *(vocab,) * time)) + 1e-3
    return weights / weights.reshape(sources, -1).sum(1).reshape(-1, *(1,) * time)
