import numpy as np
import pytest
import scipy.special
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from flowgauge.math import log_mean_exp, log_sum_exp


@given(arrays(np.float64, (3, 4), elements=st.floats(-800, 800) | st.just(-np.inf)))
@settings(derandomize=True, deadline=None)
def test_agrees_with_scipy_on_every_axis(values):
    for axis in (0, 1, -1):
        # 1e-14: one rounding of the logarithm at arguments up to 800.
        expected = scipy.special.logsumexp(values, axis=axis)
        np.testing.assert_allclose(log_sum_exp(values, axis), expected, rtol=1e-14, atol=1e-14)
        np.testing.assert_allclose(
            log_sum_exp(torch.tensor(values), axis).numpy(), expected, rtol=1e-14, atol=1e-14
        )
        assert log_sum_exp(values, axis, keepdims=True).ndim == 2


def test_infinities_never_become_nan():
    assert log_sum_exp(np.array([-np.inf, -np.inf])) == -np.inf
    assert log_sum_exp(np.array([-np.inf, np.inf, 3.0])) == np.inf
    assert log_mean_exp(np.array([-np.inf, 0.0])) == pytest.approx(-np.log(2), abs=1e-15)
