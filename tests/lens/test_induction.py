"""Copy heads: what they are in a real model, what is said where there are none, what is kept."""

import json

import numpy as np
import pytest
from oracles.pointers import eager_attention
from oracles.tiny_models import tiny

from flowgauge.lens import copy_heads, induction_scores
from flowgauge.lens.induction import COPY_TOKENS, TEXTS
from flowgauge.models import TabularModel, load_model


@pytest.mark.parametrize("family", ["llama", "gpt2", "gemma3"])
def test_induction_scores_equal_whole_attention(family):
    lm = tiny(family)
    rng = np.random.default_rng(0)
    wanted = 0.0
    for _ in range(TEXTS):
        copied = rng.choice(lm.vocabulary_size, COPY_TOKENS, replace=False)
        attention = eager_attention(lm._model, np.array([lm.bos_id, *copied, *copied]))
        places = [
            # The second r_j stands at 1 + T + j and looks for the first r_{j+1} at 2 + j.
            attention[:, :, 1 + COPY_TOKENS + j, 2 + j]
            for j in range(COPY_TOKENS - 1)
        ]
        wanted = wanted + np.mean(places, axis=0) / TEXTS
    found = induction_scores(lm)
    np.testing.assert_allclose(np.stack([found[i] for i in sorted(found)]), wanted, atol=1e-5)


def test_a_model_without_attention_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("FLOWGAUGE_CACHE", str(tmp_path))
    world = TabularModel.random(sources=2, vocabulary=3, length=2, seed=0)
    assert copy_heads(world).why_none == "tabular shows no attention to look at"
    assert copy_heads(tiny("mamba")).why_none == "mamba shows no attention to look at"
    assert not list(tmp_path.rglob("*.json"))


def test_a_model_without_copy_heads_says_its_best_score(tmp_path, monkeypatch):
    monkeypatch.setenv("FLOWGAUGE_CACHE", str(tmp_path))
    found = copy_heads(load_model("stories-260k"))
    assert found.heads == ()
    assert "best induction score is 0.0" in found.why_none
    assert "at least 0.2 is needed" in found.why_none


def test_what_was_found_is_kept_under_the_models_fingerprint(tmp_path, monkeypatch):
    monkeypatch.setenv("FLOWGAUGE_CACHE", str(tmp_path))
    lm = load_model("stories-260k")
    first = copy_heads(lm)
    [file] = tmp_path.rglob("*.json")
    assert file.stem == lm.fingerprint
    kept = json.loads(file.read_text())
    kept["heads"], kept["scores"] = [[1, 2]], [0.5]
    file.write_text(json.dumps(kept))
    assert copy_heads(lm).heads == ((1, 2),)
    file.write_text("{")  # damaged: found anew
    assert copy_heads(lm) == first


@pytest.mark.real
def test_the_default_models_copy_heads(load_preset, tmp_path, monkeypatch):
    lm = load_preset("smollm2-135m")
    monkeypatch.setenv("FLOWGAUGE_CACHE", str(tmp_path))
    found = copy_heads(lm)
    # Layer 18 head 6 leads by far, whatever the random tokens (shared measurement: 0.91).
    assert found.heads[0] == (18, 6)
    assert 0.85 < found.best < 0.95
    assert len(found.heads) == 16
    assert list(found.scores) == sorted(found.scores, reverse=True)
