from fractions import Fraction
from math import comb

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import betaincinv

from flowgauge.errors import InputError, SettingsError
from flowgauge.support import clopper_pearson


@given(st.integers(1, 40).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
@settings(derandomize=True, deadline=None, max_examples=25)
def test_ends_are_beta_quantiles(counted):
    count, n = counted
    found = clopper_pearson(count, n, 0.9)
    lower = betaincinv(count, n - count + 1, 0.05) if count else 0.0
    upper = betaincinv(count + 1, n - count, 0.95) if count < n else 1.0
    # scipy finds the ends by bisection to about 1e-12.
    assert (found.lower, found.upper) == pytest.approx((lower, upper), abs=1e-9)
    assert found.lower <= found.share == count / n <= found.upper
    assert (found.count, found.n, found.confidence) == (count, n, 0.9)


@pytest.mark.parametrize("share", [0.03, 0.2, 0.5, 0.77])
def test_covers_every_share_by_enumeration_of_counts(share):
    n, p = 12, Fraction(str(share))
    covered = sum(
        comb(n, k) * p**k * (1 - p) ** (n - k)
        for k in range(n + 1)
        if clopper_pearson(k, n).lower <= share <= clopper_pearson(k, n).upper
    )
    assert covered >= Fraction(95, 100)


@pytest.mark.parametrize(("count", "n"), [(3, 2), (-1, 2), (0, 0), (0.5, 1)])
def test_no_counts(count, n):
    with pytest.raises(InputError, match=f"{count} of {n} came; counts with 0 ≤ count ≤ n"):
        clopper_pearson(count, n)


def test_no_confidence():
    with pytest.raises(SettingsError, match="confidence is 2, a number between 0 and 1"):
        clopper_pearson(1, 2, 2)
