"""Monitors by name: each is the one its class makes, and what cannot be asked for is named."""

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest

from flowgauge.errors import SettingsError
from flowgauge.live import Change, Grounded, Loop, NotFromSource, Repetition, Sufficient, stop
from flowgauge.live.event import note
from flowgauge.live.offered import OFFERED, monitor_named, parse_monitor

#: Each name with the monitor that it stands for, and text that asks for other settings.
MEANT = {
    "grounded": (Grounded(0.01), "alpha=0.2", Grounded(0.2)),
    "not_from_source": (NotFromSource(0.01), "alpha=0.2", NotFromSource(0.2)),
    "change": (Change(1000), "average_run_length=20", Change(20)),
    "loop": (Loop(0.01, 16), "threshold_nats=0.5,window=2", Loop(0.5, 2)),
    "repetition": (Repetition(4, 3), "length=2,copies=2", Repetition(2, 2)),
    "sufficient": (
        Sufficient(20, 0.01, 16),
        "nats=2,epsilon=0.3,window=3",
        Sufficient(2, 0.3, 3),
    ),
}


def what_it_says(monitor):
    """Events and states over tokens that take the flow up, hold it still and take it down."""
    p, q = np.log([0.9, 0.1]), np.log([0.2, 0.8])
    rows = [(p, q, 0)] * 6 + [(q, q, 1)] * 20 + [(p, q, 1)] * 12
    said = [monitor.update(*row) for row in rows]
    return [(e.position, e.words, dict(e.values)) for e in said if e], dict(monitor.state)


def test_each_name_is_that_of_its_monitor():
    assert set(OFFERED) == set(MEANT)
    for name, (kind, settings) in OFFERED.items():
        assert kind.name == name
        assert all(isinstance(v, int | float) for v in settings.values())


@pytest.mark.parametrize("name", MEANT)
def test_each_name_makes_the_monitor_of_its_class(name):
    plain, asked, other = MEANT[name]
    for made, wanted in (
        (monitor_named(name), plain),
        (parse_monitor(name), plain),
        (parse_monitor(f"{name}:"), plain),
        (parse_monitor(f"{name}:{asked}"), other),
    ):
        assert type(made) is type(wanted)
        assert made.promise == wanted.promise
        assert what_it_says(made) == what_it_says(wanted.fresh())
    assert what_it_says(plain.fresh()) != what_it_says(other.fresh())


def test_a_preset_brings_its_measured_threshold_unless_one_is_given():
    made = parse_monitor("loop", model="smollm2-135m")
    assert 0 < made.threshold_nats < 0.1
    assert made.promise.startswith("False alarms: at most 1 per 1,000 tokens, temperature 1")
    assert made.false_alarms_per_1000 == 1.0
    own = parse_monitor("loop:threshold_nats=0.5", model="smollm2-135m")
    assert (own.threshold_nats, own.false_alarms_per_1000) == (0.5, None)
    assert monitor_named("loop", model="another").threshold_nats == 0.01
    assert monitor_named("grounded", model="smollm2-135m").alpha == 0.01


def test_the_thresholds_are_those_of_the_experiment():
    file = Path(__file__).parents[2] / "experiments/e2_semantic_flow/results/loop_calibration.json"
    measured = [e for e in json.loads(file.read_text()) if e["sampling"] == "temperature 1"]
    for model in ("smollm2-135m", "gemma-3-270m", "stories-260k"):
        found = monitor_named("loop", model=model).threshold_nats
        assert found == next(e["threshold_nats"] for e in measured if e["model"] == model)


def test_settings_that_are_not_named_stay():
    made = monitor_named("sufficient", {"window": 4})
    assert (made.nats, made.epsilon, made.window) == (20.0, 0.01, 4)
    assert monitor_named("sufficient").window == 16


def test_the_action_is_handed_on():
    assert monitor_named("loop").action is note
    assert monitor_named("loop", action=stop).action is stop
    assert parse_monitor("loop:window=3", action=stop).action is stop


@pytest.mark.parametrize(
    "text",
    [
        "not-from-source:alpha=0.2",
        " not_from_source : alpha = 0.2 ",
        "not_from_source:alpha=2e-1,",
        "not_from_source:alpha=0.9,alpha=0.2",
    ],
)
def test_forms_of_one_monitor(text):
    assert parse_monitor(text).promise == NotFromSource(0.2).promise


def test_counts_stay_whole_numbers():
    window = parse_monitor("loop:window=8.0").window
    assert (window, type(window)) == (8, int)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "lop",
            "the monitor 'lop' was asked; there are grounded, not_from_source, change, loop, "
            "repetition, sufficient",
        ),
        ("", "the monitor '' was asked; there are grounded"),
        (
            "grounded:alpha",
            "the monitor 'grounded:alpha' has the setting 'alpha'; name:setting=number was needed, "
            "such as grounded:alpha=0.05",
        ),
        ("grounded:alpha=small", "has the setting 'alpha=small'; name:setting=number was needed"),
        ("grounded:alpha=0.1=0.2", "has the setting 'alpha=0.1=0.2'; name:setting=number"),
        (
            "grounded:beta=0.1",
            "the monitor grounded was asked with beta = 0.1; its settings are numbers: alpha "
            "(e.g. 0.01)",
        ),
        (
            "loop:window=2.5",
            "the monitor loop was asked with window = 2.5; its settings are numbers: "
            "threshold_nats (e.g. 0.01), window (e.g. 16)",
        ),
        ("loop:window=inf", "the monitor loop was asked with window = inf; its settings are"),
        ("loop:threshold_nats=nan", "was asked with threshold_nats = nan; its settings are"),
        ("grounded:alpha=2", "alpha = 2.0; a level between 0 and 1"),
        ("change:average_run_length=0.5", "average_run_length = 0.5; a finite number of tokens"),
        ("sufficient:nats=0", "nats"),
    ],
)
def test_what_cannot_be_asked_for_is_named(text, message):
    with pytest.raises(SettingsError, match=re.escape(message)):
        parse_monitor(text)


@pytest.mark.parametrize("value", [True, "0.05", None, [0.05], math.nan])
def test_settings_from_elsewhere_are_numbers(value):
    words = re.escape(f"the monitor grounded was asked with alpha = {value!r}; its settings are")
    with pytest.raises(SettingsError, match=words):
        monitor_named("grounded", {"alpha": value})


def test_long_names_are_cut_in_messages():
    with pytest.raises(SettingsError) as said:
        monitor_named("x" * 9999)
    assert len(str(said.value)) < 200
    with pytest.raises(SettingsError) as said:
        monitor_named("grounded", {"y" * 9999: "z" * 9999})
    assert len(str(said.value)) < 200
