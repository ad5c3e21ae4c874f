from fractions import Fraction
from itertools import product
from math import ceil, log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.support import (
    kept_over_orderings,
    largest_rank,
    miss_long_run,
    miss_next,
)
from scipy.stats import beta, betabinom, hypergeom

from flowgauge.errors import InputError, SettingsError, UnreachableError
from flowgauge.support import ConformalThreshold, conformal_threshold, labels_needed
from flowgauge.support.conformal import MOST_FUTURE

#: Logarithms of binomials of a few hundred, at most about 200, in double precision.
EXACT = 1e-11

shares = st.sampled_from([0.02, 0.05, 0.1, 0.2, 0.29, 0.3, 0.5, 0.7, 0.9])
futures = st.none() | st.integers(1, 60)


def found_or_none(scores, **how):
    try:
        return conformal_threshold(scores, **how)
    except UnreachableError:
        return None


# -- the guarantee, exactly -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n", "m", "alpha", "confidence"),
    [(3, 2, 0.5, 0.6), (4, 5, 0.2, 0.5), (6, 4, 0.3, 0.75), (7, 3, 0.34, 0.8)],
)
def test_next_m_over_all_orderings(n, m, alpha, confidence):
    """Every assignment of n+m distinct scores to calibration and future is equally likely."""
    values = np.linspace(0.0, 1.0, n + m) ** 2
    rule = {"alpha": alpha, "confidence": confidence, "future": m}
    kept = kept_over_orderings(
        values, n, alpha, lambda drawn: conformal_threshold(drawn, **rule).threshold
    )
    held = conformal_threshold(values[:n], **rule).confidence_held
    assert float(kept) == pytest.approx(held, abs=EXACT)
    assert kept >= Fraction(str(confidence))


@pytest.mark.parametrize("levels", [1, 2, 3])
def test_ties_only_help(levels):
    values = np.arange(10) % levels / 4.0
    rule = {"alpha": 0.3, "confidence": 0.75, "future": 4}
    kept = kept_over_orderings(
        values, 6, 0.3, lambda drawn: conformal_threshold(drawn, **rule).threshold
    )
    assert kept >= Fraction(conformal_threshold(values[:6], **rule).confidence_held)


def test_long_run_over_all_draws_from_a_law_with_atoms():
    """All 4^5 draws of five from four equally likely scores: ties everywhere."""
    levels, alpha, confidence = np.array([0.1, 0.4, 0.4 + 1e-12, 0.9]), 0.5, 0.75
    kept = 0
    for draw in product(levels, repeat=5):
        found = conformal_threshold(draw, alpha=alpha, confidence=confidence)
        kept += np.mean(levels >= found.threshold) <= alpha
    assert kept / 4**5 >= found.confidence_held >= confidence


def test_long_run_of_a_continuous_law(rng):
    """The share above the threshold is 1 − threshold for uniform scores."""
    draws = 3000
    found = [conformal_threshold(rng.random(40), alpha=0.15, confidence=0.8) for _ in range(draws)]
    held = found[0].confidence_held
    kept = np.mean([1 - f.threshold <= 0.15 for f in found])
    # Four standard errors of a share of 3000 draws.
    assert kept == pytest.approx(held, abs=4 * np.sqrt(held * (1 - held) / draws))


# -- the rank and its confidence, by other ways ---------------------------------------------------


@given(st.integers(1, 70), shares, shares, futures)
@settings(derandomize=True, deadline=None, max_examples=30)
def test_it_is_the_lowest_threshold_that_is_good(n, alpha, confidence, future):
    scores = np.random.default_rng(n).permutation(n) / n
    found = found_or_none(scores, alpha=alpha, confidence=confidence, future=future)
    wanted = largest_rank(n, alpha, confidence, future)
    assert (found is None) == (wanted is None)
    if found is not None:
        k, miss = wanted
        assert found.passing == k
        assert found.threshold == np.nextafter(np.sort(scores)[n - 1 - k], 2)
        assert found.confidence_held == pytest.approx(float(1 - miss), abs=EXACT)
        assert found.confidence_held >= confidence - EXACT


@pytest.mark.parametrize(("n", "m"), [(29, 10), (80, 80), (60, 200)])
def test_both_laws_are_those_of_scipy(n, m):
    for future in (None, m):
        found = conformal_threshold(np.arange(n) / n, alpha=0.3, confidence=0.9, future=future)
        k, most = found.passing, int(0.3 * m)
        if future is None:
            others = [beta.cdf(0.3, k + 1, n - k), 1 - float(miss_long_run(k, n, 0.3))]
        else:
            others = [
                betabinom.cdf(most, m, k + 1, n - k),
                hypergeom.sf(k, n + m, n, k + 1 + most),
                1 - float(miss_next(k, n, m, most)),
            ]
        assert others == pytest.approx([found.confidence_held] * len(others), abs=EXACT)


def test_the_next_m_become_the_long_run():
    scores = np.arange(200) / 200
    long = conformal_threshold(scores, alpha=0.1, confidence=0.9)
    many = conformal_threshold(scores, alpha=0.1, confidence=0.9, future=MOST_FUTURE)
    assert many.threshold == long.threshold
    # The share of a million has a spread of 3e-4 about its limit.
    assert many.confidence_held == pytest.approx(long.confidence_held, abs=1e-3)
    # Logarithms of binomials of a million are off by 1e-10.
    exact = betabinom.cdf(MOST_FUTURE // 10, MOST_FUTURE, many.passing + 1, 200 - many.passing)
    assert many.confidence_held == pytest.approx(exact, abs=1e-8)


# -- properties -----------------------------------------------------------------------------------

scores = st.lists(st.floats(0, 1) | st.sampled_from([0.0, 0.5, 1.0]), min_size=30, max_size=60)


@given(scores, shares, shares, shares, futures)
@settings(derandomize=True, deadline=None, max_examples=30)
def test_falls_with_alpha_rises_with_confidence(values, one, other, fixed, future):
    low, high = sorted((one, other))
    strict = found_or_none(values, alpha=low, confidence=fixed, future=future)
    loose = found_or_none(values, alpha=high, confidence=fixed, future=future)
    if strict is not None:
        assert loose is not None
        assert loose.threshold <= strict.threshold
    sure = found_or_none(values, alpha=fixed, confidence=high, future=future)
    unsure = found_or_none(values, alpha=fixed, confidence=low, future=future)
    if sure is not None:
        assert unsure is not None
        assert unsure.threshold <= sure.threshold
        assert sure.confidence_held >= high - EXACT


@given(scores, shares, futures)
@settings(derandomize=True, deadline=None, max_examples=20)
def test_order_does_not_matter_and_scale_does_not(values, alpha, future):
    found = found_or_none(values, alpha=alpha, confidence=0.7, future=future)
    if found is None:
        return
    assert conformal_threshold(values[::-1], alpha=alpha, confidence=0.7, future=future) == found
    # Halving is exact; its least number above a score is another, the same scores pass.
    halved = np.array(values) / 2
    half = conformal_threshold(halved, alpha=alpha, confidence=0.7, future=future)
    if np.all((halved == 0) | (halved > 1e-300)):
        assert list(half.passes(halved)) == list(found.passes(values))
    assert found.passing == int(np.sum(found.passes(values)))
    # A number less passes nothing less than before: it is the lowest.
    below = np.nextafter(found.threshold, -1)
    assert below in values


# -- how many are needed --------------------------------------------------------------------------


@pytest.mark.parametrize("alpha", [0.01, 0.05, 0.1, 0.5])
@pytest.mark.parametrize("confidence", [0.5, 0.75, 0.9, 0.95, 0.999])
def test_needed_in_the_long_run(alpha, confidence):
    n = labels_needed(alpha=alpha, confidence=confidence)
    miss = 1 - Fraction(str(confidence))
    stay = 1 - Fraction(str(alpha))
    assert stay**n <= miss
    assert n == 1 or stay ** (n - 1) > miss
    assert abs(n - ceil(log(1 - confidence) / log(1 - alpha))) <= 1


@given(st.integers(1, 25), shares, st.sampled_from([0.5, 0.8, 0.95]))
@settings(derandomize=True, deadline=None, max_examples=20)
def test_needed_for_the_next_m_by_trying_all(m, alpha, confidence):
    n = labels_needed(alpha=alpha, confidence=confidence, future=m)
    assert largest_rank(n, alpha, confidence, m) is not None
    assert all(largest_rank(k, alpha, confidence, m) is None for k in range(1, n))
    conformal_threshold(np.arange(n), alpha=alpha, confidence=confidence, future=m)
    with pytest.raises(UnreachableError):
        conformal_threshold(np.arange(n - 1), alpha=alpha, confidence=confidence, future=m)


def test_needed_by_hand():
    # One response to come, none may pass: it is the highest of 20 with probability 1/20.
    assert labels_needed(alpha=0.1, confidence=0.95, future=1) == 19
    assert labels_needed(alpha=0.5, confidence=0.75) == 2
    assert labels_needed(alpha=0.9, confidence=0.5) == 1


def test_too_few_says_how_many():
    with pytest.raises(
        UnreachableError,
        match=r"28 responses marked unsupported came; 29 are needed to guarantee alpha = 0.1 with "
        r"confidence 0.95. Label 1 more, or ask for a larger alpha or a lower confidence",
    ):
        conformal_threshold(np.arange(28))
    with pytest.raises(UnreachableError, match=r"1 response marked .* 19 are .* for the next 1. L"):
        conformal_threshold([0.5], future=1)
    with pytest.raises(UnreachableError, match="0 responses marked"):
        conformal_threshold([])


# -- what is said and refused ---------------------------------------------------------------------


def test_the_words_carry_the_numbers():
    found = conformal_threshold(np.arange(51) / 100, alpha=0.1, confidence=0.9)
    assert found.words == (
        "Of all unsupported responses to come, at most 10 % reach a support of 0.4901. This holds "
        "with confidence 96.9 % (90 % was asked): so often does a fresh draw of 51 unsupported "
        "responses to label lead to a threshold that keeps it. It speaks of responses that come "
        "as the labelled ones came, seen by the same model."
    )
    found = conformal_threshold(np.arange(51) / 100, alpha=0.29, confidence=0.9, future=100)
    assert found.words.startswith("Of the next 100 unsupported responses, at most 29 % (29) reach")


@given(st.floats(0, 1), st.sampled_from([0.9, 0.95, 0.999]))
@settings(derandomize=True, deadline=None)
def test_what_is_shown_promises_no_more(threshold, confidence):
    found = ConformalThreshold(
        threshold=threshold, alpha=0.1, confidence=confidence, confidence_held=confidence,
        n=30, passing=0, future=None,
    )  # fmt: skip
    assert 0 <= Fraction(found.shown) - Fraction(threshold) < Fraction(1, 10_000)
    assert f"confidence {100 * confidence:g} % (" in found.words


def test_a_full_score_leaves_nothing_that_passes():
    found = conformal_threshold([1.0] * 30)
    assert found.threshold == np.nextafter(1.0, 2)
    assert (found.shown, found.passing) == ("1.0001", 0)
    assert not found.passes([[1.0], [0.5]]).any()
    assert found.passes([[1.0], [0.5]]).shape == (2, 1)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"alpha": 0}, "alpha is 0, a number between 0 and 1 was needed"),
        ({"alpha": float("nan")}, "alpha is nan"),
        ({"confidence": 1.0}, "confidence is 1.0, a number between 0 and 1"),
        ({"confidence": 95}, "confidence is 95"),
        ({"future": 0}, "future is 0; a number of responses from 1 to 1000000 was needed, or None"),
        ({"future": 2.5}, "future is 2.5"),
        ({"future": True}, "future is True"),
        ({"future": MOST_FUTURE + 1}, "future is 1000001"),
    ],
)
def test_settings_out_of_range(how, message):
    with pytest.raises(SettingsError, match=message):
        conformal_threshold(np.arange(100), **how)
    with pytest.raises(SettingsError, match=message):
        labels_needed(**how)


def test_scores_that_are_no_numbers():
    with pytest.raises(InputError, match=r"unsupported\[1\] is nan \(2 of 3 are not finite\); lea"):
        conformal_threshold([0.5, float("nan"), float("inf")])
    with pytest.raises(InputError, match=r"support\[0\] is nan"):
        conformal_threshold(np.arange(30)).passes(float("nan"))
    with pytest.raises(InputError, match="unsupported has dtype <U1"):
        conformal_threshold(["a"])
