import base64
import hashlib
import json
import re
from importlib.resources import files

import pyarrow as pa
import pytest
from report.example_run import HOSTILE, ExampleRun, example_run, failed, measured, run_of
from report.page_parts import PageParts
from report.support_run import CALIBRATION, SUPPORT, THRESHOLD, support_run, supported

from flowgauge.report import render
from flowgauge.report.digits import print_log, print_nats
from flowgauge.report.lens import LENS_SCRIPTS
from flowgauge.report.render import SCRIPTS
from flowgauge.store.schema import arrow_schema


@pytest.fixture(scope="module")
def run() -> ExampleRun:
    return example_run()


@pytest.fixture(scope="module")
def page(run: ExampleRun) -> str:
    return render(run)


@pytest.fixture(scope="module")
def parts(page: str) -> PageParts:
    return PageParts(page)


def empty(name: str = "nothing") -> ExampleRun:
    tables = {t: arrow_schema(t).empty_table() for t in ("records", "tokens", "sentences")}
    return ExampleRun(name=name, manifest={}, tables=tables)


def test_hostile_text_injects_no_element_and_no_attribute(parts: PageParts) -> None:
    assert parts.injected() == []
    assert len(parts.scripts) == 1


def test_the_check_for_injected_markup_can_fail(page: str) -> None:
    planted = page.replace("<main>", f"<main>{HOSTILE}", 1)
    assert {"img", "onerror"} <= set(PageParts(planted).injected())


def test_hostile_text_arrives_unchanged_in_every_field(parts: PageParts) -> None:
    block = parts.responses[4]
    assert block["id"] == f"hostile {HOSTILE}"
    for name in ("question", "instruction", "reasoning", "verdict", "null", "author", "source"):
        assert block[name] == HOSTILE
    assert parts.documents[block["documents"][0]] == HOSTILE
    assert block["notes"][0] == block["labels"]["kind"][0] == HOSTILE
    assert json.loads(block["turns"]) == [{"role": HOSTILE, "content": HOSTILE}]
    assert json.loads(block["sampling"]) == json.loads(block["meta"]) == {HOSTILE: HOSTILE}
    assert HOSTILE in block["response"]
    assert HOSTILE in block["tokens"]["words"]


def test_hostile_text_of_failed_rows_and_manifest_is_text(run: ExampleRun) -> None:
    hostile = ExampleRun(
        name=HOSTILE,
        manifest={HOSTILE: {HOSTILE: [HOSTILE]}, "model": {"name": HOSTILE}},
        tables=run.tables,
    )
    parts = PageParts(render(hostile))
    assert parts.injected() == []
    assert f"{HOSTILE} › {HOSTILE}" in parts.text
    assert f"broken {HOSTILE}" in parts.text
    assert f"response is missing: {HOSTILE}" in parts.text
    assert f"Seen by {HOSTILE}" in parts.text


def test_ids_with_quotes_arrive_unchanged(parts: PageParts) -> None:
    assert parts.blocks["index"]["id"][1] == parts.responses[1]["id"] == 'ferry "summer" & more'


def test_data_equals_the_tables_to_the_printed_digit(run: ExampleRun, parts: PageParts) -> None:
    rows = run.table("tokens").to_pylist()
    assert sum(len(b["tokens"]["position"]) for b in parts.responses.values()) == len(rows)
    for row in rows:
        block = parts.responses[row["row"]]["tokens"]
        j = row["position"]
        for name in ("position", "sentence", "token_id", "start", "end"):
            assert block[name][j] == row[name]
        for name in block:
            if name.endswith(("_nats", "_nats2")):
                assert print_nats(block[name][j]) == print_nats(row[name])
                # half a unit of the sixth digit, and a float's own error
                assert block[name][j] == pytest.approx(row[name], rel=5.000001e-6, abs=0)


def test_alternatives_equal_the_table(run: ExampleRun, parts: PageParts) -> None:
    for row in run.table("tokens").to_pylist():
        block = parts.responses[row["row"]]["tokens"]
        for name in ("alternatives_p", "alternatives_q"):
            flat = block[name][row["position"]]
            assert [block["word_ids"][k] for k in flat[0::2]] == [a["id"] for a in row[name]]
            assert [block["words"][k] for k in flat[0::2]] == [a["text"] for a in row[name]]
            assert [print_log(x) for x in flat[1::2]] == [print_log(a["log_p"]) for a in row[name]]


def test_records_and_sentences_equal_the_tables(run: ExampleRun, parts: PageParts) -> None:
    for row in run.table("records").to_pylist():
        if row["status"] == "measured":
            block = parts.responses[row["row"]]
            for name in (
                "flow_nats",
                "compensator_nats",
                "residual",
                "log_e_value_nats",
                "variance_nats2",
            ):
                assert print_nats(block[name]) == print_nats(row[name])
            for name in (
                "alpha",
                "first_crossing",
                "is_exact",
                "pool_size",
                "n_tokens",
                "left_out",
            ):
                assert block[name] == row[name]
    assert parts.responses[0]["pool_p_value"] == 0.047619  # 1/21
    for row in run.table("sentences").to_pylist():
        block = parts.responses[row["row"]]["sentences"]
        assert block["flow_fraction"][row["sentence"]] == pytest.approx(
            row["flow_fraction"], rel=5.000001e-6
        )


def test_rows_may_come_in_any_order(run: ExampleRun, page: str) -> None:
    def backwards(table: pa.Table) -> pa.Table:
        return table.take(pa.array(range(len(table) - 1, -1, -1), pa.int64()))

    tables = {name: backwards(table) for name, table in run.tables.items()}
    assert render(ExampleRun(name=run.name, manifest=run.manifest, tables=tables)) == page


def test_missing_numbers_are_null_and_infinities_are_text() -> None:
    record = measured(row=0, id="a", question="", documents=None, response="Just a few words.")
    for token in record["tokens"]:
        token |= {"drift_nats": None, "compensator_nats": float("nan"), "alternatives_q": None}
    record["tokens"][1] |= {"log_p_nats": -float("inf"), "density_nats": -float("inf")}
    record |= {"residual": float("nan"), "flow_fraction": None, "labels": None, "notes": None}
    block = PageParts(render(run_of([record]))).responses[0]
    assert set(block["tokens"]["drift_nats"]) == set(block["tokens"]["compensator_nats"]) == {None}
    assert block["tokens"]["log_p_nats"][1] == block["tokens"]["density_nats"][1] == "-Infinity"
    assert (
        block["residual"] is block["flow_fraction"] is block["documents"] is block["notes"] is None
    )
    assert block["labels"] == {"start": [], "end": [], "kind": []}
    assert set(map(len, block["tokens"]["alternatives_q"])) == {0}


def test_a_run_without_rows_says_so() -> None:
    text = PageParts(render(empty())).text
    assert "This run holds no responses." in text
    assert "--resume" in text
    assert "The run has no manifest" in text


def test_a_run_of_failures_shows_the_reasons() -> None:
    run = run_of([failed(row=0, id="a", kind="RecordError", reason="response is missing")])
    parts = PageParts(render(run))
    assert "No response could be measured." in parts.text
    assert "response is missing" in parts.text
    assert "4f1c" in parts.text
    assert not any(attributes.get("id") == "workbench" for _, attributes in parts.elements)


def test_the_page_is_useful_without_its_script(parts: PageParts) -> None:
    assert "2 of 4 responses are driven by their sources." in parts.text
    assert "Not a truth score." in parts.text
    assert "ContextLengthError" in parts.text
    assert "SmolLM2-135M-Instruct" in parts.text


def test_each_document_stands_once_in_the_page(
    run: ExampleRun, page: str, parts: PageParts
) -> None:
    """Rows 0, 1 and 2 share the passages about the terrace."""
    for row in run.table("records").to_pylist():
        if row["status"] == "measured":
            numbers = parts.responses[row["row"]]["documents"]
            assert [parts.documents[number] for number in numbers] == row["documents"]
    assert len(parts.documents) == len(set(parts.documents.values())) == 5
    assert page.count("a honey loosener in 1932") == 1


def test_six_answers_to_one_question_cost_one_set_of_passages() -> None:
    passages = ["a" * 20_000, "b" * 20_000]
    record = measured(row=0, id="0", question="Which?", documents=passages, response="This one.")
    records = [
        record | {"row": row, "id": str(row), "tokens": [], "sentences": []} for row in range(6)
    ]
    one, six = (len(render(run_of(chosen))) for chosen in (records[:1], records))
    assert six - one < 20_000


def test_a_run_without_support_says_why(run: ExampleRun, page: str) -> None:
    assert "No support in this run: it was measured without source pointers" in page
    reason = "mamba-130m has no attention and no constants for this model are known"
    named = ExampleRun(
        name=run.name, manifest=run.manifest | {"support_missing": reason}, tables=run.tables
    )
    parts = PageParts(render(named))
    assert f"No support in this run: {reason}." in parts.text
    assert parts.blocks["support"]["missing"] == reason
    assert parts.blocks["support"]["threshold"] is None


def test_support_and_its_calibration_stand_in_words() -> None:
    run = supported(support_run(), calibration=CALIBRATION)
    text = PageParts(render(run)).text
    low = sum(r["support"] < THRESHOLD for r in run.table("records").to_pylist())
    assert f"{low} of 12 responses are unsupported (support below 0.45)" in text
    assert CALIBRATION["words"] in text
    assert SUPPORT["words"] in text
    assert "Above 0.2 the document is said to have fed the token" in text


def test_hostile_words_of_support_are_text() -> None:
    run = supported(support_run(), words=HOSTILE, calibration={"words": HOSTILE})
    parts = PageParts(render(run))
    assert parts.injected() == []
    assert HOSTILE in parts.text


def test_the_page_loads_nothing(page: str, parts: PageParts) -> None:
    for tag, attributes in parts.elements:
        assert "src" not in attributes
        if "href" in attributes:
            assert str(attributes["href"]).startswith(("#", "data:")), tag
    styles = re.search(r"<style>(.*?)</style>", page, re.S)
    assert styles
    assert "url(" not in styles.group(1)
    assert "@import" not in styles.group(1)


def test_the_policy_allows_this_script_and_this_style_alone(page: str, parts: PageParts) -> None:
    policy = next(a["content"] for t, a in parts.elements if t == "meta" and "http-equiv" in a)
    assert policy
    for tag in ("script", "style"):
        body = re.search(rf"<{tag}>(.*?)</{tag}>", page, re.S)
        assert body
        digest = base64.b64encode(hashlib.sha256(body.group(1).encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy


@pytest.mark.parametrize("name", sorted({*SCRIPTS, *LENS_SCRIPTS}))
def test_scripts_parse_no_markup(name: str) -> None:
    source = (files("flowgauge.report") / "static" / name).read_text(encoding="utf-8")
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|srcdoc|</script", source
    )
    assert not re.search(r"\beval\b|new Function", source)
    assert not re.search(r"fetch\(|XMLHttpRequest|import\(", source)


def test_every_script_is_in_a_page() -> None:
    static = files("flowgauge.report") / "static"
    scripts = {p.name for p in static.iterdir() if p.name.endswith(".js")}
    assert scripts == {*SCRIPTS, *LENS_SCRIPTS}
