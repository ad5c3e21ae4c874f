"""Every text of a tabular model with its flow, identities by weighted sums. Slow, obvious."""

from itertools import product

import numpy as np

from flowgauge.flow import flow

ORDERS = (-1.0, -0.5, 0.5, 1.0)


def flow_of_text(model, source, text):
    """The flow of one text, each column by its definition."""
    rows = {name: [] for name in ("p", "q", "drift", "variance", "moments")}
    for j, token in enumerate(text):
        p, q = model.law(source, text[:j]), model.law(None, text[:j])
        ratio = np.log(p / q)
        drift = sum(p * ratio)
        rows["p"].append(np.log(p[token]))
        rows["q"].append(np.log(q[token]))
        rows["drift"].append(drift)
        rows["variance"].append(sum(p * (ratio - drift) ** 2))
        rows["moments"].append([np.log(sum(p * np.exp(o * ratio))) for o in ORDERS])
    return flow(
        rows["p"],
        rows["q"],
        rows["drift"],
        rows["variance"],
        log_moments=np.reshape(rows["moments"], (len(text), len(ORDERS))),
        orders=ORDERS,
    )


def until(text, end):
    """The text up to and with its first token `end`; whole if there is none or `end` is None."""
    return text[: text.index(end) + 1] if end in text else text


def every_text(model, source, end=None):
    """(probability under the source's law, flow) of every text, ended at the first token `end`."""
    texts = {}
    for whole in product(range(model.vocabulary_size), repeat=model.steps):
        probability = np.prod([model.law(source, whole[:j])[u] for j, u in enumerate(whole)])
        texts[until(whole, end)] = texts.get(until(whole, end), 0.0) + float(probability)
    return [(p, flow_of_text(model, source, text)) for text, p in texts.items()]


def draw(model, source, count, rng, *, end=None, temperature=1.0):
    """Flows under the source's law of texts drawn from it, or from it at another temperature."""
    texts = []
    for _ in range(count):
        text = ()
        while len(text) < model.steps and (end is None or end not in text):
            law = model.law(source, text) ** (1 / temperature)
            text = (*text, int(rng.choice(len(law), p=law / law.sum())))
        texts.append(text)
    known = {text: flow_of_text(model, source, text) for text in set(texts)}
    return [known[text] for text in texts]


def stopped(found, threshold):
    """(F_τ, A_τ, τ) by walking to the first crossing of the threshold, or to the end."""
    flow_nats = compensator = 0.0
    for j, (density, drift) in enumerate(zip(found.density, found.drift, strict=True)):
        flow_nats += density
        compensator += drift
        if flow_nats >= threshold:
            return flow_nats, compensator, j + 1
    return flow_nats, compensator, len(found.density)


def jackknife_error(totals, sizes):
    """Standard error of Σ totals / Σ sizes by leaving one text out at a time."""
    n = len(totals)
    without = [(sum(totals) - totals[g]) / (sum(sizes) - sizes[g]) for g in range(n)]
    return np.sqrt((n - 1) / n * sum((w - np.mean(without)) ** 2 for w in without))


def largest_log_e(density, log_moments, orders):
    """Largest log e of the uniform mixture over λ, from its definition."""
    found = []
    for j in range(len(density)):
        parts = [
            np.exp(o * sum(density[: j + 1]) - sum(m[k] for m in log_moments[: j + 1]))
            for k, o in enumerate(orders)
        ]
        found.append(np.log(np.mean(parts)))
    return max(found)
