"""Stopping times by hand and by the whole arrays; Wald's forecast beside what was observed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import live as oracle

from flowgauge.anytime import expected_stopping_time, first_crossing
from flowgauge.errors import SettingsError
from flowgauge.live.event import stop
from flowgauge.live.step import Meter
from flowgauge.live.sufficient import Sufficient


def steps_of(densities, drifts):
    meter = Meter(orders=(-1.0,))
    rest = {"variance": 0.0, "entropy_p": 0.0, "entropy_q": 0.0, "log_moments": np.zeros(1)}
    return [
        meter.enter(0, log_p=-30.0 + d, log_q=-30.0, drift=k, **rest)
        for d, k in zip(densities, drifts, strict=True)
    ]


def events(monitor, densities, drifts):
    said = [monitor.observe(step) for step in steps_of(densities, drifts)]
    return {j: event for j, event in enumerate(said) if event}


PAIRS = st.lists(st.tuples(st.floats(-3, 3), st.floats(0, 2)), min_size=1, max_size=30)


@given(PAIRS, st.floats(0.5, 6), st.sampled_from([1, 3, 5]))
@settings(derandomize=True, deadline=None)
def test_says_the_first_crossing_with_the_forecasts_made_on_the_way(pairs, nats, window):
    densities, drifts = (np.array(x) for x in zip(*pairs, strict=True))
    steps = steps_of(densities, drifts)
    monitor = Sufficient(nats, epsilon=1e-9, window=window)
    found = {j: e for j, e in enumerate(map(monitor.observe, steps)) if e}
    crossing = first_crossing([s.flow for s in steps], nats)
    told = [j for j, event in found.items() if "told enough" in event.words]
    assert told == ([] if crossing is None else [crossing])

    def forecast(count):
        if not drifts[:count].any():
            return np.inf
        return expected_stopping_time(nats, drifts[:count]).tokens

    assert monitor.state["predicted_tokens"] == forecast(len(pairs))
    assert monitor.state["flow_nats"] == steps[-1].flow
    if crossing is None:
        return
    tokens = crossing + 1
    wanted = {"flow_nats": steps[crossing].flow, "tokens": tokens}
    if tokens >= window:
        wanted["predicted_tokens_at_window"] = forecast(window)
    if tokens >= 2:
        wanted["predicted_tokens_at_half"] = forecast(tokens // 2)
    assert dict(found[crossing].values) == wanted


@given(st.lists(st.sampled_from([0.0, 0.25, 0.5]), max_size=30), st.integers(1, 4))
@settings(derandomize=True, deadline=None)
def test_says_once_that_the_drift_stayed_low(drifts, window):
    found = events(Sufficient(100.0, epsilon=0.5, window=window), [0.0] * len(drifts), drifts)
    low = [j for j in range(window - 1, len(drifts)) if max(drifts[j - window + 1 : j + 1]) < 0.5]
    assert list(found) == low[:1]


def test_wald_is_right_on_average_and_the_power_is_full():
    """Texts drawn from P: the mean τ lies between nats/k and (nats + largest density)/k."""
    p, q, nats = np.array([0.7, 0.3]), np.array([0.4, 0.6]), 3.0
    read = [Meter().read(np.log(p), np.log(q), t) for t in (0, 1)]
    rng, taus, forecasts = np.random.default_rng(0), [], []
    for _ in range(400):
        monitor, meter = Sufficient(nats, window=4), Meter()
        for _ in range(400):
            event = monitor.observe(oracle.again(meter, read[int(rng.random() > p[0])]))
            if event:
                break
        taus.append(event.values["tokens"])
        forecasts.append(event.values["predicted_tokens_at_half"])
    drift, largest = read[0].drift, read[0].density
    error = np.std(taus) / 20
    assert nats / drift - 3 * error <= np.mean(taus) <= (nats + largest) / drift + 3 * error
    # A constant drift: every forecast is the same number; 1e-12 for the mean of equal drifts.
    np.testing.assert_allclose(forecasts, nats / drift, rtol=1e-12)


def test_what_it_says():
    monitor = Sufficient(4.0, epsilon=0.1, window=3, action=stop)
    assert monitor.state == {
        "flow_nats": 0.0,
        "threshold_nats": 4.0,
        "predicted_tokens": np.inf,
        "quiet_tokens": 0,
    }
    assert monitor.promise == (
        "No null and no false-alarm rate: it measures when the flow reaches 4 nats or the drift "
        "stays below 0.1 for 3 tokens. The forecast is Wald's expectation for texts drawn from P, "
        "exact up to the overshoot if the drift is constant."
    )
    found = events(monitor, [1.0] * 4 + [0.5] * 4, [0.5, 1.0, 0.5, 2.0] + [0.0] * 4)
    assert list(found) == [3, 6]
    assert found[3].words == (
        "The source has told enough: the flow reached 4 nats at token 3 (4 were asked for), 4 "
        f"tokens. Forecast of that number: 6 after 3, 5.33 after 2. {monitor.promise}"
    )
    assert found[6].words == (
        "The source has stopped telling: the drift stayed below 0.1 nats for 3 tokens up to token "
        f"6; the flow is 5.5 nats. {monitor.promise}"
    )
    assert dict(found[6].values) == {
        "flow_nats": 5.5,
        "quiet_tokens": 3,
        "tokens": 7,
        "predicted_tokens": 7.0,
    }
    assert found[3].stops
    assert monitor.state["quiet_tokens"] == 4
    heir = monitor.fresh()
    assert (heir.nats, heir.epsilon, heir.window, heir.action) == (4.0, 0.1, 3, stop)


def test_both_at_one_token_are_said_one_after_the_other():
    found = events(Sufficient(1.0, epsilon=0.1, window=2), [0.5] * 5, [0.0] * 5)
    assert ["told enough" in e.words for e in found.values()] == [True, False]
    assert list(found) == [1, 2]


def test_a_drift_of_nothing_or_of_infinity_makes_no_forecast():
    monitor = Sufficient(1.0, window=2)
    found = events(monitor, [0.0, 2.0], [0.0, 0.0])
    assert found[1].values["predicted_tokens_at_half"] == np.inf
    assert "Forecast of that number: inf after 2, inf after 1." in found[1].words
    events(monitor, [0.0], [0.5])
    assert monitor.state["predicted_tokens"] == 6.0
    events(monitor, [np.inf], [np.inf])
    assert monitor.state["predicted_tokens"] == np.inf
    events(monitor, [0.0], [0.5])
    assert monitor.state["predicted_tokens"] == np.inf


def test_at_the_first_token_there_was_nothing_to_forecast_from():
    found = events(Sufficient(1.0), [2.0], [1.0])
    assert dict(found[0].values) == {"flow_nats": 2.0, "tokens": 1}
    assert "Forecast" not in found[0].words


def test_an_infinite_flow_suffices():
    top, both = [0.0, -np.inf], [0.0, 0.0]
    monitor = Sufficient(5.0)
    event = monitor.update(both, top, 1)
    assert event.values["flow_nats"] == np.inf
    assert monitor.update(top, both, 1) is None
    assert monitor.state["flow_nats"] == -np.inf


def test_bad_settings_are_refused():
    for nats in (0.0, np.inf, np.nan):
        with pytest.raises(SettingsError, match=f"threshold = {nats}; a finite number of nats abo"):
            Sufficient(nats)
    for epsilon, window in ((0.0, 16), (np.inf, 16), (np.nan, 16), (0.1, 0), (0.1, 1.5)):
        with pytest.raises(SettingsError, match=f"epsilon = {epsilon}, window = {window}; a fini"):
            Sufficient(1.0, epsilon, window)
