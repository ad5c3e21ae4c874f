"""What holds for every monitor: rows or steps, fresh, actions, infinite densities."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowgauge.errors import ShapeError
from flowgauge.live.change import Change
from flowgauge.live.event import Event, note, stop
from flowgauge.live.grounded import Grounded
from flowgauge.live.loop import Loop
from flowgauge.live.monitor import Monitor
from flowgauge.live.not_from_source import NotFromSource
from flowgauge.live.step import Meter
from flowgauge.live.sufficient import Sufficient

EVERY = (
    Grounded(alpha=0.3),
    NotFromSource(alpha=0.3),
    Change(average_run_length=4),
    Loop(threshold_nats=0.4, window=3),
    Sufficient(nats=1.5, epsilon=0.4, window=3),
)
every_monitor = pytest.mark.parametrize("monitor", EVERY, ids=lambda m: m.name)


def rows(seed, time=60, vocab=4):
    """Log-laws and tokens; half of the text follows P, half Q."""
    rng = np.random.default_rng(seed)
    p, q = rng.dirichlet(np.ones(vocab), size=(2, time))
    tokens = [rng.choice(vocab, p=(p if j < time // 2 else q)[j]) for j in range(time)]
    return np.log(p), np.log(q), tokens


def same(event, other):
    return event == other or (
        (event.monitor, event.position, event.words, event.stops)
        == (other.monitor, other.position, other.words, other.stops)
        and dict(event.values) == dict(other.values)
    )


@every_monitor
def test_rows_and_steps_say_the_same(monitor):
    said = 0
    for seed in range(5):  # both laws write some of each text, so each monitor has its say
        by_rows, by_steps, meter = monitor.fresh(), monitor.fresh(), Meter()
        for p, q, token in zip(*rows(seed), strict=True):
            event = by_rows.update(p, q, token)
            assert same(event, by_steps.observe(meter.read(p, q, token)))
            assert by_rows.state == by_steps.state
            said += event is not None
    assert said > 0


@every_monitor
def test_a_fresh_one_has_the_settings_and_no_memory(monitor):
    used = monitor.fresh()
    first = [used.update(*x) for x in zip(*rows(4), strict=True)]
    again = used.fresh()
    assert again.state == monitor.fresh().state != used.state
    assert again.promise == monitor.promise
    assert again.action is used.action
    second = [again.update(*x) for x in zip(*rows(4), strict=True)]
    assert all(same(a, b) for a, b in zip(first, second, strict=True))


@every_monitor
def test_actions(monitor):
    def events(action):
        other = monitor.fresh()
        other.action = action
        heir = other.fresh()
        return [e for e in (heir.update(*x) for x in zip(*rows(2), strict=True)) if e]

    heard = []

    def at_the_second(event):
        heard.append(event)
        return len(heard) == 2

    noted, stopped, called = events(note), events(stop), events(at_the_second)
    assert len(noted) == len(stopped) == len(called) == len(heard) > 0
    assert not any(e.stops for e in noted)
    assert all(e.stops for e in stopped)
    assert [e.stops for e in called] == [j == 1 for j in range(len(called))]
    assert [e.position for e in heard] == [e.position for e in noted]


@every_monitor
def test_events_are_sentences_with_their_numbers(monitor):
    other = monitor.fresh()
    for j, (p, q, token) in enumerate(zip(*rows(2), strict=True)):
        event = other.update(p, q, token)
        if event is None:
            continue
        assert isinstance(event, Event)
        assert (event.monitor, event.position) == (monitor.name, j)
        assert event.words.endswith(".")
        assert f"at token {j}" in event.words or f"to token {j}" in event.words
        assert all(isinstance(v, int | float) for v in event.values.values())
    assert monitor.promise.endswith(".")


INFINITE = st.floats(-20, 0) | st.just(-np.inf)
MOMENTS = st.floats(-5, 5) | st.sampled_from([-np.inf, np.inf])
NUMBERS = st.tuples(
    INFINITE, INFINITE, st.floats(0, 9) | st.just(np.inf), st.lists(MOMENTS, min_size=3, max_size=3)
).filter(lambda x: x[0] > -np.inf or x[1] > -np.inf)


@given(st.lists(NUMBERS, min_size=1, max_size=12))
@settings(derandomize=True, deadline=None)
def test_never_nan_whatever_comes(columns):
    meter, monitors = Meter(orders=(-1.0, 0.0, 0.5)), [m.fresh() for m in EVERY]
    for log_p, log_q, drift, moments in columns:
        step = meter.enter(
            0,
            log_p=log_p,
            log_q=log_q,
            drift=drift,
            variance=0.0,
            entropy_p=0.0,
            entropy_q=0.0,
            log_moments=np.array(moments),
        )
        assert not np.isnan([step.flow, step.compensator]).any()
        for monitor in monitors:
            event = monitor.observe(step)
            assert not np.isnan(list(monitor.state.values())).any()
            if event is not None:
                assert not np.isnan(list(event.values.values())).any()
                assert " nan" not in event.words


@every_monitor
def test_refused_rows_change_nothing(monitor):
    other = monitor.fresh()
    with pytest.raises(ShapeError, match="two rows"):
        other.update([0.0, 0.0], [0.0, 0.0], 2)
    assert other.state == monitor.fresh().state


def test_a_monitor_of_ones_own():
    class Surprising(Monitor):
        name = "surprising"
        promise = "None."
        seen = 0

        def observe(self, step):
            self.seen += 1
            if step.log_p < -1:
                return self._tell(step.position, "A rare token.", log_p_nats=step.log_p)
            return None

        def fresh(self):
            return Surprising(action=self.action)

        @property
        def state(self):
            return {"seen": self.seen}

    monitor = Surprising(action=stop)
    assert monitor.update(np.log([0.9, 0.1]), [0.0, 0.0], 0) is None
    event = monitor.update(np.log([0.9, 0.1]), [0.0, 0.0], 1)
    assert (event.position, event.stops, monitor.state) == (1, True, {"seen": 2})
    assert event.values["log_p_nats"] == pytest.approx(np.log(0.1), abs=1e-15)
    with pytest.raises(TypeError, match="abstract"):
        Monitor()
