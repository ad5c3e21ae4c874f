"""The level under P by enumeration and in 2,000 texts; the same numbers as the whole arrays."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import live as oracle

from flowgauge.anytime import first_crossing, tilted_e_process
from flowgauge.errors import SettingsError, ShapeError
from flowgauge.live.not_from_source import NotFromSource
from flowgauge.live.step import Meter
from flowgauge.records import ORDERS


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_level_under_the_prompted_law_over_all_texts(seed):
    texts = oracle.texts_of_two(seed)
    assert sum(p for _, p, _ in texts) == pytest.approx(1.0, abs=1e-12)
    for alpha in (0.01, 0.1, 0.4):
        fires = [any(oracle.fed(NotFromSource(alpha), steps)) for steps, *_ in texts]
        false = sum(p for (_, p, _), fired in zip(texts, fires, strict=True) if fired)
        # 1e-12: 256 probabilities, each rounded to 1e-16.
        assert false <= alpha + 1e-12
        if alpha == 0.4:
            assert false > 0.01
            power = sum(q for (_, _, q), fired in zip(texts, fires, strict=True) if fired)
            assert power > 0.5


def test_level_and_power_in_two_thousand_texts():
    coins, rng = oracle.Coins(), np.random.default_rng(0)
    said, largest = oracle.largest_log_e(NotFromSource(0.1), coins, coins.P, rng)
    for alpha in (0.01, 0.05, 0.1):
        assert sum(largest >= -np.log(alpha)) <= oracle.most_of(2000, alpha)
    np.testing.assert_array_equal(said, largest >= -np.log(0.1))
    assert said.sum() > 20
    others = [coins.text(rng, coins.Q, 60) for _ in range(100)]
    assert sum(any(oracle.fed(NotFromSource(), steps)) for steps in others) >= 80


def test_copying_too_closely_is_found_too():
    # P allows 0.6 of copying; the text does nothing else.
    p, q, monitor = np.log([0.6, 0.4]), np.log([0.2, 0.8]), NotFromSource()
    said = [monitor.update(p, q, 0) for _ in range(40)]
    assert sum(event is not None for event in said) == 1
    assert said[0] is None


LOGS = st.floats(-9, 0) | st.just(-np.inf)
PSI = st.floats(-5, 5) | st.sampled_from([-np.inf, np.inf])


@given(
    st.lists(
        st.tuples(LOGS, LOGS, st.lists(PSI, min_size=3, max_size=3)).filter(
            lambda x: x[0] > -np.inf or x[1] > -np.inf
        ),
        min_size=1,
        max_size=8,
    )
)
@settings(derandomize=True, deadline=None)
def test_is_the_first_crossing_of_the_whole_mixture(columns):
    orders = (-1.0, 0.0, 0.5)
    meter, monitor = Meter(orders=orders), NotFromSource(alpha=0.2)
    rest = {"drift": 0.0, "variance": 0.0, "entropy_p": 0.0, "entropy_q": 0.0}
    steps = [
        meter.enter(0, log_p=p, log_q=q, log_moments=np.array(psi), **rest) for p, q, psi in columns
    ]
    events = [monitor.observe(step) for step in steps]
    path = tilted_e_process([s.density for s in steps], [s.log_moments for s in steps], orders)
    crossing = first_crossing(path, -np.log(0.2))
    assert [j for j, event in enumerate(events) if event] == (
        [] if crossing is None else [crossing]
    )
    assert monitor.state == {"log_e_nats": path[-1], "threshold_nats": -np.log(0.2)}
    if crossing is not None:
        assert events[crossing].values == {"log_e_nats": path[crossing], "alpha": 0.2}


def test_what_it_says():
    monitor = NotFromSource()
    assert monitor.state == {"log_e_nats": 0.0, "threshold_nats": pytest.approx(4.60517, abs=1e-5)}
    null = "the text was drawn from the prompted law P (it was written from this source)"
    assert monitor.promise == f"Null: {null}. If it holds, this speaks with chance 0.01 at most."
    # A token that P excludes is full evidence.
    event = monitor.update([0.0, -np.inf], [0.0, 0.0], 1)
    assert event.words == (
        "Not from this source: log e reached inf nats at token 0 (log 1/alpha = 4.61 was needed) "
        f"against the null that {null}, at level 0.01."
    )
    assert monitor.fresh().alpha == 0.01


def test_bad_input_is_refused():
    with pytest.raises(SettingsError, match="alpha = 2; a level between 0 and 1"):
        NotFromSource(2)
    monitor = NotFromSource()
    row = [0.0, 0.0]
    monitor.observe(Meter().read(row, row, 0))
    with pytest.raises(ShapeError, match=rf"log_moments has shape \(1,\), \({len(ORDERS)},\) was"):
        monitor.observe(Meter(orders=(0.5,)).read(row, row, 0))
