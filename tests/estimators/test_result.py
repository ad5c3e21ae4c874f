"""Terms made on the same pairs add with their correlations."""

import numpy as np
import pytest

from flowgauge.estimators import KSG, NWJ
from flowgauge.estimators.result import Evaluation, subtract, summarise


def evaluation(influence, **settings):
    return Evaluation(
        value=float(np.mean(influence)), influence=influence, is_lower_bound=True, **settings
    )


def test_a_term_less_itself_has_no_error():
    term = evaluation(np.random.default_rng(0).normal(size=50), warnings=("a.",), steps=3)
    result = summarise([subtract(term, term)], estimator=KSG(), confidence_level=0.95)
    assert (result.value_nats, result.standard_error) == (0.0, 0.0)
    assert result.warning == "a."
    assert result.steps == 6
    assert not result.is_lower_bound


def test_equal_terms_add_their_errors_and_not_their_squares():
    term = evaluation(np.random.default_rng(0).normal(size=50))
    one = summarise([term], estimator=KSG(), confidence_level=0.95)
    two = summarise([term, term], estimator=KSG(), confidence_level=0.95)
    assert two.standard_error == pytest.approx(2 * one.standard_error, rel=1e-12)


def test_only_variational_values_are_held_against_log_n():
    term = evaluation(np.full(20, 5.0))
    assert summarise([term], estimator=KSG(), confidence_level=0.95).warning == ""
    warned = summarise([term], estimator=NWJ(), confidence_level=0.95).warning
    assert "The estimate of 5.000 nats is above log n = 2.996 for the n = 20 pairs" in warned
