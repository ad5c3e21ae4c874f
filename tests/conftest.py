"""Fixtures that several folders share."""

import collections
import os

import numpy as np
import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # no test asks a hub


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def pytest_terminal_summary(terminalreporter):
    """Every reason for which tests were left out, once, with their number."""
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = collections.Counter(str(r.longrepr[2]) for r in skipped)
    for reason, count in reasons.items():
        terminalreporter.write_line(f"{count} tests: {reason.removeprefix('Skipped: ')}")


_LOADED = {}


@pytest.fixture
def load_preset():
    """A preset by name, loaded once a process; `make models` brings the weights."""
    from flowgauge.models import PRESETS, load_model
    from flowgauge.models.load import is_cached

    def load(name):
        if not is_cached(PRESETS[name]):
            pytest.skip(f"{name} is not in the cache; run: make models")
        if name not in _LOADED:
            _LOADED.clear()  # one real model at a time is enough for a small machine
            _LOADED[name] = load_model(name)
        return _LOADED[name]

    return load
