"""KSG against loops over all pairs, infomeasure and scikit-learn."""

import numpy as np
import pytest
from infomeasure import mutual_information
from oracles.estimators import ksg_by_loops
from oracles.gaussian_tasks import pairwise
from sklearn.feature_selection import mutual_info_regression

from flowgauge.errors import DistributionError, SettingsError, ShapeError
from flowgauge.estimators import KSG, estimate_directed_information, estimate_mutual_information


def estimate(x, y, k=4, seed=0):
    rng = np.random.default_rng(seed)
    return estimate_mutual_information(x, y, estimator=KSG(neighbours=k), rng=rng)


@pytest.mark.parametrize(("dim", "k"), [(1, 1), (1, 4), (2, 3)])
def test_equals_loops_over_all_pairs(dim, k):
    x, y = pairwise(dim, 0.5).sample(60, np.random.default_rng(dim))
    # 60 terms of order 1: rounding only
    assert estimate(x, y, k).value_nats == pytest.approx(ksg_by_loops(x, y, k), abs=1e-12)


@pytest.mark.parametrize("dim", [1, 2, 3, 5])
def test_equals_infomeasure(dim):
    x, y = pairwise(dim, 1.0).sample(300, np.random.default_rng(dim))
    theirs = mutual_information(
        x, y, approach="ksg", k=4, ksg_id=1, noise_level=0, minkowski_p=np.inf, base="e"
    )
    assert estimate(x, y).value_nats == pytest.approx(float(theirs), abs=1e-9)


def test_conditional_form_equals_infomeasure():
    rng = np.random.default_rng(3)
    z = rng.normal(size=(300, 1))
    x, y = z + rng.normal(size=(300, 1)), z + rng.normal(size=(300, 1))
    theirs = mutual_information(
        x, y, cond=z, approach="ksg", k=4, ksg_id=1, noise_level=0, base="e"
    )
    # step 0: I(x_0; z); step 1 with x constant in time would coincide, so x_0 is fresh noise
    fresh = rng.normal(size=(300, 1))
    result = estimate_directed_information(
        np.stack([fresh, x], axis=1),
        np.stack([z, y], axis=1),
        estimator=KSG(),
        rng=np.random.default_rng(0),
    )
    both = mutual_information(
        np.hstack([fresh, x]), y, cond=z, approach="ksg", k=4, ksg_id=1, noise_level=0, base="e"
    )
    assert result.terms_nats[1] == pytest.approx(float(both), abs=1e-9)
    # given z, x and y are independent: within four spreads of such an estimate (0.04, by
    # simulation)
    assert float(theirs) == pytest.approx(0.0, abs=0.16)


def test_equals_scikit_learn_on_its_own_scale():
    x, y = (v[:, 0] for v in pairwise(1, 0.5).sample(400, np.random.default_rng(1)))
    # scikit-learn divides by the standard deviation and adds noise of 1e-10, too small to reorder
    # these
    x, y = x / x.std(), y / y.std()
    theirs = mutual_info_regression(x[:, None], y, n_neighbors=4, random_state=0)[0]
    assert estimate(x, y).value_nats == pytest.approx(theirs, abs=1e-9)


def test_covers_the_truth_in_one_dimension():
    task = pairwise(1, 0.5)
    covered = 0
    for seed in range(40):
        x, y = task.sample(400, np.random.default_rng(seed))
        low, high = estimate(x, y, seed=seed).confidence_interval
        covered += low <= task.true_nats <= high
    # the jackknife is on the safe side: 33 of 40 is the 1 % point of a binomial at 0.95
    assert covered >= 33


def test_falls_short_in_five_dimensions():
    task = pairwise(5, 2.0)
    result = estimate(*task.sample(1000, np.random.default_rng(0)))
    assert result.value_nats < task.true_nats - 5 * result.standard_error


def test_integers_are_refused_in_words():
    x = np.arange(50)
    with pytest.raises(SettingsError, match=r"integer data of shape \(50, 1\) came to an"):
        estimate(x, x.astype(float))


def test_copies_are_refused_in_words():
    x = np.repeat(np.arange(10.0), 6)
    with pytest.raises(DistributionError, match="60 of 60 rows have at least 4 exact copies"):
        estimate(x, x)


def test_too_few_rows_are_refused_in_words():
    x = np.arange(8.0)
    with pytest.raises(ShapeError, match="8 rows are too few: at least 28"):
        estimate(x, x)


def test_no_neighbours_are_refused_in_words():
    with pytest.raises(SettingsError, match="neighbours=0: at least 1"):
        KSG(neighbours=0)
