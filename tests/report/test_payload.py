import pyarrow as pa
import pytest
from report.example_run import example_run, measured, run_of
from report.support_run import THRESHOLD, support_run, with_support

from flowgauge.report.digits import print_nats, print_share
from flowgauge.report.payload import (
    blocks,
    documents,
    failed_rows,
    has_values,
    index,
    measured_rows,
    supports,
)


def test_index_has_one_entry_per_measured_record() -> None:
    data = index(measured_rows(example_run().table("records")))
    assert data["row"] == [0, 1, 2, 4]
    assert {len(column) for column in data.values()} == {4}
    assert data["n_labels"] == [1, 0, 0, 1]


def test_failed_rows_keep_their_order_and_reasons() -> None:
    rows = failed_rows(example_run().table("records"))
    assert [row["row"] for row in rows] == [3, 5]
    assert rows[0]["kind"] == "ContextLengthError"


def test_titles_fall_back_and_are_cut() -> None:
    run = run_of(
        [
            measured(row=0, id="a", question="", documents=None, response="Only a response."),
            measured(
                row=1, id="b", question="  many\n words " * 40, documents=None, response="Yes."
            ),
            measured(
                row=2, id="c", question="", documents=None, response="Yes.", instruction="Say yes."
            ),
        ]
    )
    titles = index(measured_rows(run.table("records")))["title"]
    assert titles[0] == "Only a response."
    assert titles[1].startswith("many words many")
    assert titles[1].endswith("…")
    assert len(titles[1]) == 160
    assert titles[2] == "Say yes."


def test_a_record_without_tokens_has_an_empty_block() -> None:
    run = example_run()
    none = run.table("tokens").slice(0, 0)
    for _, block in blocks(
        measured_rows(run.table("records")), none, run.table("sentences").slice(0, 0)
    ):
        assert block["tokens"]["position"] == block["sentences"]["sentence"] == []


def test_words_are_stored_once_per_response() -> None:
    run = example_run()
    parts = blocks(measured_rows(run.table("records")), run.table("tokens"), run.table("sentences"))
    for _, block in parts:
        words = list(zip(block["tokens"]["word_ids"], block["tokens"]["words"], strict=True))
        assert len(words) == len(set(words))


def test_a_chunked_table_is_one_table() -> None:
    run = example_run()
    whole = {name: run.table(name) for name in ("records", "tokens", "sentences")}
    cut = {
        name: pa.concat_tables([table.slice(0, 2), table.slice(2)]) for name, table in whole.items()
    }
    for tables in (whole, cut):
        tables["result"] = list(
            blocks(measured_rows(tables["records"]), tables["tokens"], tables["sentences"])
        )
    assert whole["result"] == cut["result"]


SUPPORT_TABLES = ("records", "tokens", "sentences")


def test_pointers_and_support_equal_the_tables() -> None:
    run = support_run()
    measured_records, tokens, sentences = (run.table(name) for name in SUPPORT_TABLES)
    parts = dict(blocks(measured_records, tokens, sentences, threshold=THRESHOLD))
    for row in tokens.to_pylist():
        block, j = parts[row["row"]]["tokens"], row["position"]
        for name in ("pointer_document", "pointer_start", "pointer_end"):
            assert block[name][j] == row[name]
        for name in ("pointer", "support"):
            assert print_nats(block[name][j]) == print_nats(row[name])
        assert print_share(block["local_fraction"][j]) == print_share(row["local_fraction"])
    for row in sentences.to_pylist():
        block, i = parts[row["row"]]["sentences"], row["sentence"]
        assert print_nats(block["support"][i]) == print_nats(row["support"])
        assert block["unsupported"][i] == (row["support"] < THRESHOLD)
        assert [tuple(place[:3]) for place in block["sources"][i]] == [
            (place["document"], place["start"], place["end"]) for place in row["sources"]
        ]
    for row in measured_records.to_pylist():
        assert print_nats(parts[row["row"]]["support"]) == print_nats(row["support"])


def test_unsupported_is_decided_before_digits_are_cut() -> None:
    """0.44999999 prints as the threshold 0.45, and is below it all the same."""
    record = with_support(
        measured(row=0, id="a", question="", documents=["A log."], response="The log.")
    )
    record |= {"support": 0.44999999}
    record["sentences"][0] |= {"support": 0.44999999}
    run = run_of([record])
    data = index(run.table("records"), threshold=0.45)
    assert (data["support"], data["unsupported"]) == ([0.45], [True])
    _, block = next(blocks(*(run.table(name) for name in SUPPORT_TABLES), threshold=0.45))
    assert block["sentences"]["unsupported"] == [True]


@pytest.mark.parametrize("absent", [False, True])
def test_columns_of_support_that_hold_nothing_are_left_out(absent: bool) -> None:
    """Null in every row, or absent as in a run that was written before support."""
    tables = dict(example_run().tables)
    if absent:
        new = {"support", "pointer", "pointer_document", "pointer_start", "pointer_end"}
        new |= {"local_fraction", "sources"}
        tables = {
            name: table.drop_columns(sorted(new & set(table.column_names)))
            for name, table in tables.items()
        }
    chosen = measured_rows(tables["records"])
    assert supports(chosen) == [None] * 4
    assert not has_values(tables["tokens"], "pointer")
    for _, block in blocks(chosen, tables["tokens"], tables["sentences"], threshold=0.45):
        assert not any("pointer" in name or "support" in name for name in block["tokens"])
        assert "unsupported" not in block["sentences"]


def test_documents_are_told_apart_by_their_text() -> None:
    records = [
        measured(row=0, id="a", question="", documents=["one", "two"], response="Yes."),
        measured(row=1, id="b", question="", documents=["two", "two", ""], response="Yes."),
        measured(row=2, id="c", question="", documents=None, response="Yes."),
        measured(row=3, id="d", question="", documents=[], response="Yes."),
    ]
    run = run_of(records)
    assert documents(run.table("records")) == ["one", "two", ""]
    parts = blocks(*(run.table(name) for name in SUPPORT_TABLES))
    assert [block["documents"] for _, block in parts] == [[0, 1], [1, 1, 2], None, []]
