"""What `flowgauge measure` says about support, `--fail-under`, `--junit`, and the other doors."""

import json
from xml.etree import ElementTree

import pytest
from cli.commands import STORY, run_here, write_rows
from pipeline.found import MANIFEST, made_up_run

from flowgauge.cli.show import show_run
from flowgauge.cli.support import Gate
from flowgauge.errors import SettingsError
from flowgauge.pipeline.summary import summary
from flowgauge.store import open_run


@pytest.fixture
def flowgauge(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: run_here(capsys, monkeypatch, *arguments)


def answers(n=3):
    rows = [
        {"id": f"a{i}", "question": "Who?", "documents": [f"Tom had {i + 2} red balls."],
         "response": f"Tom had {i + 2} red balls. Seven pirates ate the cake on Mars."}
        for i in range(n)
    ]  # fmt: skip
    return [*rows, {"id": "bare", "question": "Who?", "documents": [], "response": "Tom had it."}]


def test_the_least_supported_sentences_with_sign_word_and_number(capsys):
    show_run(made_up_run(), as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split("\t")[6] == "support"
    assert [x.split("\t")[6] for x in lines[1:4]] == ["0.80", "0.12 ⚠ unsupported", ""]
    at = lines.index("least supported sentences (support 0…1, unsupported below 0.2):")
    assert [" ".join(x.split()) for x in lines[at + 1 : at + 6]] == [
        "0.05 ⚠ unsupported bad: Zzz!",
        "0.1996 ⚠ unsupported bad: The cat ate Bob.",
        "0.30 bad: Ann left.",
        "0.50 good: Bob sang.",
        "0.90 good: Ann came home.",
    ]
    assert "support: made up" in lines
    assert not any("least driven" in x for x in lines)


def test_without_support_the_least_driven_ones_as_before(capsys):
    show_run(made_up_run({"model": MANIFEST["model"]}), as_json=False)
    out = capsys.readouterr().out
    assert "least driven sentences" in out
    assert "least supported" not in out
    assert "unsupported" not in out
    assert summary(made_up_run({"model": MANIFEST["model"]}))["least_supported"] == []


def test_the_calibration_is_named(capsys):
    told = {"threshold": 0.85, "words": "At most 10 % pass."}
    entry = {**MANIFEST["support"], "threshold": 0.85, "sentence_threshold": 0.2,
             "calibration": told}  # fmt: skip
    show_run(made_up_run({**MANIFEST, "support": entry}), as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert "calibrated: responses below 0.85 are unsupported. At most 10 % pass." in lines
    assert lines[1].split("\t")[6] == "0.80 ⚠ unsupported"
    assert "least supported sentences (support 0…1, unsupported below 0.2):" in lines


def test_the_gate_names_all_that_do_not_reach_it(capsys):
    run = made_up_run()
    gate = Gate(fail_under=0.5)
    assert gate.close(run, as_json=False) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "--fail-under 0.5: 3 of 4 responses do not reach it:"
    assert lines[1] == "  bad: support 0.12"
    assert lines[2].startswith("  none: no support: it has no source")
    assert lines[3] == (
        "  broken: no support: it could not be measured: RecordError: the row has no response"
    )
    told = gate.as_json(run)["fail_under"]
    assert told["least_support"] == 0.5
    assert [f["id"] for f in told["failing"]] == ["bad", "none", "broken"]
    assert told["failing"][0] == {"row": 1, "id": "bad", "support": 0.123, "reason": None}
    # Nothing asked: as before, only a failed row counts.
    assert Gate().close(run, as_json=False) == 1
    assert Gate().close(made_up_run(failed=False), as_json=False) == 0
    assert Gate().as_json(run) == {}
    assert capsys.readouterr().out == ""


def test_measure_with_gate_and_junit(flowgauge, tmp_path):
    write_rows(tmp_path / "in.jsonl", answers())
    asked = ("measure", "in.jsonl", "-m", STORY, "--no-pointers", "--fail-under")
    status, out, _ = flowgauge(*asked, "1", "--junit", "out/junit.xml")
    assert status == 1
    assert "--fail-under 1: 4 of 4 responses do not reach it:" in out
    assert "  bare: no support: it has no source" in out
    assert "junit: out/junit.xml" in out
    run = open_run("in")
    assert run.manifest["pointers"] is False
    root = ElementTree.parse(tmp_path / "out/junit.xml").getroot()
    assert [c.get("name") for c in root.iter("testcase")] == ["a0", "a1", "a2", "bare"]
    assert root.get("failures") == "3"
    assert root.get("skipped") == "1"

    # Everybody reaches 0, but for the one without a support; as JSON.
    status, out, _ = flowgauge(*asked, "0", "--resume", "--json")
    told = json.loads(out)
    assert status == 1
    assert [f["id"] for f in told["fail_under"]["failing"]] == ["bare"]
    assert [r["support"] for r in told["records"]] == run.table("records")["support"].to_pylist()
    least = told["least_supported"]
    assert [s["support"] for s in least] == sorted(s["support"] for s in least)
    assert all(s["text"] and s["id"].startswith("a") for s in least)

    # And without that one all is well.
    write_rows(tmp_path / "good.jsonl", answers()[:-1])
    status, out, _ = flowgauge("measure", "good.jsonl", "-m", STORY, "--fail-under", "0")
    assert status == 0
    assert "fail-under" not in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--fail-under", "1.5"), "--fail-under is 1.5, a support between 0 and 1 was needed"),
        (("--fail-under", "-0.1"), "--fail-under is -0.1, a support between"),
        (("--fail-under", "nan"), "--fail-under is nan, a support between"),
        (("--fail-under", "low"), "Invalid value"),
        (("--junit", "."), "--junit is the folder ., a file name was needed"),
    ],
)
def test_wrong_use_is_refused_before_anything_is_measured(flowgauge, tmp_path, arguments, message):
    write_rows(tmp_path / "in.jsonl", answers())
    status, out, err = flowgauge("measure", "in.jsonl", "-m", STORY, *arguments)
    assert (status, out) == (2, "")
    assert message in err
    assert not (tmp_path / "runs").exists()


def test_a_gate_checks_itself():
    with pytest.raises(SettingsError, match="--fail-under is 2"):
        Gate(fail_under=2)


def test_help_names_the_options(flowgauge):
    _, out, _ = flowgauge("measure", "--help")
    for option in ("--fail-under", "--junit", "--no-pointers"):
        assert option in out
    _, out, _ = flowgauge("constants", "--help")
    assert "unlabelled" in out


def test_constants_from_a_run_to_the_cache_to_the_list_of_models(flowgauge, monkeypatch, tmp_path):
    monkeypatch.setenv("FLOWGAUGE_CACHE", str(tmp_path / "cache"))
    write_rows(tmp_path / "in.jsonl", answers(30))
    assert flowgauge("measure", "in.jsonl", "-m", STORY)[0] == 0
    status, out, _ = flowgauge("models")
    line = next(x for x in out.splitlines() if x.startswith(STORY))
    assert "no copy heads, best induction score 0." in line
    assert "constants of support: borrowed" in line

    status, out, err = flowgauge("constants", "in", "--text", "thirty stories")
    assert (status, err) == (0, "")
    (file,) = (tmp_path / "cache" / "support").iterdir()
    assert file.stem == open_run("in").manifest["model"]["fingerprint"]
    assert f"constants of {STORY} from thirty stories: {file}" in out
    assert "source pointers: none in this run" in out
    assert json.loads(file.read_text())["model"] == STORY

    status, out, _ = flowgauge("models", "--json")
    story = json.loads(out)["models"][-1]
    assert (story["name"], story["copy_heads"], story["constants"]) == (STORY, 0, "own")
    assert 0 < story["best_induction_score"] < 0.2
    assert (
        "own constants of stories-260k (thirty stories)"
        in (flowgauge("measure", "in.jsonl", "-m", STORY, "-o", "again")[1])
    )

    status, out, _ = flowgauge("constants", "in", "--out", "here.json", "--json")
    told = json.loads(out)
    assert (told["model"], told["file"]) == (STORY, "here.json")
    assert json.loads((tmp_path / "here.json").read_text()) == {
        "model": STORY, **told["constants"],
    }  # fmt: skip


def test_constants_of_too_few(flowgauge, tmp_path):
    write_rows(tmp_path / "in.jsonl", answers(3))
    flowgauge("measure", "in.jsonl", "-m", STORY, "--no-pointers")
    status, out, err = flowgauge("constants", "in", "--out", "x.json")
    assert (status, out) == (2, "")
    assert "3 responses with documents came, at least 30 are needed" in err
    assert not (tmp_path / "x.json").exists()
    status, _, err = flowgauge("constants", "nowhere")
    assert status == 2
    assert "nowhere is no run" in err
