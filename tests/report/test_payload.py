import pyarrow as pa
from report.example_run import example_run, measured, run_of

from flowgauge.report.payload import blocks, failed_rows, index, measured_rows


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
