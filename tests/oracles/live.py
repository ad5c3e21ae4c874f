"""Monitors by their definitions, and all texts of a small table. Slow, obvious."""

import math
from functools import cache
from itertools import product

import numpy as np

from flowgauge import TabularModel
from flowgauge.live.step import Meter
from flowgauge.records import ORDERS


def columns(p, q, token, orders=ORDERS):
    """Every number of one token from two lists of probabilities, by plain sums."""
    possible = [i for i in range(len(p)) if p[i] > 0]

    def log(x):
        return math.log(x) if x > 0 else -math.inf

    drift, variance = math.inf, math.inf
    if all(q[i] > 0 for i in possible):
        drift = sum(p[i] * (log(p[i]) - log(q[i])) for i in possible)
        variance = sum(p[i] * (log(p[i]) - log(q[i]) - drift) ** 2 for i in possible)
    moments = []
    for order in orders:
        if order > 0 and any(q[i] == 0 for i in possible):
            moments.append(math.inf)
            continue
        # At q = 0 and order < 0 the ratio is ∞ and its power 0.
        both = [i for i in possible if q[i] > 0]
        moments.append(log(sum(p[i] * (p[i] / q[i]) ** order for i in both)))
    return {
        "log_p": log(p[token]),
        "log_q": log(q[token]),
        "density": log(p[token]) - log(q[token]),
        "drift": drift,
        "variance": variance,
        "entropy_p": -sum(x * log(x) for x in p if x > 0),
        "entropy_q": -sum(x * log(x) for x in q if x > 0),
        "log_moments": moments,
    }


@cache
def texts_of_two(seed):
    """Every text of `table_of_two`."""
    return every_text(table_of_two(seed))


def table_of_two(seed, vocabulary=2, length=8):
    """A model of one source whose memory is another random table."""
    p, q = (
        TabularModel.random(sources=1, vocabulary=vocabulary, length=length, seed=s)
        for s in (seed, seed + 1000)
    )
    return TabularModel(p.joint, memory=q.joint[0])


def every_text(model):
    """(steps, probability under P, probability under Q) of each text of a table."""
    read = cache(lambda prefix, token: _read(model, prefix, token))
    found = []
    for text in product(range(model.vocabulary_size), repeat=model.steps):
        meter = Meter()
        steps = [again(meter, read(text[:j], token)) for j, token in enumerate(text)]
        p, q = (
            float(np.prod(np.exp(x)))
            for x in zip(*((s.log_p, s.log_q) for s in steps), strict=True)
        )
        found.append((steps, p, q))
    return found


def _read(model, prefix, token):
    with np.errstate(divide="ignore"):
        return Meter().read(np.log(model.law(0, prefix)), np.log(model.law(None, prefix)), token)


def again(meter, step):
    """A step that was read before, as the next token of another meter's text."""
    names = ("log_p", "log_q", "drift", "variance", "entropy_p", "entropy_q", "log_moments")
    return meter.enter(step.token, **{name: getattr(step, name) for name in names})


def fed(monitor, steps):
    """The events of a fresh monitor over a text, None where it said nothing."""
    fresh = monitor.fresh()
    return [fresh.observe(step) for step in steps]


class Coins:
    """Two states, two tokens, laws that depend on the state; the next state is the token.

    Cheap enough for thousands of texts: four steps are read once by a Meter.
    """

    P = ([0.75, 0.25], [0.35, 0.65])
    Q = ([0.45, 0.55], [0.6, 0.4])

    def __init__(self):
        self.read = {
            (s, t): Meter().read(np.log(self.P[s]), np.log(self.Q[s]), t)
            for s, t in product((0, 1), repeat=2)
        }

    def text(self, rng, laws, length):
        """A text drawn from `laws`, as steps (their positions and sums are not kept up)."""
        state, steps = 0, []
        for x in rng.random(length):
            token = int(x >= laws[state][0])
            steps.append(self.read[state, token])
            state = token
        return steps


def largest_log_e(monitor, coins, laws, rng, count=2000, length=30):
    """(text,) whether it spoke and the largest log e of its state, over texts drawn from laws."""
    said, largest = [], []
    for _ in range(count):
        fresh = monitor.fresh()
        path = [
            (fresh.observe(step), fresh.state["log_e_nats"])
            for step in coins.text(rng, laws, length)
        ]
        said.append(any(event for event, _ in path))
        largest.append(max(log_e for _, log_e in path))
    return np.array(said), np.array(largest)


def most_of(count, alpha):
    """Rejections of a true null at level alpha that `count` texts do not exceed, but for chance.

    The mean is at most count·alpha; three standard deviations of a binomial above it are exceeded
    with probability about 0.001 at the level's very edge, and the seed is fixed.
    """
    return count * alpha + 3 * math.sqrt(count * alpha * (1 - alpha))


def shiryaev_roberts_of_a_grid(steps):
    """R_j = mean over λ of Σ_{i≤j} Π_{i≤l≤j} exp(λ ı_l − ψ_l(λ)), for finite steps."""
    path = []
    for j in range(len(steps)):
        total = 0.0
        for k, order in enumerate(steps[0].orders):
            exponents = [order * s.density - s.log_moments[k] for s in steps[: j + 1]]
            total += sum(math.exp(sum(exponents[i:])) for i in range(j + 1))
        path.append(total / len(steps[0].orders))
    return path


def alarms_with_restart(steps, c):
    """Places where R reaches c, R beginning anew after each."""
    alarms, start = [], 0
    for j in range(len(steps)):
        if shiryaev_roberts_of_a_grid(steps[start : j + 1])[-1] >= c:
            alarms.append(j)
            start = j + 1
    return alarms


def deaths(drifts, window, threshold):
    """Tokens at which the mean of the last `window` drifts falls to the threshold."""
    found, dead = [], False
    for j in range(window - 1, len(drifts)):
        now = sum(drifts[j - window + 1 : j + 1]) / window <= threshold
        if now and not dead:
            found.append(j)
        dead = now
    return found


def most_that_may_alarm(n, share, confidence):
    """Largest m with P(Binomial(n, share) ≤ m) ≤ 1 − confidence, by adding terms; −1 if none."""
    total, m = 0.0, -1
    for k in range(n + 1):
        total += math.comb(n, k) * share**k * (1 - share) ** (n - k)
        if total > 1 - confidence:
            break
        m = k
    return m
