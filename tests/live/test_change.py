"""Alarms by enumeration under P, in 2,000 texts, and against sums over every start."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import live as oracle

from flowgauge.anytime import shiryaev_roberts
from flowgauge.errors import DistributionError, SettingsError, ShapeError
from flowgauge.live.change import Change, TiltedShiryaevRoberts
from flowgauge.live.step import Meter
from flowgauge.math import log_mean_exp


@pytest.fixture(scope="module", params=[0, 1, 2])
def world(request):
    return oracle.texts_of_two(request.param)


def alarms(texts, c):
    """(text, token) whether there was an alarm; probabilities under P."""
    said = [[e is not None for e in oracle.fed(Change(c), steps)] for steps, *_ in texts]
    return np.array(said), np.array([p for _, p, _ in texts])


def test_mean_of_r_is_at_most_the_number_of_tokens(world):
    weights = np.array([p for _, p, _ in world])
    paths = []
    for steps, *_ in world:
        detector = TiltedShiryaevRoberts(steps[0].orders)
        paths.append([np.exp(detector.update(s.density, s.log_moments)) for s in steps])
    # The floors of the table leave every token possible: equality; 1e-10 for ratios up to 1e4.
    np.testing.assert_allclose(weights @ np.array(paths), np.arange(1, 9), rtol=1e-10)


@pytest.mark.parametrize("c", [2.0, 4.0, 20.0])
def test_false_alarms_by_t_are_at_most_t_over_c(world, c):
    said, weights = alarms(world, c)
    time = np.arange(1, said.shape[1] + 1)
    # 1e-12: 256 probabilities, each rounded to 1e-16.
    assert (weights @ np.maximum.accumulate(said, axis=1) <= time / c + 1e-12).all()
    # With restarts, all alarms together too.
    assert (weights @ np.cumsum(said, axis=1) <= time / c + 1e-12).all()
    assert weights @ said.any(axis=1) > 0


@pytest.mark.parametrize("c", [1.0, 2.0, 4.0])
def test_mean_run_to_a_false_alarm_is_at_least_c(world, c):
    said, weights = alarms(world, c)
    length = said.shape[1]
    run = np.where(said.any(axis=1), np.argmax(said, axis=1) + 1, length)
    # Runs are cut at the end of the text, so this mean is below the true one.
    assert weights @ run >= c - 1e-12
    # What the proof gives for cut runs.
    assert weights @ run >= c * (weights @ said.any(axis=1)) - 1e-12


def test_runs_and_alarms_in_two_thousand_texts():
    coins, rng = oracle.Coins(), np.random.default_rng(0)
    c, length = 60.0, 20
    said = [oracle.fed(Change(c), coins.text(rng, coins.P, length)) for _ in range(2000)]
    false = sum(any(events) for events in said)
    assert 0 < false <= oracle.most_of(2000, length / c)


def test_a_change_is_found_and_found_again():
    coins, rng = oracle.Coins(), np.random.default_rng(1)
    found = 0
    for _ in range(50):
        steps = coins.text(rng, coins.P, 40) + coins.text(rng, coins.Q, 200)
        monitor = Change(1000)
        at = [j for j, step in enumerate(steps) if monitor.observe(step)]
        found += bool(at) and at[0] >= 40 and len(at) >= 2
    assert found >= 45


@pytest.mark.parametrize("seed", range(4))
def test_alarms_stand_where_the_definition_has_them(seed):
    coins, rng = oracle.Coins(), np.random.default_rng(seed)
    steps = coins.text(rng, coins.Q, 60)
    wanted = oracle.alarms_with_restart(steps, 8.0)
    monitor = Change(8.0)
    assert [j for j, s in enumerate(steps) if monitor.observe(s)] == wanted
    assert len(wanted) >= 2


NUMBERS = st.floats(-9, 9) | st.sampled_from([-np.inf, np.inf])
PSI = st.lists(st.floats(-5, 5) | st.sampled_from([-np.inf, np.inf]), min_size=3, max_size=3)


@given(st.lists(st.tuples(NUMBERS, PSI), min_size=1, max_size=8))
@settings(derandomize=True, deadline=None)
def test_is_the_mean_of_the_whole_arrays(columns):
    orders = np.array([-1.0, 0.0, 0.5])
    density = np.array([d for d, _ in columns])
    psi = np.array([p for _, p in columns])
    with np.errstate(invalid="ignore"):
        ratios = np.where(orders == 0, 0.0, orders * density[:, None]) - psi
    ratios[np.isnan(ratios)] = -np.inf  # ∞/∞ and 0·∞ are no evidence
    wanted = log_mean_exp(shiryaev_roberts(ratios.T), axis=0)
    detector = TiltedShiryaevRoberts(orders)
    found = [detector.update(*column) for column in columns]
    np.testing.assert_array_equal(found, wanted)
    assert not np.isnan(found).any()


@given(st.lists(st.floats(-3, 3), min_size=1, max_size=8))
@settings(derandomize=True, deadline=None)
def test_is_the_sum_over_every_start(density):
    orders = (-0.5, 0.25, 1.0)
    meter = Meter(orders=orders)
    rest = {"drift": 0.0, "variance": 0.0, "entropy_p": 0.0, "entropy_q": 0.0}
    steps = [
        meter.enter(0, log_p=-9.0, log_q=-9.0 - d, log_moments=np.array([0.1, 0.0, 0.2]), **rest)
        for d in density
    ]
    detector = TiltedShiryaevRoberts(orders)
    found = [np.exp(detector.update(s.density, s.log_moments)) for s in steps]
    # 1e-12 relative: sums of exponentials of up to 24 against running logarithms.
    np.testing.assert_allclose(found, oracle.shiryaev_roberts_of_a_grid(steps), rtol=1e-12)


def test_a_huge_r_does_not_overflow():
    detector = TiltedShiryaevRoberts([-1.0, 1.0])
    for _ in range(100):
        log_r = detector.update(-50.0, [0.0, 0.0])
    assert log_r == pytest.approx(5000 - np.log(2), abs=1e-9)
    monitor = Change(1e300)
    p, q = np.log([1 - 1e-9, 1e-9]), np.log([1e-9, 1 - 1e-9])
    assert [monitor.update(p, q, 1) is not None for _ in range(36)].index(True) == 33


def test_what_it_says():
    monitor = Change()
    assert monitor.state == {"log_r_nats": -np.inf, "threshold_nats": np.log(1000)}
    null = "the text was drawn from the prompted law P (it was written from this source)"
    assert monitor.promise == (
        f"Null: {null}. While it holds, the mean run to an alarm is at least 1000 tokens, and the "
        "chance of an alarm within t tokens at most t/1000."
    )
    p, q = np.log([0.9, 0.1]), np.log([0.1, 0.9])
    first = [monitor.update(p, q, 1) for _ in range(12)]
    event = next(e for e in first if e)
    assert event.words == (
        f"A change inside the text: log R reached {event.values['log_r_nats']:.3g} nats at token "
        f"{event.position}, {event.position + 1} tokens after the start or the last alarm (log "
        "1000 = 6.91 was needed); the text moved towards the reference law. Null: "
        f"{null}; mean run to a false alarm at least 1000 tokens."
    )
    assert dict(event.values) == {
        "log_r_nats": event.values["log_r_nats"],
        "average_run_length": 1000.0,
        "run_tokens": event.position + 1,
        "leading_order": event.values["leading_order"],
    }
    assert event.values["log_r_nats"] >= np.log(1000)
    assert event.values["leading_order"] < 0
    # It begins anew: each alarm takes as many of these tokens as the first.
    run = event.position + 1
    assert [j for j, e in enumerate(first) if e] == list(range(run - 1, 12, run))
    assert 2 * run <= 12


def test_copying_too_closely_moves_away_from_the_reference():
    monitor = Change(50)
    p, q = np.log([0.6, 0.4]), np.log([0.2, 0.8])
    event = next(e for e in (monitor.update(p, q, 0) for _ in range(60)) if e)
    assert "moved away from the reference law" in event.words
    assert event.values["leading_order"] > 0


def test_bad_input_is_refused():
    for c in (0.5, np.inf, np.nan):
        with pytest.raises(SettingsError, match=f"average_run_length = {c}; a finite number"):
            Change(c)
    with pytest.raises(ShapeError, match=r"log_moments has shape \(2,\), \(1,\) was needed"):
        TiltedShiryaevRoberts([1.0]).update(0.0, [0.0, 0.0])
    for density, psi in ((np.nan, 0.0), (0.0, np.nan)):
        with pytest.raises(DistributionError, match=rf"density = {density} or .* holds NaN"):
            TiltedShiryaevRoberts([0.0]).update(density, [psi])
