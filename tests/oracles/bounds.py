"""Slow, obvious answers for flowgauge.bounds: all orders, all masks, brute counting."""

from itertools import permutations

import numpy as np
from scipy.integrate import quad


def conditional(joint, text, mask):
    """log p(x_i | visible) at masked positions of `text` from a joint table, 0 elsewhere."""
    visible = tuple(
        slice(None) if hidden else token for hidden, token in zip(mask, text, strict=True)
    )
    rest = joint[visible]
    result = np.zeros(len(text))
    axes = [i for i, hidden in enumerate(mask) if hidden]
    for place, i in enumerate(axes):
        others = tuple(k for k in range(len(axes)) if k != place)
        marginal = rest.sum(axis=others)
        result[i] = np.log(marginal[text[i]] / marginal.sum())
    return result


def mean_over_orders(predictor, length):
    """The bound by listing all N! orders, and log of the mean of their probabilities."""
    totals = []
    for order in permutations(range(length)):
        mask, total = np.ones(length, dtype=bool), 0.0
        for i in order:
            total += predictor(mask)[i]
            mask[i] = False
        totals.append(total)
    totals = np.array(totals)
    return totals.mean(), np.logaddexp.reduce(totals) - np.log(len(totals))


def gardner_by_integration(kappa):
    """The defining integral, by quadrature."""
    value, _ = quad(
        lambda t: (t + kappa) ** 2 * np.exp(-0.5 * t * t) / np.sqrt(2 * np.pi), -kappa, 40
    )
    return 1.0 / value


def separable_share_by_angles(points):
    """Share of all 2^P labellings that a half-plane through 0 realises, in two dimensions.

    Every w gives one labelling; walking w once around the circle meets all of them.
    """
    angles = np.sort(
        np.concatenate(
            [np.arctan2(points[:, 1], points[:, 0]) + shift for shift in (np.pi / 2, -np.pi / 2)]
        )
        % (2 * np.pi)
    )
    middles = np.append((angles[1:] + angles[:-1]) / 2, (angles[0] + angles[-1]) / 2 + np.pi)
    seen = {tuple(np.sign(points @ np.array([np.cos(a), np.sin(a)])).astype(int)) for a in middles}
    return len(seen) / 2 ** len(points)
