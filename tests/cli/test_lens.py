"""`flowgauge lens`: what it prints and writes, how it ends."""

import json
import re
import signal
import sys

import pytest
from cli.commands import BROKEN, STORY, run_here, start, write_rows
from cli.test_processes import Terminal, wait_for
from report.lens_records import unpacked
from report.page_parts import PageParts

from flowgauge.cli.lens import layers_of
from flowgauge.errors import SettingsError
from flowgauge.lens import mixers
from flowgauge.models import load_model
from flowgauge.pipeline import document_ablation, lens_against_ablation, lens_of
from flowgauge.text import parse_record

ROWS = [
    {
        "id": "park",
        "question": "Who ran?",
        "documents": ["Tom ran to the park. He fell.", "It rained."],
        "response": "Tom ran to the park. It rained.",
    },
    {
        "id": "fish",
        "question": "What then?",
        "documents": ["Lily saw a fish.", "Tom ran."],
        "response": "Lily saw a fish. She was happy.",
    },
    {"id": "bare", "prompt": "Once upon a time", "response": " there was a dog."},
]


@pytest.fixture
def flowgauge(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    write_rows(tmp_path / "in.jsonl", ROWS)
    return lambda *arguments: run_here(capsys, monkeypatch, *arguments)


@pytest.fixture(scope="module")
def lm():
    return load_model(STORY)


def test_numbers_for_machines_are_those_of_the_library(flowgauge, lm, tmp_path):
    status, out, err = flowgauge("lens", "in.jsonl", "-m", STORY, "--json")
    assert status == 0
    assert out.count("\n") == 1
    found = json.loads(out)
    assert [r["id"] for r in found["records"]] == ["park", "fish", "bare"]
    assert (found["page"], found["model"], found["failed"]) == ("runs/in/lens.html", STORY, [])
    assert "ablation" not in found
    lens = lens_of(parse_record(ROWS[0]), lm)
    park = found["records"][0]
    assert park["documents_nats"] == pytest.approx(lens.documents.tolist())
    assert park["layers"] == [0, 1, 2, 3, 4]
    for told, link in zip(park["links"], lens.top(5), strict=True):
        assert (told["source"], told["response"]) == (link.source, link.response)
        assert told["effect_nats"] == pytest.approx(link.effect)
        assert told["response_text"].strip() == link.response_text.strip()
    assert found["records"][2]["documents_nats"] == []
    assert re.search(r"1 of 3 rows, about \d+ s left\n", err)
    assert err.endswith("3 of 3 rows\n")
    page = (tmp_path / "runs/in/lens.html").read_text(encoding="utf-8")
    assert found["bytes"] == len(page.encode())
    block = PageParts(page).blocks["lens-0"]
    cells = unpacked(block["tokens"]).sum(axis=0)
    assert abs(cells - lens.totals).max() <= park["step_nats"]
    assert not list(tmp_path.rglob("*.tmp"))


def test_lines_for_people(flowgauge):
    status, out, _ = flowgauge(
        "lens", "in.jsonl", "-m", STORY, "--id", "park", "--layers", "1,3-4", "-o", "deep/page.html"
    )
    lines = out.splitlines()
    assert status == 0
    assert re.match(r"park: \d+ prompt tokens, \d+ response tokens, 3 layers", lines[0])
    assert re.match(r"  document 0\t[+-]\d+\.\d{3} nats$", lines[1])
    assert sum(" → " in line for line in lines) == 5
    assert lines[-1] == "1 read, 0 failed; lens: deep/page.html"
    assert "no cause" in lines[-2]
    assert "fish" not in out


def test_broken_rows_are_kept_with_their_reasons(flowgauge, tmp_path):
    rows = [*ROWS, *(row for row, _ in BROKEN.values())]
    write_rows(tmp_path / "in.jsonl", rows)
    status, out, _ = flowgauge("lens", "in.jsonl", "-m", STORY, "--json")
    found = json.loads(out)
    assert status == 1
    assert [r["id"] for r in found["records"]] == ["park", "fish", "bare"]
    assert [f["row"] for f in found["failed"]] == [3, 4, 5, 6, 7]
    for failed, (_, why) in zip(found["failed"], BROKEN.values(), strict=True):
        assert why in failed["reason"]
    page = PageParts((tmp_path / "runs/in/lens.html").read_text(encoding="utf-8"))
    assert "5 rows could not be read" in page.text
    status, out, _ = flowgauge("lens", "in.jsonl", "-m", STORY)
    assert status == 1
    assert len([x for x in out.splitlines() if x.startswith("failed: row")]) == 5
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", out), "control characters"


def test_leaving_documents_out_is_the_librarys(flowgauge, lm, tmp_path):
    status, out, err = flowgauge("lens", "in.jsonl", "-m", STORY, "--ablation", "--json")
    found = json.loads(out)
    assert status == 0
    assert "each of 4 documents is left out too, which is slow" in err
    records = [parse_record(row) for row in ROWS[:2]]
    wanted = lens_against_ablation(records, lm)
    assert found["ablation"]["records"] == 2
    for part in ("overall", "documents", "within"):
        told, own = found["ablation"][part], getattr(wanted, part)
        assert told["rho"] == pytest.approx(own.rho)
        assert (told["low"], told["high"]) == pytest.approx((own.low, own.high))
    falls = document_ablation(records[0], lm).sum(axis=1)
    assert found["records"][0]["left_out_nats"] == pytest.approx(falls.tolist())
    assert found["records"][2]["left_out_nats"] is None
    page = PageParts((tmp_path / "runs/in/lens.html").read_text(encoding="utf-8"))
    assert "Measured here" in page.text
    status, out, _ = flowgauge("lens", "in.jsonl", "-m", STORY, "--ablation")
    assert "leaving documents out (2 records): document totals" in out
    status, out, _ = flowgauge("lens", "in.jsonl", "-m", STORY, "--ablation", "--id", "bare")
    assert "no record has documents, so none was left out" in out


def test_the_page_and_the_report_link_to_each_other(flowgauge, tmp_path):
    lens, report = tmp_path / "runs/in/lens.html", tmp_path / "runs/in/report.html"
    assert flowgauge("lens", "in.jsonl", "-m", STORY)[0] == 0
    assert 'href="report.html"' not in lens.read_text()
    # A run may be measured into the folder that holds only a lens page.
    assert flowgauge("measure", "in.jsonl", "-m", STORY)[0] == 0
    assert flowgauge("report", "in")[0] == 0
    assert 'href="lens.html"' in report.read_text()
    lens.unlink()
    assert flowgauge("report", "in")[0] == 0
    assert 'href="lens.html"' not in report.read_text()
    out = flowgauge("lens", "in.jsonl", "-m", STORY, "--id", "park")[1]
    assert out.endswith("runs/in/report.html now links to it\n")
    assert 'href="lens.html"' in report.read_text()
    assert 'href="report.html"' in lens.read_text()
    # A report that is written elsewhere is sent alone.
    assert flowgauge("report", "in", "-o", "alone.html")[0] == 0
    assert 'href="lens.html"' not in (tmp_path / "alone.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nowhere.jsonl",), "there is no file nowhere.jsonl; a JSONL or Parquet"),
        (("in.jsonl", "-m", STORY, "--id", "gone"), "no record of in.jsonl has the id 'gone'; the"),
        (("in.jsonl", "-m", STORY, "--layers", "x"), "--layers is 'x'; numbers and ranges such as"),
        (("in.jsonl", "-m", STORY, "--layers", "4-2"), "the range 4-2 is empty"),
        (("in.jsonl", "-m", STORY, "--layers", "9"), "numbers from 0 to 4 were needed"),
        (("empty.jsonl", "-m", STORY), "empty.jsonl holds no rows"),
        (("in.jsonl", "-m", "gpt-9"), "'gpt-9' is no preset"),
        (("in.jsonl", "-m", STORY, "-o", "in.jsonl/x.html"), "is no folder; give --out"),
    ],
)
def test_wrong_use_is_two_and_says_what_to_do(flowgauge, tmp_path, arguments, message):
    (tmp_path / "empty.jsonl").touch()
    status, out, err = flowgauge("lens", *arguments)
    assert (status, out) == (2, "")
    assert message in err
    assert "Traceback" not in err


def test_a_model_of_unknown_kind_is_refused_in_the_lens_own_words(flowgauge, monkeypatch, tmp_path):
    monkeypatch.delitem(mixers._KNOWN, "LlamaAttention")
    status, out, err = flowgauge("lens", "in.jsonl", "-m", STORY)
    assert (status, out) == (2, "")
    assert "MistralAttention" in err
    assert "flowgauge.lens.mixers.register(its class, your adapter)" in err
    assert not (tmp_path / "runs").exists()


def test_a_terminal_gets_one_line_that_changes(flowgauge, monkeypatch):
    monkeypatch.setattr("sys.stderr", Terminal())
    assert flowgauge("lens", "in.jsonl", "-m", STORY)[0] == 0
    said = sys.stderr.getvalue()
    assert said.count("\r") == 3
    assert said.count("\n") == 1
    assert said.rstrip().endswith("3 of 3 rows")


def test_layers_of():
    assert layers_of(None) is None
    assert layers_of("7, 0,5-6,5") == (0, 5, 6, 7)
    for wrong in ("", "1,", "-3", "3-", "1.5", "9" * 6):
        with pytest.raises(SettingsError, match="numbers and ranges such as 0,5-9"):
            layers_of(wrong)


def test_control_c_ends_in_words_and_leaves_nothing(tmp_path):
    row = {"prompt": "Once. " * 40, "response": " A dog ran." * 30}
    write_rows(tmp_path / "in.jsonl", [{"id": f"r{i}", **row} for i in range(400)])
    log = tmp_path / "log"
    with (
        log.open("wb") as file,
        start("lens", tmp_path / "in.jsonl", "-m", STORY, "-o", tmp_path / "run", stderr=file,
              start_new_session=True) as process,
    ):  # fmt: skip
        wait_for(lambda: b"1 of 400 rows" in log.read_bytes(), process)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=300)
    assert (process.returncode, out) == (130, b"")
    last = log.read_text().splitlines()[-1]
    assert re.fullmatch(r"flowgauge: interrupted after \d+ of 400 rows; no page was written", last)
    assert "Traceback" not in log.read_text()
    assert not (tmp_path / "run").exists()
