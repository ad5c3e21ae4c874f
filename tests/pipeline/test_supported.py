"""`fg.support`: the numbers of a run, in one object that can be read."""

import json
import subprocess
import sys

import numpy as np
import pytest
from pipeline.answers import DOCUMENTS, RESPONSE, answers, with_pointers
from pipeline.worlds import stories

import flowgauge as fg
from flowgauge.errors import ContextLengthError, RecordError, SettingsError
from flowgauge.pipeline.supported import default_model
from flowgauge.store import Run


@pytest.fixture(params=[True, False], ids=["pointers", "no pointers"])
def both(request, monkeypatch):
    """(what `fg.support` found, the run of the same answer)."""
    if request.param:
        with_pointers(monkeypatch)
    (record,) = answers(1)
    run = fg.measure([record], stories())
    return fg.support(record.question, list(DOCUMENTS), record.response, lm=stories()), run


def test_it_is_the_run(both):
    found, run = both
    item = run["a0"]
    assert found.support == item.record["support"]
    assert (found.response, found.documents) == (RESPONSE, DOCUMENTS)
    assert found.threshold == run.manifest["support"]["threshold"]
    assert found.words == run.manifest["support"]["words"]
    assert found.model == "stories-260k"
    assert found.is_supported == (found.support >= found.threshold)
    for own, stored in zip(found.sentences, item.sentences, strict=True):
        assert (own.text, own.start, own.end) == (stored["text"], stored["start"], stored["end"])
        assert own.text == RESPONSE[own.start : own.end]
        for name in ("support", "pointer", "flow_fraction"):
            assert getattr(own, name) == stored[name]
        assert own.is_supported == (stored["support"] >= found.threshold)
        assert len(own.sources) == len(stored["sources"] or ())
        for source, place in zip(own.sources, stored["sources"] or (), strict=True):
            assert {k: getattr(source, k) for k in place} == place
            assert source.text == DOCUMENTS[source.document][source.start : source.end]
    assert found.unsupported == tuple(s for s in found.sentences if not s.is_supported)
    for name in ("start", "end", "support", "local_fraction", "density_nats", "copied_words"):
        np.testing.assert_array_equal(getattr(found.tokens, name), item.columns[name])
    documents = run.table("tokens")["pointer_document"].to_pylist()
    assert found.tokens.pointer_document.tolist() == [-1 if d is None else d for d in documents]
    if found.tokens.pointer is None:
        assert set(documents) == {None}
        assert "without copy heads" in found.words
    else:
        np.testing.assert_array_equal(found.tokens.pointer, item.columns["pointer"])


def test_it_reads_well_in_a_terminal(both):
    found, _ = both
    lines = str(found).splitlines()
    assert lines[0].startswith(("✓ supported: support ", "⚠ unsupported: support "))
    assert "as stories-260k sees it" in lines[0]
    assert lines[-1] == f"({found.words})"
    for s in found.sentences:
        sign = "✓" if s.is_supported else "⚠ unsupported"
        assert sum(x.startswith(sign) and x.endswith(f": {s.text.strip()}") for x in lines) == 1
        near = [] if s.nearest is None else [x for x in lines if s.nearest.text.strip() in x]
        if not s.is_supported and near:
            assert any(f"document {s.nearest.document} ({s.nearest.found}): " in x for x in near)
    assert not any(c in str(found) for c in "\x1b\x00")


def test_one_document_may_be_a_string():
    one = fg.support("", DOCUMENTS[0], "Tom had a red ball.", lm=stories())
    several = fg.support("", (DOCUMENTS[0],), "Tom had a red ball.", lm=stories())
    assert one.documents == several.documents == (DOCUMENTS[0],)
    assert one.support == several.support


def test_the_instruction_and_the_settings_reach_it():
    plain = fg.support("Who?", DOCUMENTS, "Tom.", lm=stories())
    told = fg.support("Who?", DOCUMENTS, "Tom.", lm=stories(), instruction="Sing loudly.")
    assert plain.tokens.density_nats.tolist() != told.tokens.density_nats.tolist()
    long = ["Tom had a ball. " * 400]
    with pytest.raises(ContextLengthError, match="reads at most 512; shorten the documents"):
        fg.support("Who?", long, "Tom.", lm=stories())
    cut = fg.support("Who?", long, "Tom.", lm=stories(), settings=fg.Settings(truncate=True))
    assert 0 <= cut.support <= 1


@pytest.mark.parametrize(
    ("documents", "response", "message"),
    [
        ([], "Tom.", "no document came; support says how well documents support a response, so"),
        ("  \n", "Tom.", "none of the 1 documents holds text; support says how well"),
        (["", " "], "Tom.", "none of the 2 documents holds text"),
        (None, "Tom.", "documents is NoneType None, a string or a list of strings was needed"),
        ({"a": "b"}, "Tom.", "documents is dict {'a': 'b'}, a string or a list of strings"),
        (b"text", "Tom.", "documents is bytes b'text', a string or a list"),
        (["Tom", 3], "Tom.", "document 1 is int 3, a string was needed"),
        ("Tom", "", "the response is empty, so there is nothing to measure"),
        ("Tom", " \n", "the response is empty"),
        ("Tom", None, "response is NoneType None, a string was needed"),
        ("Tom\x00", "Tom.", r"document 0 holds the control character U\+0000 at character 3"),
    ],
)
def test_bad_input_says_what_came_and_what_to_do(documents, response, message):
    with pytest.raises(RecordError, match=message):
        fg.support("Who?", documents, response, lm=stories())


def test_other_wrong_use():
    with pytest.raises(SettingsError, match=r"needed: flowgauge\.load_model\('smollm2-135m'\)"):
        fg.support("Who?", "Tom", "Tom.", lm="smollm2-135m")
    with pytest.raises(RecordError, match="question is int 3, a string was needed"):
        fg.support(3, "Tom", "Tom.", lm=stories())
    with pytest.raises(TypeError, match="nonsense"):
        fg.support("Who?", "Tom", "Tom.", nonsense=1)


def test_a_record_that_was_measured_without_support(monkeypatch):
    import flowgauge.pipeline.supported as supported

    def without(records, lm, **more):
        run = fg.measure(records, lm)
        rows = [{**r, "support": None} for r in run.table("records").to_pylist()]
        table = run.table("records")
        tables = {n: run.table(n) for n in ("tokens", "sentences")}
        tables["records"] = type(table).from_pylist(rows, schema=table.schema)
        return Run("x", run.manifest, tables)

    monkeypatch.setattr(supported, "measure", without)
    with pytest.raises(RecordError, match="no support: the run was measured without support"):
        fg.support("Who?", "Tom", "Tom.", lm=stories())


def test_the_default_observer_is_loaded_once(monkeypatch):
    import flowgauge.models as models

    asked = []
    monkeypatch.setattr(models, "load_model", lambda name: asked.append(name) or stories())
    default_model.cache_clear()
    try:
        for _ in range(2):
            assert fg.support("Who?", "Tom", "Tom.").model == "stories-260k"
    finally:
        default_model.cache_clear()
    assert asked == ["smollm2-135m"]


@pytest.mark.parametrize(
    "first",
    [
        "import flowgauge as fg; import flowgauge.support",
        "import flowgauge.support; import flowgauge as fg",
        "import flowgauge as fg; fg.support; from flowgauge.support import calibrate",
        "from flowgauge.pipeline import support; import flowgauge as fg",
        "from flowgauge import support; import flowgauge as fg; assert fg.support is support",
    ],
)
def test_it_is_a_package_and_a_function_whatever_is_imported_first(first):
    code = (
        f"{first}\n"
        "import flowgauge.support as package\n"
        "assert fg.support is package, fg.support\n"
        "assert callable(fg.support) and callable(package.calibrate)\n"
        "try:\n    fg.support('Who?', [], 'Tom.')\n"
        "except fg.errors.RecordError as error:\n    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("no document came")


@pytest.mark.real
def test_a_made_up_sentence_has_less_support_than_every_copied_one(load_preset):
    """The first answer of the demo that nobody marked, with a sentence of our own at its end."""
    from importlib.resources import files

    text = (files("flowgauge.data.demo") / "ragtruth_qa_12.jsonl").read_text(encoding="utf-8")
    record = fg.parse_record(json.loads(text.splitlines()[0]))
    copied = [" ".join(d.split()).partition(". ")[0] + "." for d in record.documents]
    made_up = "Queen Adelheid of Norway had forbidden it in 1743 after her parrot drowned."
    found = fg.support(
        record.question,
        [" ".join(d.split()) for d in record.documents],
        " ".join([*copied, made_up]),
        lm=load_preset("smollm2-135m"),
    )
    worst = found.sentences[-1]
    assert worst.text == made_up
    assert len(found.sentences) > len(copied)
    assert all(s.support > worst.support for s in found.sentences[:-1])
    assert found.sentences[0].sources
