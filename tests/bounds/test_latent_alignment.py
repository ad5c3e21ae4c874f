import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import log_laws

from flowgauge.bounds import latent_alignment_elbo
from flowgauge.errors import DistributionError, ShapeError

likelihoods = st.lists(st.floats(-30, 0), min_size=4, max_size=4).map(np.array)


@settings(derandomize=True, deadline=None, max_examples=200)
@given(log_laws(4), likelihoods, log_laws(4))
def test_evidence_is_elbo_plus_gap(log_prior, log_likelihood, log_q):
    log_q = np.where(log_prior == -np.inf, -np.inf, log_q)
    if (log_q == -np.inf).all():
        log_q = log_prior
    log_q = log_q - np.logaddexp.reduce(log_q)
    bound = latent_alignment_elbo(log_prior, log_likelihood, log_q)
    # sums of four terms of size up to 90
    assert abs(bound.elbo + bound.gap - bound.log_evidence) < 1e-12
    assert bound.gap >= -1e-12
    assert bound.elbo <= bound.log_evidence + 1e-12


def test_the_posterior_closes_the_gap():
    rng = np.random.default_rng(0)
    log_prior = np.log(rng.dirichlet(np.ones(5), 3))
    log_likelihood = np.log(rng.random((3, 5)))
    posterior = latent_alignment_elbo(log_prior, log_likelihood).log_posterior
    bound = latent_alignment_elbo(log_prior, log_likelihood, posterior)
    np.testing.assert_allclose(bound.gap, 0.0, atol=1e-14)
    mixture = np.log((np.exp(log_prior) * np.exp(log_likelihood)).sum(axis=1))
    np.testing.assert_allclose(bound.elbo, mixture, atol=1e-14)


def test_attention_itself_is_the_default_law():
    log_prior, log_likelihood = np.log([0.3, 0.7]), np.log([0.5, 0.1])
    bound = latent_alignment_elbo(log_prior, log_likelihood)
    expected = 0.3 * log_likelihood[0] + 0.7 * log_likelihood[1]
    assert abs(bound.elbo - expected) < 1e-15


def test_a_law_on_impossible_alignments_has_no_bound():
    bound = latent_alignment_elbo(np.log([0.5, 0.5]), np.array([-1.0, -np.inf]))
    assert bound.elbo == -np.inf
    assert bound.gap == np.inf
    assert np.isfinite(bound.log_evidence)


@pytest.mark.parametrize(
    ("prior", "likelihood", "error", "text"),
    [
        (np.log([0.5, 0.4]), np.zeros(2), DistributionError, "sum to 0.9"),
        (np.log([0.5, 0.5]), np.full(2, -np.inf), DistributionError, "no alignment"),
        (np.log([0.5, 0.5]), np.array([0.5, 0.0]), DistributionError, "holds 0.5.*log-densities"),
        (np.log([0.5, 0.5]), np.array([np.nan, 0.0]), DistributionError, "NaN"),
        (np.log([0.5, 0.5]), np.zeros(3), ShapeError, r"log_likelihood \(3,\)"),
    ],
)
def test_bad_input_is_named(prior, likelihood, error, text):
    with pytest.raises(error, match=text):
        latent_alignment_elbo(prior, likelihood)


def test_mass_below_the_smallest_number_still_meets_an_impossible_alignment():
    bound = latent_alignment_elbo(
        np.log([0.5, 0.5]), np.array([-1.0, -np.inf]), np.array([0.0, -800.0])
    )
    assert (bound.elbo, bound.gap) == (-np.inf, np.inf)
