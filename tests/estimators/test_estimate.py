"""The door for pairs: what it refuses, and what a result says."""

import numpy as np
import pytest

from flowgauge.errors import DistributionError, SettingsError, ShapeError
from flowgauge.estimators import KSG, estimate_mutual_information


def estimate(x, y, **settings):
    return estimate_mutual_information(x, y, rng=np.random.default_rng(0), **settings)


def test_rows_that_do_not_match_are_refused_in_words():
    with pytest.raises(ShapeError, match="x has 100 rows and y 99: row i of both must be one draw"):
        estimate(np.zeros(100), np.zeros(99))


def test_values_that_are_not_finite_are_refused_in_words():
    y = np.zeros(100)
    y[7] = np.inf
    with pytest.raises(
        DistributionError, match="y has 1 values that are not finite, the first inf at row 7"
    ):
        estimate(np.zeros(100), y)


def test_too_few_rows_are_refused_in_words():
    with pytest.raises(ShapeError, match="20 rows make splits of"):
        estimate(np.arange(20.0), np.arange(20.0))


def test_a_level_out_of_range_is_refused_in_words():
    x = np.random.default_rng(0).normal(size=100)
    with pytest.raises(
        SettingsError, match="confidence_level=95: a level strictly between 0 and 1"
    ):
        estimate(x, x[::-1], estimator=KSG(), confidence_level=95)


def test_the_result_names_its_estimator_and_nests_intervals():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 200))
    wide = estimate(x, y, estimator=KSG(), confidence_level=0.99)
    narrow = estimate(x, y, estimator=KSG(), confidence_level=0.9)
    assert wide.estimator == "KSG"
    assert wide.value_nats == narrow.value_nats == wide.terms_nats[0]
    assert wide.confidence_interval[0] < narrow.confidence_interval[0] < wide.value_nats
    # 2.5758 and 1.6449 standard errors: normal quantiles
    assert wide.confidence_interval[1] - wide.value_nats == pytest.approx(
        2.575829303549 * wide.standard_error, rel=1e-9
    )
    assert wide.log_n_limit == np.log(200)


def test_importing_the_folder_imports_no_torch():
    import subprocess
    import sys

    code = "import sys, flowgauge.estimators; print('torch' in sys.modules, 'scipy' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.split()[0] == "False"
