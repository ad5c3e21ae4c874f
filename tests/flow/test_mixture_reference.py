import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from oracles.flow import mutual_information, random_world

from flowgauge.errors import DistributionError, SettingsError, ShapeError
from flowgauge.flow import flow, mixture_reference


@pytest.fixture(scope="module")
def world():
    return random_world(np.random.default_rng(7), sources=3, vocab=3, time=3)


def pool_of(world, text):
    return np.log(
        [
            [world.laws[s, text[:j]][text[j]] for j in range(world.time)]
            for s in range(world.sources)
        ]
    )


def test_is_the_exact_marginal_of_the_pool(world):
    for text in world.texts:
        found = mixture_reference(pool_of(world, text))
        for j in range(world.time):
            expected = np.log(world.marginal_law(text[:j])[text[j]])
            assert found.log_q[j] == pytest.approx(expected, abs=1e-14)


def test_mean_flow_against_it_is_the_information(world):
    joint = world.joint()
    total = 0.0
    for text in world.texts:
        pool = pool_of(world, text)
        log_q = mixture_reference(pool).log_q
        for s in range(world.sources):
            total += joint[(s, *text)] * flow(pool[s], log_q).total_nats
    expected = mutual_information(joint.reshape(world.sources, -1))
    assert total == pytest.approx(expected, abs=1e-12)


def test_excluding_is_a_pool_without_the_source(world):
    pool = pool_of(world, world.texts[5])
    without = mixture_reference(pool, exclude=1)
    smaller = mixture_reference(pool[[0, 2]])
    np.testing.assert_allclose(without.log_q, smaller.log_q, atol=1e-15)
    assert np.isneginf(without.log_weights[:, 1]).all()
    np.testing.assert_array_equal(mixture_reference(pool, exclude=[1]).log_q, without.log_q)


@given(arrays(np.float64, (4, 6), elements=st.floats(-60, 0)), st.integers(0, 3))
@settings(derandomize=True, deadline=None, max_examples=50)
def test_flow_against_a_pool_with_the_own_source_is_at_most_log_k(pool, own):
    found = mixture_reference(pool)
    assert flow(pool[own], found.log_q).flow.max() <= np.log(4) + 1e-12
    # Weights are laws at every token, posterior included.
    rows = np.vstack([found.log_weights, found.log_posterior])
    np.testing.assert_allclose(np.logaddexp.reduce(rows, axis=1), 0.0, atol=1e-12)
    whole = np.logaddexp.reduce(pool.sum(axis=1)) - np.log(4)
    assert found.log_q.sum() == pytest.approx(whole, abs=1e-11)


def test_a_prior_weighs_the_sources():
    found = mixture_reference(np.log([[0.9], [0.1]]), log_prior=np.log([0.25, 0.75]))
    assert found.log_q[0] == pytest.approx(np.log(0.3), abs=1e-15)
    np.testing.assert_allclose(np.exp(found.log_posterior), [0.75, 0.25], atol=1e-15)


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        (([[-1.0, -np.inf], [-1.0, -np.inf]],), DistributionError, "token 1 has probability 0"),
        (([-1.0],), ShapeError, r"log_p_pool has shape \(1,\): 2 axis"),
        (([[-1.0], [-1.0]], np.log([0.5, 0.4])), DistributionError, r"log_prior.*sum to 0\.9"),
        (([[-1.0], [-1.0]], [0.0]), ShapeError, r"log_prior has shape \(1,\) for a pool of 2"),
        (([[-1.0], [-1.0]], None, 2), SettingsError, r"exclude names source 2; the pool has 0 … 1"),
        (([[-1.0], [-1.0]], None, [0.5]), SettingsError, r"exclude names source 0\.5"),
        (([[-1.0]], None, [0]), SettingsError, "no source with mass is left: 1 of 1"),
        (([[0.5]],), DistributionError, r"log_p_pool\[0, 0\] = 0\.5 is above 0"),
    ],
)
def test_bad_input_is_refused(arguments, error, text):
    with pytest.raises(error, match=text):
        mixture_reference(*arguments)
