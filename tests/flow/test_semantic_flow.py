import numpy as np
import pytest
from oracles.flow import mutual_information, path_columns, random_world

from flowgauge.errors import DistributionError, ShapeError
from flowgauge.flow import directed_information, flow


@pytest.fixture(scope="module")
def world():
    return random_world(np.random.default_rng(2), sources=3, vocab=3, time=3)


@pytest.fixture(scope="module")
def flows(world):
    """(probability, Flow) of every text of every source against the exact marginal."""
    found = []
    for source in range(world.sources):
        columns = path_columns(
            lambda prefix, s=source: world.laws[s, prefix],
            world.marginal_law,
            world.vocab,
            world.time,
        )
        names = ("log_p", "log_q", "drift", "variance")
        for row, probability in enumerate(columns["probability_p"]):
            found.append(
                (
                    probability / world.sources,
                    flow(
                        *(columns[name][row] for name in names),
                        log_moments=columns["log_moments"][row],
                        orders=columns["orders"],
                    ),
                )
            )
    return found


def test_mean_flow_is_directed_information_is_mean_compensator(world, flows):
    joint = world.joint()
    information = mutual_information(joint.reshape(world.sources, -1))
    # 1e-12: 81 terms of size about 1, each rounded to 1e-16.
    assert sum(p * f.total_nats for p, f in flows) == pytest.approx(information, abs=1e-12)
    assert sum(p * f.compensator[-1] for p, f in flows) == pytest.approx(information, abs=1e-12)
    assert directed_information(joint, [0], [1, 2, 3]) == pytest.approx(information, abs=1e-12)


def test_another_reference_law_is_an_upper_bound_high_by_its_divergence(world):
    rng = np.random.default_rng(9)
    other = {text[:j]: rng.dirichlet(np.ones(3)) for text in world.texts for j in range(3)}
    joint = world.joint()
    mean = excess = 0.0
    for text in world.texts:
        log_q = np.log([other[text[:j]][text[j]] for j in range(3)])
        marginal = joint[(slice(None), *text)].sum()
        excess += marginal * (np.log(marginal) - log_q.sum())
        for s in range(world.sources):
            log_p = np.log([world.laws[s, text[:j]][text[j]] for j in range(3)])
            mean += joint[(s, *text)] * flow(log_p, log_q).total_nats
    information = mutual_information(joint.reshape(world.sources, -1))
    assert excess > 0.01
    assert mean == pytest.approx(information + excess, abs=1e-12)


def test_variance_of_the_martingale_is_the_mean_of_the_summed_variances(flows):
    mean = sum(p * f.martingale[-1] for p, f in flows)
    variance = sum(p * f.martingale[-1] ** 2 for p, f in flows)
    assert mean == pytest.approx(0.0, abs=1e-12)
    assert variance == pytest.approx(sum(p * f.variance.sum() for p, f in flows), abs=1e-12)


def test_flow_is_a_submartingale_in_conditional_expectation_only(flows):
    for _, f in flows:
        assert (np.diff(f.compensator) >= 0).all()
    assert any((np.diff(f.flow) < 0).any() for _, f in flows)


def test_every_column_is_its_definition():
    log_p, log_q = np.log([0.9, 0.2, 0.5]), np.log([0.1, 0.4, 0.5])
    f = flow(log_p, log_q, [0.3, 0.2, 0.0], [0.5, 0.1, 0.0])
    np.testing.assert_allclose(f.density, np.log([9.0, 0.5, 1.0]), atol=1e-15)
    np.testing.assert_allclose(f.flow, np.log([9.0, 4.5, 4.5]), atol=1e-15)
    np.testing.assert_allclose(f.martingale, f.flow - [0.3, 0.5, 0.5], atol=1e-15)
    assert f.residual == pytest.approx((np.log(4.5) - 0.5) / np.sqrt(0.6), abs=1e-14)
    assert f.fraction == pytest.approx(np.log(4.5) / -np.sum(log_q), abs=1e-15)
    assert (f.surprisal_q == -log_q).all()


def test_what_was_not_given_is_absent():
    f = flow([-1.0], [-2.0])
    assert f.drift is f.compensator is f.martingale is f.variance is f.log_moments is None
    assert np.isnan(f.residual)
    only_drift = flow([-1.0], [-2.0], [0.5])
    assert only_drift.variance is None
    assert only_drift.compensator.tolist() == [0.5]


def test_empty_and_certain_responses():
    assert flow([], [], [], []).total_nats == 0.0
    same = flow([0.0, 0.0], [0.0, 0.0])
    assert same.total_nats == 0.0
    assert np.isnan(same.fraction)
    assert not np.signbit(same.surprisal_q).any()


def test_impossible_tokens():
    assert flow([-np.inf, -1.0], [-1.0, -1.0]).flow.tolist() == [-np.inf, -np.inf]
    assert flow([-1.0], [-np.inf]).total_nats == np.inf
    with pytest.raises(DistributionError, match="token 1 has probability 0 under both laws"):
        flow([-1.0, -np.inf], [-1.0, -np.inf])
    with pytest.raises(DistributionError, match=r"token 0 .* under P and token 1 under Q: .*∞ − ∞"):
        flow([-np.inf, -1.0], [-1.0, -np.inf])


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        (([0.1], [-1.0]), DistributionError, r"log_p\[0\] = 0\.1 is above 0"),
        (([-1.0], [np.nan]), DistributionError, r"log_q\[0\] is NaN"),
        (([-1.0], [-1.0, -1.0]), ShapeError, r"log_p \(1,\), log_q \(2,\)"),
        (([[-1.0]], [-1.0]), ShapeError, r"log_p has shape \(1, 1\)"),
        (([-1.0], [-1.0], [-0.5]), DistributionError, r"drift\[0\] = -0\.5; it is 0 or more"),
        (([-1.0], [-1.0], [np.inf]), DistributionError, r"drift\[0\] = inf.*Q excludes a token"),
        (([-1.0], [-1.0], [0.1, 0.1]), ShapeError, r"drift has shape \(2,\); \(1,\)"),
        (([-1.0], [-1.0], [0.1], [np.nan]), DistributionError, r"variance\[0\] = nan"),
        (([-1.0], [-1.0], None, [0.1]), ShapeError, "variance came without drift"),
    ],
)
def test_bad_input_is_refused_with_its_numbers(arguments, error, text):
    with pytest.raises(error, match=text):
        flow(*arguments)


def test_log_moments_must_fit():
    with pytest.raises(ShapeError, match="come together"):
        flow([-1.0], [-1.0], log_moments=[[0.0]])
    with pytest.raises(ShapeError, match=r"log_moments has shape \(1, 2\) and orders \(1,\)"):
        flow([-1.0], [-1.0], log_moments=[[0.0, 0.0]], orders=[-1.0])
    with pytest.raises(DistributionError, match="log_moments holds NaN"):
        flow([-1.0], [-1.0], log_moments=[[np.nan]], orders=[-1.0])
