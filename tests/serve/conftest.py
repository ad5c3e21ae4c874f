"""One model and one server for all tests of a file."""

import pytest
from serve.server import thread_server

from flowgauge.models import load_model


@pytest.fixture(scope="session")
def stories():
    return load_model("stories-260k")


@pytest.fixture(scope="module")
def server(stories, tmp_path_factory):
    with thread_server(stories, runs=tmp_path_factory.mktemp("served") / "runs") as found:
        yield found
