"""Names of runs and settings of the server: what is refused, and the words for it."""

import re

import pytest

from flowgauge.errors import SettingsError
from flowgauge.serve.names import check_name, inside, new_name
from flowgauge.serve.settings import Limits, ServeSettings, is_loopback

WRONG = [
    "", ".", "..", ".hidden", "../demo", "a/b", "a\\b", "/etc", "C:x", "a b", "a\n", "a\x00", "é",
    "%2e%2e", "~root", "a" * 101,
]  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_name_that_is_none_is_refused(name, tmp_path):
    with pytest.raises(SettingsError, match=r"letters, digits or \._- were needed"):
        check_name(name)
    with pytest.raises(SettingsError):
        inside(tmp_path, name)


@pytest.mark.parametrize("name", ["a", "demo-2", "A_b.c", "-x", "a..b", "a" * 100])
def test_a_name_is_taken_as_it_stands(name, tmp_path):
    assert check_name(name) == name
    assert inside(tmp_path, name) == tmp_path / name


def test_new_names_are_names_and_differ():
    names = {new_name() for _ in range(20)}
    assert len(names) >= 19  # 65,536 endings: two of twenty are equal once in about 350 runs
    for name in names:
        assert re.fullmatch(r"served-\d{8}-\d{6}-[0-9a-f]{4}", check_name(name))


def test_a_link_out_of_the_folder_is_refused(tmp_path):
    runs, elsewhere = tmp_path / "runs", tmp_path / "elsewhere"
    runs.mkdir()
    elsewhere.mkdir()
    (runs / "link").symlink_to(elsewhere)
    with pytest.raises(SettingsError, match="leads out of the folder of runs"):
        inside(runs, "link")
    (tmp_path / "other").symlink_to(runs)  # the folder itself may be a link
    assert inside(tmp_path / "other", "a") == tmp_path / "other" / "a"


def test_loopback_needs_no_token_and_everything_else_does():
    for host in ("127.0.0.1", "localhost", "::1", "127.1.2.3"):
        assert is_loopback(host)
        assert ServeSettings(host=host).token is None
    for host in ("0.0.0.0", "::", "192.168.1.7", "example.org"):
        assert not is_loopback(host)
        with pytest.raises(SettingsError, match=f"the host {host} .* a token is needed"):
            ServeSettings(host=host)
        assert ServeSettings(host=host, token="x" * 16).host == host


@pytest.mark.parametrize("token", ["", "short", "a b" * 10, "ä" * 20, "a\n" * 10, "x" * 201])
def test_a_token_that_cannot_be_sent_is_refused_and_never_shown(token):
    with pytest.raises(SettingsError, match="16 to 200 letters") as caught:
        ServeSettings(token=token)
    assert token == "" or token not in str(caught.value)
    assert "secret" not in repr(ServeSettings(token="secret-secret-secret"))


def test_numbers_out_of_range_are_refused():
    with pytest.raises(SettingsError, match="the port is 70000, a number from 0 to 65535"):
        ServeSettings(port=70000)
    with pytest.raises(SettingsError, match="body_seconds is nan, more than 0 was needed"):
        Limits(body_seconds=float("nan"))
