"""Constants of support: own, the preset's, borrowed; learned from a run and kept in the cache."""

import json

import numpy as np
import pytest
from pipeline.worlds import stories

from flowgauge import Record, measure
from flowgauge.errors import RunError, SettingsError
from flowgauge.pipeline.constants import (
    constants_file,
    constants_for,
    constants_of_run,
    keep_constants,
)
from flowgauge.pipeline.known import constants_of, known_models
from flowgauge.store import Run, tables_from_rows


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("FLOWGAUGE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def ordinary_run(n=30, *, pointer=True, manifest=None):
    """n responses of random numbers, a failed row and one without a source among them."""
    rng = np.random.default_rng(0)
    records, tokens = [], []
    for row in range(n):
        records.append({"row": row, "id": f"r{row}", "status": "measured", "source": "documents"})
        for j in range(12):
            q = rng.uniform(1, 4)
            tokens.append(
                {
                    "row": row, "id": f"r{row}", "position": j, "sentence": j // 6, "text": "a",
                    "log_q_nats": -q, "density_nats": q * rng.uniform(0, 1),
                    "copied_words": float(rng.integers(0, 8)), "log_moments_nats": [],
                    "pointer": rng.uniform(0, 1) if pointer else None,
                }
            )  # fmt: skip
    records.append({"row": n, "id": "x", "status": "failed", "kind": "RecordError", "reason": "y"})
    records.append({"row": n + 1, "id": "z", "status": "measured", "source": "nothing"})
    told = {"model": {"name": "toy", "fingerprint": "f1"}} if manifest is None else manifest
    return Run("some", told, tables_from_rows({"records": records, "tokens": tokens}))


def test_learned_kept_and_found_again(cache):
    run = ordinary_run()
    found = constants_of_run(run)
    assert found.text == "30 responses of the run some"
    assert found.with_pointer is not None
    assert constants_of_run(run, "made up").text == "made up"
    assert keep_constants(run, found) == cache / "support" / "f1.json" == constants_file("f1")
    assert not list(cache.rglob("*.tmp"))
    (known,) = known_models().values()
    assert (known.name, known.fingerprint, known.constants) == ("toy", "f1", "own")
    assert known.heads_words == "copy heads: not looked for yet"
    elsewhere = keep_constants(run, found, cache / "deep" / "here.json")
    assert json.loads(elsewhere.read_text()) == {"model": "toy", **found.as_json()}


def test_without_copy_heads_there_are_none_for_pointers():
    assert constants_of_run(ordinary_run(pointer=False)).with_pointer is None


def test_own_before_borrowed_and_the_next_run_uses_them():
    lm = stories()
    borrowed = constants_for(lm)
    assert borrowed.origin.startswith(
        "borrowed from smollm2-135m, for stories-260k has none of its"
    )
    assert "run flowgauge constants RUN (no labels needed)" in borrowed.origin
    assert constants_of(lm.name, lm.fingerprint) == "borrowed"
    assert constants_of("smollm2-135m") == "preset"
    run = ordinary_run(manifest={"model": {"name": lm.name, "fingerprint": lm.fingerprint}})
    keep_constants(run, constants_of_run(run, "random numbers"))
    own = constants_for(lm)
    assert own.origin == "own constants of stories-260k (random numbers)"
    assert own.constants == constants_of_run(run, "random numbers")
    assert constants_of(lm.name, lm.fingerprint) == "own"
    record = Record(id="r", question="Who?", documents=("Tom.",), response="Tom.")
    entry = measure([record], lm).manifest["support"]
    assert entry["constants"] == own.constants.as_json()
    assert entry["words"].endswith(own.origin)


@pytest.mark.parametrize(
    "text", ["", "{", "[1]", '{"parts": 3}', "\ud800".encode("utf-8", "surrogatepass")]
)
def test_a_damaged_cache_says_so(text):
    lm = stories()
    file = constants_file(lm.fingerprint)
    file.parent.mkdir(parents=True)
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(
        SettingsError, match=r"is damaged: .*; remove it or run flowgauge constants"
    ):
        constants_for(lm)
    assert constants_of(lm.name, lm.fingerprint) == "damaged"
    assert known_models() == {}


def test_too_few_and_a_run_without_a_name():
    with pytest.raises(SettingsError, match="29 responses with documents came, at least 30 are"):
        constants_of_run(ordinary_run(29))
    run = ordinary_run(manifest={})
    with pytest.raises(RunError, match="the run some does not name its model; measure it again"):
        keep_constants(run, constants_of_run(run))


def test_constants_are_those_of_the_models_own_law():
    told = {"model": {"name": "toy", "fingerprint": "f1"}, "law": "continuous cache (weight 0.5)"}
    with pytest.raises(SettingsError, match="measured under the law 'continuous cache"):
        constants_of_run(ordinary_run(manifest=told))
