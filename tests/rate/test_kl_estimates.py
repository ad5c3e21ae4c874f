import numpy as np
import pytest
from oracles.rate import kl

from flowgauge.errors import DistributionError, ShapeError
from flowgauge.rate import kl_estimates

VOCAB, STEPS = 3, 2


def world(seed=0):
    """Two tabular models of two-token texts: first[v], second[v, w]."""
    rng = np.random.default_rng(seed)
    return [(rng.dirichlet(np.ones(VOCAB)), rng.dirichlet(np.ones(VOCAB), VOCAB)) for _ in range(2)]


def enumerated():
    """Every text with its probability, token log-probabilities and exact per-token KLs."""
    (p1, p2), (q1, q2) = world()
    rows = []
    for a, b in np.ndindex(VOCAB, VOCAB):
        rows.append(
            (
                p1[a] * p2[a, b],
                np.log([p1[a], p2[a, b]]),
                np.log([q1[a], q2[a, b]]),
                [kl(p1, q1), kl(p2[a], q2[a])],
            )
        )
    return [np.array(column) for column in zip(*rows, strict=True)]


def test_means_on_an_enumerated_law():
    """k1, k3 and the Rao–Blackwellised sum have the KL as expectation, k2 has not."""
    weight, policy, reference, exact = enumerated()
    (p1, p2), (q1, q2) = world()
    true = kl((p1[:, None] * p2).ravel(), (q1[:, None] * q2).ravel())
    means = {}
    for name in ("k1", "k2", "k3", "rao_blackwellised"):
        values = [
            getattr(kl_estimates(policy[[i]], reference[[i]], exact[[i]]), name).value
            for i in range(len(weight))
        ]
        means[name] = float(weight @ values)
    # sums of nine terms
    for name in ("k1", "k3", "rao_blackwellised"):
        assert abs(means[name] - true) < 1e-13
    half_square = float(weight @ (0.5 * (policy - reference) ** 2).sum(axis=1))
    assert abs(means["k2"] - half_square) < 1e-13
    assert abs(means["k2"] - true) > 1e-3


def test_flags_say_which_are_unbiased():
    _, policy, reference, exact = enumerated()
    estimates = kl_estimates(policy, reference, exact)
    assert estimates.k1.is_unbiased
    assert estimates.k3.is_unbiased
    assert estimates.rao_blackwellised.is_unbiased
    assert not estimates.k2.is_unbiased
    assert kl_estimates(policy, reference).rao_blackwellised is None


def test_standard_errors_and_their_order_on_samples():
    weight, policy, reference, exact = enumerated()
    drawn = np.random.default_rng(1).choice(len(weight), 4000, p=weight)
    estimates = kl_estimates(policy[drawn], reference[drawn], exact[drawn])
    true = float(weight @ exact.sum(axis=1))
    for estimate in (estimates.k1, estimates.k3, estimates.rao_blackwellised):
        assert abs(estimate.value - true) < 5 * estimate.standard_error
    totals = (policy - reference)[drawn].sum(axis=1)
    assert estimates.k1.standard_error == pytest.approx(totals.std(ddof=1) / np.sqrt(4000))
    assert estimates.rao_blackwellised.standard_error < estimates.k1.standard_error
    assert estimates.k3.value >= 0


def test_padding_with_zeros_changes_nothing():
    _, policy, reference, _ = enumerated()
    padded = [np.hstack([values, np.zeros((9, 3))]) for values in (policy, reference)]
    assert kl_estimates(*padded) == kl_estimates(policy, reference)


def test_an_excluded_token_makes_the_estimate_infinite():
    estimates = kl_estimates([-1.0, -1.0], [-np.inf, -1.0])
    assert estimates.k1.value == np.inf
    assert estimates.k3.value == np.inf
    assert estimates.k1.standard_error == np.inf


@pytest.mark.parametrize(
    ("policy", "reference", "exact", "error", "text"),
    [
        ([-1.0, 0.5], [-1.0, -1.0], None, DistributionError, "above 0"),
        ([-1.0, -np.inf], [-1.0, -1.0], None, DistributionError, r"log_policy\[1\] is −inf"),
        ([-1.0, np.nan], [-1.0, -1.0], None, DistributionError, "NaN"),
        ([-1.0], [-1.0, -1.0], None, ShapeError, "shapes must be equal"),
        ([-1.0], [-1.0], [-0.5], DistributionError, "-0.5"),
        ([], [], None, ShapeError, r"shape \(0,\)"),
    ],
)
def test_bad_input_is_named(policy, reference, exact, error, text):
    with pytest.raises(error, match=text):
        kl_estimates(policy, reference, exact)
