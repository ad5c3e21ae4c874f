"""AUROC, F1 and the bootstrap over sources by their definitions: pairs, loops, copies. Slow."""

import numpy as np


def auroc(scores, positive, weights):
    """Share of weighted (positive, negative) pairs with the positive's score lower; ties half."""
    right = total = 0.0
    for s, p, w in zip(scores, positive, weights, strict=True):
        for t, q, v in zip(scores, positive, weights, strict=True):
            if p and not q:
                total += w * v
                right += w * v * (1.0 if s < t else 0.5 if s == t else 0.0)
    return right / total if total else np.nan


def average_precision(scores, positive, weights):
    """Sum over thresholds, from the lowest score up, of the gain in recall times the precision."""
    total = sum(w for p, w in zip(positive, weights, strict=True) if p)
    if not total:
        return np.nan
    area = before = 0.0
    for threshold in sorted(set(scores)):
        rows = list(zip(scores, positive, weights, strict=True))
        hits = sum(w for s, p, w in rows if s <= threshold and p)
        called = sum(w for s, _, w in rows if s <= threshold)
        if called:
            area += (hits - before) / total * hits / called
        before = hits
    return area


def f1(scores, positive, weights, threshold):
    """2·TP / (2·TP + FP + FN) of calling positive what is at or below the threshold."""
    hits = wrong = missed = 0.0
    for s, p, w in zip(scores, positive, weights, strict=True):
        called = s <= threshold
        hits += w * (called and p)
        wrong += w * (called and not p)
        missed += w * (p and not called)
    below = 2 * hits + wrong + missed
    return 2 * hits / below if below else np.nan


def bootstrap(metric, scores, positive, source, n_sources, replicates, rng):
    """The metric of the sample, then of copies made of all items of each drawn source."""
    out = [metric(scores, positive, np.ones(len(scores)))]
    chosen = rng.integers(n_sources, size=(replicates, n_sources))
    for row in chosen:
        items = [i for s in row for i in range(len(source)) if source[i] == s]
        out.append(metric(scores[items], positive[items], np.ones(len(items))))
    return np.array(out)


def copied_lengths(response, document):
    """For each word, the longest n-gram of the response around it that stands in the document."""
    n = len(response)
    runs = {tuple(document[i:j]) for i in range(len(document)) for j in range(i + 1, n + i + 1)}
    out = [0] * n
    for i in range(n):
        for j in range(i + 1, n + 1):
            if tuple(response[i:j]) in runs:
                for k in range(i, j):
                    out[k] = max(out[k], j - i)
    return out


def smooth(values, sigma, reach):
    """Weighted mean of the neighbours within `reach`, weights of a Gaussian."""
    out = []
    for j in range(len(values)):
        near = range(max(0, j - reach), min(len(values), j + reach + 1))
        weights = [np.exp(-0.5 * ((i - j) / sigma) ** 2) for i in near]
        out.append(sum(w * values[i] for w, i in zip(weights, near, strict=True)) / sum(weights))
    return np.array(out)
