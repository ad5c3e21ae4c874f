"""`assert_supported`: alone, and as pytest's fixture in a session of its own."""

import subprocess
import sys

import pytest
from pipeline.worlds import stories

from flowgauge.errors import RecordError, SettingsError
from flowgauge.testing import assert_supported

DOCUMENTS = ["Tom had a red ball. He was glad.", "Lily sang."]
RESPONSE = "Tom had a red ball. Seven pirates ate the cake."


def test_it_passes_with_what_was_found():
    found = assert_supported(RESPONSE, DOCUMENTS, "Who?", at_least=0.0, lm=stories())
    assert (found.threshold, found.is_supported, found.unsupported) == (0.0, True, ())
    assert found.response == RESPONSE


def test_it_fails_with_the_sentences_and_what_the_sources_say():
    with pytest.raises(AssertionError) as caught:
        assert_supported(RESPONSE, DOCUMENTS, at_least=1.0, lm=stories())
    lines = str(caught.value).splitlines()
    assert lines[0].startswith("the response is unsupported: its support is 0.")
    assert lines[0].endswith("at least 1 was needed (as stories-260k sees it)")
    assert lines[1].startswith("⚠ unsupported 0.")
    assert lines[1].endswith(": Tom had a red ball.")
    assert lines[2] == (
        "    nearest source, document 0 (most words in common): Tom had a red ball."
    )
    assert lines[3].endswith(": Seven pirates ate the cake.")
    assert lines[4] == "    no source sentence has a word in common with it"
    assert lines[5].startswith("support is made of: ")


def test_bad_input_is_no_failed_assertion():
    with pytest.raises(RecordError, match="no document came"):
        assert_supported(RESPONSE, [], lm=stories())
    with pytest.raises(SettingsError, match="at_least is 3, a support between 0 and 1"):
        assert_supported(RESPONSE, DOCUMENTS, at_least=3, lm=stories())


TESTS = f"""
def test_good(assert_supported):
    assert_supported({RESPONSE!r}, {DOCUMENTS!r}, at_least=0)

def test_bad(assert_supported):
    assert_supported({RESPONSE!r}, {DOCUMENTS!r}, at_least=1.0)

def test_its_model(assert_supported, flowgauge_model):
    assert flowgauge_model.name == "stories-260k"
"""


@pytest.fixture
def loads(monkeypatch):
    """Names of the models that a session loads; what it imports is imported before."""
    import flowgauge.models as models

    assert_supported(RESPONSE, DOCUMENTS, at_least=0, lm=stories())
    names = []
    monkeypatch.setattr(models, "load_model", lambda name: names.append(name) or stories())
    return names


@pytest.mark.parametrize("how", ["option", "setting"])
def test_a_session(pytester, loads, how):
    pytester.makepyfile(TESTS)
    options = ["--flowgauge-model", "stories-260k"]
    if how == "setting":
        pytester.makeini("[pytest]\nflowgauge_model = stories-260k\n")
        options = []
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider", *options)
    result.assert_outcomes(passed=2, failed=1)
    assert loads == ["stories-260k"]
    result.stdout.fnmatch_lines(
        [
            "*AssertionError: the response is unsupported: its support is 0.*",
            "*⚠ unsupported 0.*: Tom had a red ball.",
            "*nearest source, document 0 (most words in common): Tom had a red ball.",
        ]
    )
    text = result.stdout.str()
    assert "testing/__init__.py" not in text, "frames of the plugin are hidden"


def test_the_plugin_is_registered_and_a_fixture_of_ones_own_takes_its_place(pytester, loads):
    pytester.makeconftest(
        "import pytest\n"
        "@pytest.fixture(scope='session')\n"
        "def flowgauge_model():\n"
        "    from flowgauge.models import load_model\n"
        "    return load_model('stories-260k')\n"
    )
    pytester.makepyfile(
        f"def test_mine(assert_supported):\n"
        f"    assert assert_supported({RESPONSE!r}, {DOCUMENTS!r}, at_least=0).model\n"
    )
    pytester.runpytest_inprocess("-p", "no:cacheprovider").assert_outcomes(passed=1)
    result = pytester.runpytest_inprocess("--help")
    result.stdout.fnmatch_lines(["*--flowgauge-model=MODEL*"])


def test_without_pytest_it_is_there():
    code = (
        "import sys; sys.modules['pytest'] = None\n"
        "from flowgauge.testing import assert_supported\n"
        "print('torch' in sys.modules, 'numpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False False\n"
