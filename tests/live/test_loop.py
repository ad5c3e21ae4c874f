"""Deaths of the drift by their definition; the calibrated rate where the truth is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import live as oracle

from flowgauge.errors import (
    DistributionError,
    InputError,
    SettingsError,
    ShapeError,
    UnreachableError,
)
from flowgauge.live.event import stop
from flowgauge.live.loop import Loop, calibrate_loop
from flowgauge.live.step import Meter


def events(monitor, drifts):
    meter = Meter(orders=(-1.0,))
    rest = {"log_p": -1.0, "log_q": -1.0, "variance": 0.0, "entropy_p": 0.0, "entropy_q": 0.0}
    return [
        monitor.observe(meter.enter(0, drift=float(k), log_moments=np.zeros(1), **rest))
        for k in drifts
    ]


def places(monitor, drifts):
    return [j for j, event in enumerate(events(monitor, drifts)) if event]


# Multiples of 1/8 with windows of 1, 2, 4: every mean is exact, so the oracle's equals ours.
DRIFTS = st.lists(st.integers(0, 16).map(lambda n: n / 8) | st.just(np.inf), max_size=40)


@given(DRIFTS, st.sampled_from([1, 2, 4]), st.integers(0, 8).map(lambda n: n / 8))
@settings(derandomize=True, deadline=None)
def test_fires_where_the_mean_falls_and_only_after_it_rose(drifts, window, threshold):
    found = places(Loop(threshold, window), drifts)
    assert found == oracle.deaths(drifts, window, threshold)


def test_a_dead_drift_speaks_once_and_again_after_a_rise():
    drifts = [1.0] * 5 + [0.0] * 10 + [1.0] * 5 + [0.0] * 10
    assert places(Loop(0.1, window=4), drifts) == [8, 23]
    # From the start it waits for a whole window.
    assert places(Loop(0.1, window=4), [0.0] * 10) == [3]
    assert places(Loop(0.0, window=4), [0.0] * 3) == []


def test_a_repeating_text_is_found():
    """Laws whose difference fades, as where both copy from what is written."""
    monitor, rng = Loop(0.02), np.random.default_rng(0)
    q = np.log([0.5, 0.3, 0.2])
    said = []
    for j in range(80):
        p = rng.dirichlet([1.0, 1.0, 1.0]) if j < 40 else np.exp(q)
        said.append(monitor.update(np.log(p), q, 0))
    at = [j for j, event in enumerate(said) if event]
    assert len(at) == 1
    assert 40 <= at[0] <= 55


def test_state_before_and_after():
    monitor = Loop(0.5, window=2)
    assert monitor.state == {"mean_drift_nats": np.inf, "threshold_nats": 0.5}
    for drift, mean in ((1.0, 1.0), (3.0, 2.0), (0.5, 1.75)):
        events(monitor, [drift])
        assert monitor.state["mean_drift_nats"] == mean


def test_what_it_says_without_and_with_a_calibration():
    bare = Loop(0.5, window=2, action=stop)
    assert bare.promise == (
        "No promise: how often ordinary text falls to 0.5 nats per token was not measured "
        "(calibrate_loop does)."
    )
    event = events(bare, [0.25, 0.5])[1]
    assert event.words == (
        "The drift has died: 0.375 nats per token over the last 2 tokens, at or below 0.5, at "
        f"token 1. A loop, or text from memory. {bare.promise}"
    )
    assert event.values == {"mean_drift_nats": 0.375, "threshold_nats": 0.5, "window": 2}
    assert event.stops
    said = Loop(0.5, 2, 3.0)
    assert said.promise == "False alarms: at most 3 per 1,000 tokens, as whoever set it says."
    assert events(said, [0.0, 0.0])[1].values["false_alarms_per_1000"] == 3.0

    c = calibrate_loop([np.full(100, 1 + j / 100) for j in range(80)])
    monitor = Loop.from_calibration(c, action=stop)
    assert monitor.promise == monitor.fresh().promise
    assert monitor.promise == (
        "False alarms: at most 1 per 1,000 tokens, a text's first alarm counted, with confidence "
        "95 %, for texts drawn like the 80 ordinary generations (8000 tokens) it was measured on; "
        "it alarmed in 3 of them, 0.375 times per 1,000 tokens with repeats."
    )
    assert (monitor.threshold_nats, monitor.window, monitor.action) == (c.threshold_nats, 16, stop)


@pytest.mark.parametrize(("n", "length", "rate"), [(60, 60, 2.0), (200, 128, 1.0), (47, 63, 1.0)])
def test_threshold_is_the_largest_with_its_bound(n, length, rate):
    rng = np.random.default_rng(n)
    drifts = [rng.exponential(size=length) for _ in range(n)]
    c = calibrate_loop(drifts, false_alarms_per_1000=rate, window=4)
    share = rate * length / 1000
    bearable = oracle.most_that_may_alarm(n, share, 0.95)
    assert bearable >= 0
    counts = [len(places(Loop.from_calibration(c), d)) for d in drifts]
    # No ties: just below the next least mean exactly the bearable number alarms.
    assert (c.alarmed, sum(x > 0 for x in counts)) == (bearable, bearable)
    assert c.measured_per_1000 == pytest.approx(1000 * sum(counts) / (n * length), rel=1e-14)
    assert (c.generations, c.tokens, c.window, c.confidence) == (n, n * length, 4, 0.95)
    assert c.false_alarms_per_1000 == rate
    # One float higher one more generation alarms, and the bound would be above the rate.
    higher = np.nextafter(c.threshold_nats, np.inf)
    assert sum(bool(places(Loop(higher, 4), d)) for d in drifts) == bearable + 1
    assert oracle.most_that_may_alarm(n, c.upper_per_1000 * length / 1000 * (1 + 1e-9), 0.95) == (
        bearable
    )
    assert oracle.most_that_may_alarm(n, c.upper_per_1000 * length / 1000 * (1 - 1e-9), 0.95) == (
        bearable - 1
    )
    assert c.upper_per_1000 <= rate


def test_the_rate_is_held_with_the_confidence_stated():
    """A window of 1 and uniform drifts: the chance that a text alarms is 1 − (1 − t)^length."""
    rng, length, runs = np.random.default_rng(0), 40, 400
    held = []
    for _ in range(runs):
        c = calibrate_loop(
            rng.random((50, length)), false_alarms_per_1000=3.0, window=1, confidence=0.9
        )
        held.append(1000 * (1 - (1 - c.threshold_nats) ** length) / length <= 3.0)
    # The coverage is exactly P(Beta(k, n−k+1) ≤ share) = 0.9 or more; three standard errors.
    assert np.mean(held) >= 0.9 - 3 * np.sqrt(0.09 / runs)
    assert not all(held)


def test_repeats_within_a_generation_do_not_count_as_generations():
    """Dependent alarms: what repeats in one text widens nothing, another text does."""
    calm, nervous = np.full(100, 1.0), np.tile([0.0, 1.0], 50)
    c = calibrate_loop([calm] * 79 + [nervous], window=1)
    assert c.threshold_nats == np.nextafter(1.0, 0.0)
    assert (c.alarmed, c.measured_per_1000) == (1, 1000 * 50 / 8000)
    assert c.measured_per_1000 > c.upper_per_1000


def test_generations_may_differ_in_length_and_be_short():
    drifts = [np.full(100 if j % 2 else 10, 1.0 + j) for j in range(160)]
    c = calibrate_loop(drifts)
    assert c.tokens == 80 * 100 + 80 * 10
    # Short ones hold no window and never alarm: the least means are 2, 4, 6, … of the long ones.
    assert c.alarmed == oracle.most_that_may_alarm(160, 0.055, 0.95)
    assert c.threshold_nats == np.nextafter(2.0 * (c.alarmed + 1), 0)


def test_too_little_is_said_with_what_is_needed():
    with pytest.raises(UnreachableError, match=r"0 generations with 0 tokens came; about 2996 tok"):
        calibrate_loop([])
    with pytest.raises(UnreachableError, match=r"3 generations with 0 tokens came; about 2996 tok"):
        calibrate_loop([[], [], []])
    message = (
        r"28 generations with 2800 tokens came; 29 of this mean length are needed to hold a rate "
        r"of 1 per 1,000 tokens with confidence 0.95\. Generate more, or"
    )
    with pytest.raises(UnreachableError, match=message):
        calibrate_loop(np.ones((28, 100)))
    assert calibrate_loop(np.ones((29, 100))).alarmed == 0
    with pytest.raises(UnreachableError, match=r"^0 of 300 generations have 16 tokens running.*1 "):
        calibrate_loop(np.ones((300, 10)))
    with pytest.raises(
        UnreachableError, match=r"^0 of 29 generations .* finite drift; at least 1 "
    ):
        calibrate_loop(np.full((29, 100), np.inf))
    with pytest.raises(
        UnreachableError, match=r"drift is 0 over 16 tokens in 5 of 29 gen.*, 0 may"
    ):
        calibrate_loop([np.ones(100)] * 24 + [np.zeros(100)] * 5)
    with pytest.raises(SettingsError, match=r"mean length is 1000 tokens.*fewer than 1000, or ask"):
        calibrate_loop(np.ones((9, 1000)))


def test_bad_input_is_refused():
    for threshold in (-1.0, np.nan, np.inf):
        with pytest.raises(SettingsError, match=f"threshold_nats = {threshold}; a finite number"):
            Loop(threshold)
    with pytest.raises(SettingsError, match="false_alarms_per_1000 = -1; a finite number"):
        Loop(0.1, 16, -1)
    for window in (0, 2.5):
        with pytest.raises(SettingsError, match=f"window = {window}; a number of tokens, 1 or"):
            Loop(0.1, window)
        with pytest.raises(SettingsError, match=f"window = {window}; a number of tokens, 1 or"):
            calibrate_loop(np.ones((29, 100)), window=window)
    for more in ({"false_alarms_per_1000": 0.0}, {"confidence": 1.0}):
        with pytest.raises(SettingsError, match=r"a finite rate above 0 and a confidence between"):
            calibrate_loop(np.ones((29, 100)), **more)
    with pytest.raises(ShapeError, match=r"drifts\[1\] has shape \(1, 2\); one column"):
        calibrate_loop([[1.0], [[1.0, 2.0]]])
    for bad in (-0.5, np.nan):
        with pytest.raises(
            DistributionError, match=rf"drifts\[0\]\[1\] = {bad}; a drift is a dive"
        ):
            calibrate_loop([[0.0, bad]])
    with pytest.raises(InputError, match=r"drifts\[0\] has dtype"):
        calibrate_loop(["text"])
