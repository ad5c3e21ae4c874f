import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import log_laws

from flowgauge.errors import DistributionError, SettingsError, ShapeError
from flowgauge.rate import truncated_kl_lower_bound


def full_kl(log_p, log_q):
    if ((log_p > -np.inf) & (log_q == -np.inf)).any():
        return np.inf
    used = log_p > -np.inf
    p, q = np.exp(log_p), np.exp(log_q)
    # the sum of p(d + e^{−d} − 1), which keeps its precision near 0
    return float((p * np.where(used, log_p - np.where(used, log_q, 0), 0.0) + q - p).sum())


@settings(derandomize=True, deadline=None, max_examples=200)
@given(log_laws(8), log_laws(8), st.integers(1, 8))
def test_never_above_the_kl(log_p, log_q, k):
    top = np.argsort(-log_p)[:k]
    bound = float(truncated_kl_lower_bound(log_p[top], log_q[top]))
    # the laws themselves sum to 1 only to 1e-15
    assert 0 <= bound <= full_kl(log_p, log_q) + 1e-13


def test_is_the_kl_of_k_plus_one_buckets():
    rng = np.random.default_rng(0)
    p, q = rng.dirichlet(np.ones(9), 2)
    merged_p, merged_q = np.append(p[:3], p[3:].sum()), np.append(q[:3], q[3:].sum())
    expected = float((merged_p * np.log(merged_p / merged_q)).sum())
    # the allowance for round-off of 1e-12, times a slope of a few units
    assert abs(truncated_kl_lower_bound(np.log(p[:3]), np.log(q[:3])) - expected) < 1e-10


def test_all_tokens_give_the_kl_itself():
    rng = np.random.default_rng(1)
    p, q = rng.dirichlet(np.ones(5), 2)
    # nothing is hidden; the allowance for round-off costs at most itself
    assert abs(truncated_kl_lower_bound(np.log(p), np.log(q)) - (p * np.log(p / q)).sum()) < 1e-11


def test_the_truncated_sum_goes_negative_where_the_bound_does_not():
    log_p, log_q = np.log([0.3]), np.log([0.6])
    assert float(np.exp(log_p) @ (log_p - log_q)) < 0
    assert truncated_kl_lower_bound(log_p, log_q) > 0.1


def test_single_precision_needs_more_round_off():
    """A rest of 1e-9 under Q is invisible in float32; unwidened it would make the bound huge."""
    p, q = np.array([0.9, 0.1]), np.array([1 - 1e-9, 1e-9])
    shown = [np.log(law[:1].astype(np.float32)) for law in (p, q)]
    true = float((p * np.log(p / q)).sum())
    assert truncated_kl_lower_bound(*shown) > true
    assert truncated_kl_lower_bound(*shown, round_off=1e-6) <= true
    with pytest.raises(SettingsError, match=r"round_off = 0\.0"):
        truncated_kl_lower_bound(*shown, round_off=0.0)


def test_rows_and_excluded_tokens():
    log_p = np.log(np.array([[0.5, 0.3], [0.4, 0.4]]))
    log_q = np.array([[-1.0, -2.0], [-1.0, -np.inf]])
    bounds = truncated_kl_lower_bound(log_p, log_q)
    assert bounds.shape == (2,)
    assert np.isfinite(bounds[0])
    assert bounds[1] == np.inf


@pytest.mark.parametrize(
    ("log_p", "log_q", "error", "text"),
    [
        (np.log([0.7, 0.7]), np.log([0.5, 0.5]), DistributionError, "log_p sum to 1.4"),
        ([np.nan], [-1.0], DistributionError, "log_p holds NaN"),
        ([-1.0], [0.5], DistributionError, "log_q holds NaN or a value above 0"),
        ([-1.0], [-1.0, -2.0], ShapeError, "shapes must be equal"),
        ([], [], ShapeError, "k ≥ 1"),
    ],
)
def test_bad_input_is_named(log_p, log_q, error, text):
    with pytest.raises(error, match=text):
        truncated_kl_lower_bound(log_p, log_q)


def test_a_token_too_rare_for_a_float_still_makes_the_bound_infinite():
    assert truncated_kl_lower_bound([-800.0, -0.1], [-np.inf, -0.1]) == np.inf


def test_logits_are_named_before_they_overflow():
    with pytest.raises(DistributionError, match="log_p holds NaN or a value above 0"):
        truncated_kl_lower_bound([1000.0], [-1.0])
