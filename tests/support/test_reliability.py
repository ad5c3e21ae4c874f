import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.support import isotonic
from sklearn.metrics import brier_score_loss, log_loss

from flowgauge.errors import InputError, ShapeError
from flowgauge.support import IsotonicProbability, isotonic_probability, measure_reliability
from flowgauge.support.reliability import LEAST_IN_BIN, MOST_BINS, MOST_FOLDS

pairs = st.lists(
    st.tuples(st.sampled_from(np.linspace(0, 1, 9).tolist()) | st.floats(0, 1), st.booleans()),
    min_size=4,
    max_size=40,
).filter(lambda rows: 2 <= sum(y for _, y in rows) <= len(rows) - 2)


def columns(rows):
    x, y = zip(*rows, strict=True)
    return np.array(x), np.array(y)


# -- the curve ------------------------------------------------------------------------------------


@given(pairs)
@settings(derandomize=True, deadline=None, max_examples=20)
def test_the_curve_is_the_min_max_mean(rows):
    x, y = columns(rows)
    x = np.round(x, 3)
    knots, wanted = isotonic(x, y)
    least = 1 / (len(x) + 2)
    found = isotonic_probability(x, y)
    # Means of at most 40 answers.
    assert found(knots) == pytest.approx(np.clip(wanted, least, 1 - least), abs=1e-12)
    assert (np.diff(found(np.linspace(-1, 2, 50))) >= 0).all()
    assert found(-1.0) == found.probability[0]
    assert found(2.0) == found.probability[-1]


@given(pairs, st.randoms(use_true_random=False))
@settings(derandomize=True, deadline=None, max_examples=10)
def test_the_order_of_the_responses_does_not_matter(rows, shuffler):
    found = isotonic_probability(*columns(rows))
    shuffler.shuffle(rows)
    other = isotonic_probability(*columns(rows))
    at = np.linspace(0, 1, 30)
    assert other(at) == pytest.approx(found(at), abs=1e-12)


def test_perfect_answers_stay_within_the_rule_of_succession():
    found = isotonic_probability([0.1, 0.2, 0.8, 0.9], [False, False, True, True])
    assert found([0.0, 0.5, 1.0]) == pytest.approx([1 / 6, 0.5, 5 / 6], abs=1e-15)
    assert found([[0.0], [1.0]]).shape == (2, 1)


@pytest.mark.parametrize(
    ("support", "probability", "error", "message"),
    [
        ((), (), ShapeError, "0 supports and 0 probabilities came"),
        ((0.1, 0.2), (0.1,), ShapeError, "2 supports and 1 probabilities"),
        ((0.1, float("nan")), (0.1, 0.2), ShapeError, "as many finite ones"),
        ((0.2, 0.1), (0.1, 0.2), InputError, r"must rise in support .* \(0.2, 0.1\)"),
        ((0.1, 0.2), (0.2, 0.1), InputError, "not fall in probability"),
        ((0.1, 0.2), (0.2, 1.1), InputError, "within 0 and 1"),
    ],
)
def test_no_curve(support, probability, error, message):
    with pytest.raises(error, match=message):
        IsotonicProbability(support=support, probability=probability)


# -- its reliability ------------------------------------------------------------------------------


@given(pairs, st.integers(0, 5))
@settings(derandomize=True, deadline=None, max_examples=15)
def test_every_response_is_in_one_bin(rows, seed):
    x, y = columns(rows)
    found = measure_reliability(x, y, rng=np.random.default_rng(seed))
    assert sum(b.observed.n for b in found.bins) == found.n == found.groups == len(y)
    assert sum(b.observed.count for b in found.bins) == y.sum()
    assert len(found.bins) <= min(MOST_BINS, max(2, len(y) // LEAST_IN_BIN))
    for b in found.bins:
        assert 0 < b.lowest <= b.predicted + 1e-12 <= b.highest + 2e-12 < 1 + 2e-12
        assert b.observed.lower <= b.observed.share <= b.observed.upper
    for low, high in zip(found.bins, found.bins[1:], strict=False):
        assert low.highest < high.lowest  # equal predictions are never parted
    gap = sum(b.observed.n * abs(b.observed.share - b.predicted) for b in found.bins) / len(y)
    assert found.expected_calibration_error == pytest.approx(gap, abs=1e-12)
    assert 0 <= found.brier <= 1
    assert np.isfinite(found.log_loss_nats)


def test_scores_are_those_of_scikit_learn_on_predictions_out_of_fold(monkeypatch, rng):
    x = rng.random(90)
    y = rng.random(90) < x
    import flowgauge.support.reliability as module

    seen = {}

    def remembering(*arguments):
        seen["predicted"] = out_of_fold(*arguments)
        return seen["predicted"]

    out_of_fold = module._out_of_fold
    monkeypatch.setattr(module, "_out_of_fold", remembering)
    found = measure_reliability(x, y)
    predicted = seen["predicted"]
    assert np.isfinite(predicted).all()
    assert found.brier == pytest.approx(brier_score_loss(y, predicted), abs=1e-12)
    assert found.log_loss_nats == pytest.approx(log_loss(y, predicted), abs=1e-12)
    assert found.brier_base == pytest.approx(brier_score_loss(y, np.full(90, y.mean())), abs=1e-12)
    assert found.folds == MOST_FOLDS


def test_what_is_fitted_to_looks_better_than_it_is(rng):
    """Answers without any relation to support: out of fold no better than the base rate."""
    x, y = rng.random(200), rng.random(200) < 0.5
    curve = isotonic_probability(x, y)
    in_sample = np.mean((curve(x) - y) ** 2)
    found = measure_reliability(x, y)
    assert in_sample < found.brier_base < found.brier + 0.01


def test_groups_are_kept_whole():
    """Each source has one support and one answer: its siblings must not predict it."""
    rng = np.random.default_rng(1)
    x = np.repeat(rng.random(30), 6)
    y = np.repeat(rng.random(30) < 0.5, 6)
    names = [f"s{i // 6}" for i in range(180)]
    whole = measure_reliability(x, y, groups=names)
    apart = measure_reliability(x, y)
    assert (whole.groups, apart.groups) == (30, 180)
    # Answers are a coin for each source: only siblings can tell.
    assert apart.brier < 0.22 < whole.brier


def test_probabilities_of_a_known_law_are_reliable(rng):
    x = rng.random(4000)
    y = rng.random(4000) < x
    found = measure_reliability(x, y)
    # E[x(1−x)] = 1/6; three standard errors and the price of fitting are below 0.01.
    assert found.brier == pytest.approx(1 / 6, abs=0.01)
    assert found.expected_calibration_error < 0.03
    assert sum(b.observed.lower <= b.predicted <= b.observed.upper for b in found.bins) >= 8


def test_the_generator_deals_and_the_default_is_fixed(rng):
    x = rng.random(60)
    y = rng.random(60) < x
    assert measure_reliability(x, y) == measure_reliability(x, y)
    briers = {measure_reliability(x, y, rng=np.random.default_rng(i)).brier for i in range(4)}
    assert len(briers) > 1


# -- refused --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("support", "supported", "error", "message"),
    [
        ([0.1, 0.2], [True], ShapeError, r"support has shape \(2,\) and supported \(1,\)"),
        ([[0.1]], [[True]], ShapeError, "one number and one answer a response"),
        ([0.1, 0.2], [1, 0], InputError, "supported has dtype int64; True or False"),
        ([0.1, float("nan")], [True, False], InputError, r"support\[1\] is nan"),
        (
            [0.1, 0.2],
            [True, True],
            InputError,
            "all 2 responses are marked supported; a probability needs both answers. Label "
            "responses that are unsupported too",
        ),
        ([0.1], [False], InputError, "all 1 responses are marked unsupported.* are supported too"),
    ],
)
def test_pairs_that_are_none(support, supported, error, message):
    for fit in (isotonic_probability, measure_reliability):
        with pytest.raises(error, match=message):
            fit(support, supported)


def test_too_few_to_check():
    with pytest.raises(InputError, match="1 supported and 3 unsupported responses in 4 groups"):
        measure_reliability([0.1, 0.2, 0.3, 0.4], [False, False, False, True])
    halves = [False, False, True, True]
    with pytest.raises(InputError, match="in 1 group came; at least 2 of each answer and 2 grou"):
        measure_reliability([0.1, 0.2, 0.3, 0.4], halves, groups=["a"] * 4)
    with pytest.raises(ShapeError, match="3 groups came for 4 responses"):
        measure_reliability([0.1, 0.2, 0.3, 0.4], halves, groups=["a"] * 3)


@given(pairs, st.data())
@settings(derandomize=True, deadline=None, max_examples=20)
def test_any_grouping_works(rows, data):
    x, y = columns(rows)
    names = data.draw(st.lists(st.sampled_from("abcde"), min_size=len(x), max_size=len(x)))
    if len(set(names)) < 2:
        return
    found = measure_reliability(x, y, groups=names)
    assert found.groups == len(set(names))
    assert sum(b.observed.n for b in found.bins) == len(x)
