"""What the cache says of copy heads; a file that cannot be read says nothing."""

import json
import os

import pytest

from flowgauge.pipeline.known import known_models


@pytest.fixture
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("FLOWGAUGE_CACHE", str(tmp_path))
    (tmp_path / "copy_heads").mkdir()
    return tmp_path / "copy_heads"


def test_copy_heads_of_the_model_seen_last(cache):
    for number, (name, heads, best) in enumerate(
        [("m", [], 0.1), ("m", [[0, 1], [2, 3]], 0.876), ("other", [[0, 1]], 0.3)]
    ):
        file = cache / f"f{number}.json"
        file.write_text(json.dumps({"model": name, "heads": heads, "best": best}))
        os.utime(file, (number, number))
    found = known_models()
    assert list(found) == ["m", "other"]
    assert (found["m"].fingerprint, found["m"].copy_heads) == ("f1", 2)
    assert found["m"].heads_words == "2 copy heads, best induction score 0.88"
    assert found["other"].heads_words == "1 copy head, best induction score 0.30"
    assert found["m"].constants == "borrowed"
    assert "flowgauge constants RUN" in found["m"].constants_words


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"model": ""}', '{"model": null}'])
def test_what_cannot_be_read_is_left_out(cache, text):
    (cache / "f.json").write_text(text)
    assert known_models() == {}


def test_no_cache_is_no_model(monkeypatch, tmp_path):
    monkeypatch.setenv("FLOWGAUGE_CACHE", str(tmp_path / "none"))
    assert known_models() == {}
    assert not (tmp_path / "none").exists()


def test_heads_that_are_none_of_ours(cache):
    (cache / "f.json").write_text(json.dumps({"model": "m", "heads": "x", "best": "y"}))
    assert known_models()["m"].heads_words == "copy heads: not looked for yet"
