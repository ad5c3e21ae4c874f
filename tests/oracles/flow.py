"""Small worlds enumerated path by path, and closed forms of directed information. Slow, obvious."""

from dataclasses import dataclass
from itertools import product

import numpy as np


@dataclass
class World:
    """K equally likely sources, next-token laws that depend on source and prefix, all V^N texts."""

    laws: dict  # (source, prefix) -> (vocab,) probabilities
    sources: int
    vocab: int
    time: int

    @property
    def texts(self):
        return list(product(range(self.vocab), repeat=self.time))

    def prefix_probability(self, source, prefix):
        value = 1.0
        for j, token in enumerate(prefix):
            value *= self.laws[source, prefix[:j]][token]
        return value

    def marginal_law(self, prefix):
        """Law of the next token when the source is unknown, by the definition of conditioning."""
        before = [self.prefix_probability(s, prefix) for s in range(self.sources)]
        return np.array(
            [
                sum(self.prefix_probability(s, (*prefix, v)) for s in range(self.sources))
                for v in range(self.vocab)
            ]
        ) / sum(before)

    def joint(self):
        """(source, u_1, …, u_N) joint probabilities."""
        table = np.zeros((self.sources,) + (self.vocab,) * self.time)
        for s in range(self.sources):
            for text in self.texts:
                table[(s, *text)] = self.prefix_probability(s, text) / self.sources
        return table


def random_world(rng, sources=3, vocab=3, time=3, concentration=1.0):
    laws = {}
    for j in range(time):
        for prefix in product(range(vocab), repeat=j):
            for s in range(sources):
                laws[s, prefix] = rng.dirichlet(np.full(vocab, concentration))
    return World(laws=laws, sources=sources, vocab=vocab, time=time)


def path_columns(law_p, law_q, vocab, time, orders=(-1.0, 1.0)):
    """Every path of a pair of laws (functions of the prefix), with all columns of a flow.

    Returns a dict of arrays over paths: probability_p, probability_q, log_p, log_q, drift,
    variance, log_moments.
    """
    columns = {name: [] for name in ("log_p", "log_q", "drift", "variance", "log_moments")}
    for text in product(range(vocab), repeat=time):
        rows = {name: [] for name in columns}
        for j, token in enumerate(text):
            p, q = law_p(text[:j]), law_q(text[:j])
            ratio = np.log(p) - np.log(q)
            mean = sum(p * ratio)
            rows["log_p"].append(np.log(p[token]))
            rows["log_q"].append(np.log(q[token]))
            rows["drift"].append(mean)
            rows["variance"].append(sum(p * (ratio - mean) ** 2))
            rows["log_moments"].append([np.log(sum(p * np.exp(o * ratio))) for o in orders])
        for name, row in rows.items():
            columns[name].append(row)
    found = {name: np.array(rows) for name, rows in columns.items()}
    found["probability_p"] = np.exp(found["log_p"].sum(axis=1))
    found["probability_q"] = np.exp(found["log_q"].sum(axis=1))
    found["orders"] = np.array(orders)
    return found


def mutual_information(table):
    """I(X;Y) of a two-axis table, by its definition."""
    log_x, log_y = (np.log(np.maximum(table.sum(axis=a), 5e-324)) for a in (1, 0))
    total = 0.0
    for i, j in product(range(table.shape[0]), range(table.shape[1])):
        if table[i, j] > 0:
            total += table[i, j] * (np.log(table[i, j]) - log_x[i] - log_y[j])
    return total


def binary_entropy(e):
    return 0.0 if e in (0.0, 1.0) else -e * np.log(e) - (1 - e) * np.log(1 - e)


def directed_information_by_definition(table, steps):
    """Σ E[log p(y_j|x^j, y^{j−1})/p(y_j|y^{j−1})] of a table with axes x_1 … x_n, y_1 … y_n."""
    n = steps
    total = 0.0
    for index in np.ndindex(table.shape):
        p = table[index]
        if p == 0:
            continue
        x, y = index[:n], index[n:]
        for j in range(n):
            x_now, y_now, y_past = (*x[: j + 1],), (*y[: j + 1],), (*y[:j],)
            with_x = _mass(table, n, x_now, y_now) / _mass(table, n, x_now, y_past)
            without = _mass(table, n, (), y_now) / _mass(table, n, (), y_past)
            total += p * (np.log(with_x) - np.log(without))
    return total


def _mass(table, n, x, y):
    """P(X^i = x, Y^j = y)."""
    select = (*x, *[slice(None)] * (n - len(x)), *y)
    return float(np.sum(table[select]))


def symmetric_channel(n, e):
    """Joint table of n uses of a binary symmetric channel, uniform inputs, no feedback."""
    table = np.zeros((2,) * (2 * n))
    for index in np.ndindex(table.shape):
        flips = sum(a != b for a, b in zip(index[:n], index[n:], strict=True))
        table[index] = 0.5**n * e**flips * (1 - e) ** (n - flips)
    return table


def ising_chain(n, own, field):
    """Spins y_t = ±1 drawn from σ(2 y_t (own·y_{t−1} + field·x_t)), x_t fair coins; y_0 fair too.

    Axes: x_1 … x_n, y_0, y_1 … y_n.
    """
    table = np.zeros((2,) * (2 * n + 1))
    for index in np.ndindex(table.shape):
        spins = [2 * i - 1 for i in index]
        x, y = spins[:n], spins[n:]
        p = 0.5 ** (n + 1)
        for t in range(n):
            p /= 1 + np.exp(-2 * y[t + 1] * (own * y[t] + field * x[t]))
        table[index] = p
    return table


def ising_information_per_step(own, field):
    """I(X_t; Y_t | Y_{t−1}) of that chain: x is fresh at each step, so it is the same at all."""
    with_field = 1 / (1 + np.exp(-2 * (own + field)))
    against = 1 / (1 + np.exp(-2 * (own - field)))
    both = binary_entropy((with_field + against) / 2)
    return both - (binary_entropy(with_field) + binary_entropy(against)) / 2
