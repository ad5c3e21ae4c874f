"""The level under Q by enumeration and in 2,000 texts; the same numbers as the whole arrays."""

import numpy as np
import pytest
from hypothesis import given, settings
from oracles import live as oracle
from strategies import log_ratios

from flowgauge.anytime import e_process, first_crossing
from flowgauge.errors import SettingsError
from flowgauge.live.event import stop
from flowgauge.live.grounded import Grounded
from flowgauge.live.step import Meter


def steps_of(density):
    """Steps with these densities; what else they hold is of no matter here."""
    meter = Meter(orders=(-1.0,))
    rest = {"drift": 0.0, "variance": 0.0, "entropy_p": 0.0, "entropy_q": 0.0}
    return [
        meter.enter(0, log_p=min(i, 0.0), log_q=min(-i, 0.0), log_moments=np.zeros(1), **rest)
        for i in density
    ]


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_level_under_the_reference_law_over_all_texts(seed):
    texts = oracle.texts_of_two(seed)
    assert sum(q for *_, q in texts) == pytest.approx(1.0, abs=1e-12)
    for alpha in (0.01, 0.1, 0.4):
        fires = [any(oracle.fed(Grounded(alpha), steps)) for steps, *_ in texts]
        false = sum(q for (_, _, q), fired in zip(texts, fires, strict=True) if fired)
        # 1e-12: 256 probabilities, each rounded to 1e-16.
        assert false <= alpha + 1e-12
        if alpha == 0.4:
            assert false > 0.01
            power = sum(p for (_, p, _), fired in zip(texts, fires, strict=True) if fired)
            assert power > 0.5


def test_level_and_power_in_two_thousand_texts():
    coins, rng = oracle.Coins(), np.random.default_rng(0)
    said, largest = oracle.largest_log_e(Grounded(0.1), coins, coins.Q, rng)
    for alpha in (0.01, 0.05, 0.1):
        assert sum(largest >= -np.log(alpha)) <= oracle.most_of(2000, alpha)
    np.testing.assert_array_equal(said, largest >= -np.log(0.1))
    assert said.sum() > 20
    grounded = [coins.text(rng, coins.P, 60) for _ in range(100)]
    assert sum(any(oracle.fed(Grounded(), steps)) for steps in grounded) >= 80


@given(log_ratios(infinite=True))
@settings(derandomize=True, deadline=None)
def test_is_the_first_crossing_of_the_whole_e_process(density):
    monitor = Grounded(alpha=0.2)
    events = [monitor.observe(step) for step in steps_of(density)]
    path = e_process(density)
    crossing = first_crossing(path, -np.log(0.2))
    assert [j for j, event in enumerate(events) if event] == (
        [] if crossing is None else [crossing]
    )
    assert monitor.state == {"log_e_nats": path[-1], "threshold_nats": -np.log(0.2)}
    if crossing is not None:
        assert events[crossing].values == {"log_e_nats": path[crossing], "alpha": 0.2}


def test_what_it_says():
    monitor = Grounded(action=stop)
    assert monitor.state == {"log_e_nats": 0.0, "threshold_nats": pytest.approx(4.60517, abs=1e-5)}
    null = "the text was drawn from the reference law Q (the source made no difference)"
    assert monitor.promise == f"Null: {null}. If it holds, this speaks with chance 0.01 at most."
    event = [monitor.observe(step) for step in steps_of([2.0, 3.0])][1]
    assert event.words == (
        "Driven by the source: log e reached 5 nats at token 1 (log 1/alpha = 4.61 was needed) "
        f"against the null that {null}, at level 0.01."
    )
    assert (event.position, event.stops) == (1, True)
    assert monitor.fresh().alpha == 0.01


def test_no_level_no_monitor():
    for alpha in (0.0, 1.0, np.nan):
        with pytest.raises(SettingsError, match=f"alpha = {alpha}; a level between 0 and 1"):
            Grounded(alpha)
