"""The pytest plugin: the fixture `assert_supported`, its observer loaded once a session.

pytest loads this module at its start: nothing heavy is imported here. The observer is a preset's
name, a folder or a file, from --flowgauge-model or flowgauge_model in pytest's settings; a fixture
`flowgauge_model` of one's own takes its place.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from flowgauge.testing import assert_supported

NAME, DEFAULT = "flowgauge_model", "smollm2-135m"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --flowgauge-model and the setting flowgauge_model."""
    what = f"observer of assert_supported: preset, folder or .gguf file [{DEFAULT}]"
    group = parser.getgroup("flowgauge")
    group.addoption("--flowgauge-model", dest=NAME, default=None, metavar="MODEL", help=what)
    parser.addini(NAME, what, default=DEFAULT)


@pytest.fixture(scope="session")
def flowgauge_model(pytestconfig: pytest.Config) -> Any:
    """The observer of `assert_supported`, loaded once a session."""
    from flowgauge.models import load_model

    return load_model(pytestconfig.getoption(NAME) or pytestconfig.getini(NAME))


@pytest.fixture(name="assert_supported", scope="session")
def assert_supported_fixture(flowgauge_model: Any) -> Callable[..., Any]:
    """`flowgauge.testing.assert_supported` with the session's observer."""
    return partial(assert_supported, lm=flowgauge_model)
