"""Parts of support by their definitions, slow and obvious."""

import re

import numpy as np


def local_average(values, span):
    """Every place by itself: weights exp(−distance / span), nan left out."""
    out = []
    for i in range(len(values)):
        weight = total = 0.0
        for j, value in enumerate(values):
            if not np.isnan(value):
                w = np.exp(-abs(i - j) / span)
                weight += w
                total += w * value
        out.append(total / weight if weight else 0.0)
    return np.array(out)


def copied_lengths(response, sources, most=8):
    """Every run of words of the response looked for in every source."""

    def words(text):
        return re.findall(r"[a-z0-9]+", text.lower())

    ours = words(response)
    out = [0] * len(ours)
    for source in sources:
        theirs = words(source)
        for a in range(len(ours)):
            for b in range(a + 1, len(ours) + 1):
                run = ours[a:b]
                if any(theirs[i : i + len(run)] == run for i in range(len(theirs))):
                    for k in range(a, b):
                        out[k] = max(out[k], b - a)
    return np.minimum(out, most)
