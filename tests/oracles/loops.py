"""Loops, detectors and alarms of experiments/e2_semantic_flow by their definitions. Slow."""

import math
import zlib

import numpy as np


def ends_in_loop(ids, min_block, copies):
    """(onset, block) of the shortest-period loop at the end, by trying every period and length."""
    ids = list(ids)
    n = len(ids)
    for period in range(1, n // copies + 1):
        block = period
        while block < min_block:
            block += period
        length = period
        while length < n and ids[n - length - 1] == ids[n - length - 1 + period]:
            length += 1
        if length >= copies * block:
            return n - length + block, block
    return None


def has_repeated_block(ids, min_block, copies):
    """Whether some block of at least min_block tokens stands `copies` times running anywhere."""
    ids = list(ids)
    n = len(ids)
    for block in range(min_block, n // copies + 1):
        for start in range(n - copies * block + 1):
            parts = [ids[start + c * block : start + (c + 1) * block] for c in range(copies)]
            if all(p == parts[0] for p in parts):
                return True
    return False


def repeated_count(ids, n, window, j):
    """Earlier occurrences of the n-grams that end in the last `window` tokens up to j, mean."""
    ids = list(ids)
    again = 0
    for end in range(j - window + 1, j + 1):
        if end >= n - 1:
            gram = ids[end - n + 1 : end + 1]
            again += sum(ids[e - n + 1 : e + 1] == gram for e in range(n - 1, end))
    return again / window


def longest_repeated_suffix(ids, j):
    """Longest run of tokens ending at j that also ends somewhere before."""
    ids = list(ids)
    best = 0
    for i in range(j):
        length = 0
        while length <= i and ids[i - length] == ids[j - length]:
            length += 1
        best = max(best, length)
    return best


def residual(density, drift, variance, window, j):
    """|Σ(ı − k)|/√Σv over the last `window` tokens up to j."""
    span = slice(j - window + 1, j + 1)
    total = math.fsum(variance[span])
    away = abs(math.fsum(density[span]) - math.fsum(drift[span]))
    return away / math.sqrt(total) if total > 1e-9 else 0.0


def compressed(text, most):
    """Compressed size over size of the last characters."""
    tail = text[-most:].encode()
    return len(zlib.compress(tail, 9)) / len(tail)


def crossings(scores, threshold):
    """How often a score comes to a threshold from below."""
    count, was = 0, False
    for s in scores:
        count += s >= threshold and not was
        was = s >= threshold
    return count


def share_of_pairs(positive, negative):
    """Share of pairs in which the positive is higher; ties half."""
    pairs = [1.0 if p > n else 0.5 if p == n else 0.0 for p in positive for n in negative]
    return float(np.mean(pairs))
