"""Readers: three forms, one record; a bad row is a FailedRow with its reason, never a stop."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flowgauge.errors import InputError, RecordError
from flowgauge.records import Author, FailedRow, Label, Record, Sampling, Turn
from flowgauge.text import parse_record, read_records

GOOD = b'{"id": "good", "prompt": "a", "response": "b"}\n'


def read(tmp_path, *lines):
    file = tmp_path / "in.jsonl"
    file.write_bytes(b"".join(x if isinstance(x, bytes) else (x + "\n").encode() for x in lines))
    return list(read_records(file))


def test_the_short_form():
    found = parse_record({"prompt": "p", "response": "r"}, 3)
    assert found == Record(id="row-3", question="p", response="r")


def test_the_rag_form():
    row = {
        "id": 7,
        "question": "q",
        "documents": ["d1", ""],
        "response": "abc",
        "instruction": "i",
        "reasoning": "because",
        "author": "observer",
        "sampling": {"temperature": 0.7, "top_k": 5, "top_p": 0.9},
        "labels": [{"start": 0, "end": 2, "kind": "unsupported"}, {"start": 2, "end": 3}],
        "meta": {"a": 1},
        "task": "QA",
        "nothing": None,
    }
    assert parse_record(row) == Record(
        id="7",
        question="q",
        documents=("d1", ""),
        response="abc",
        instruction="i",
        reasoning="because",
        author=Author.OBSERVER,
        sampling=Sampling(temperature=0.7, top_k=5, top_p=0.9),
        labels=(Label(start=0, end=2), Label(start=2, end=3, kind="")),
        meta={"a": 1, "task": "QA"},
    )


def test_the_dialogue_form():
    turns = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": None}]
    found = parse_record({"turns": turns, "response": "r"})
    assert found.turns == (Turn(role="user", content="hi"), Turn(role="assistant", content=""))
    assert found.documents is None


def test_no_documents_and_none_retrieved_are_told_apart():
    assert parse_record({"response": "r", "documents": None}).documents is None
    assert parse_record({"response": "r", "documents": []}).documents == ()


BAD = [
    ({"response": ""}, "the row has no response (keys: response)"),
    ({"response": "  \n"}, "the row has no response"),
    ({"prompt": "p"}, "the row has no response (keys: prompt), so there is nothing to measure"),
    ({"response": ["r"]}, "response is list ['r'], a string was needed"),
    ({"response": 5}, "response is int 5, a string was needed"),
    ({"response": "r", "question": {"a": 1}}, "question is dict {'a': 1}, a string was needed"),
    ({"response": "r", "prompt": "p", "question": "q"}, "both prompt and question"),
    ({"response": "r", "documents": "d"}, "documents is str 'd', a list of strings was needed"),
    ({"response": "r", "documents": ["d", 1]}, "documents is list ['d', 1]"),
    ({"response": "r", "documents": [None]}, "documents is list [None]"),
    ({"response": "r", "turns": "hi"}, "turns is str 'hi', a list of"),
    ({"response": "r", "turns": ["hi"]}, "turn 0 is 'hi'"),
    ({"response": "r", "turns": [{"content": "hi"}]}, "turn 0 is {'content': 'hi'}"),
    ({"response": "r", "turns": [{"role": "u", "content": 1}]}, "content is int 1"),
    ({"response": "r", "author": "me"}, "author is 'me', 'somebody else' or 'observer' was needed"),
    ({"response": "r", "author": ["observer"]}, "author is ['observer']"),
    ({"response": "r", "sampling": 1.0}, "sampling is 1.0, an object with temperature"),
    ({"response": "r", "sampling": {"temp": 1}}, "sampling is {'temp': 1}"),
    ({"response": "r", "sampling": {"temperature": "hot"}}, "sampling is {'temperature': 'hot'}"),
    ({"response": "r", "sampling": {"top_p": 0}}, "is no way to sample"),
    ({"response": "r", "sampling": {"temperature": float("nan")}}, "is no way to sample"),
    ({"response": "r", "labels": "x"}, "labels is str, a list of spans was needed"),
    ({"response": "r", "labels": [{"start": 0}]}, "label 0 is {'start': 0}"),
    ({"response": "r", "labels": [[0, 1]]}, "label 0 is [0, 1]"),
    ({"response": "r", "labels": [{"start": "x", "end": 1}]}, "label 0 is"),
    ({"response": "r", "labels": [{"start": float("inf"), "end": 1}]}, "label 0 is {'start': inf"),
    (
        {"response": "r", "labels": [{"start": 0, "end": 2}]},
        "label 0 spans 0:2 but the response has 1",
    ),
    ({"response": "r", "labels": [{"start": 1, "end": 1}]}, "label 0 spans 1:1"),
    ({"response": "r", "labels": [{"start": -1, "end": 1}]}, "label 0 spans -1:1"),
    ({"response": "r", "id": [1]}, "id is list [1], a string was needed"),
    ({"response": "r", "id": 1.5}, "id is float 1.5"),
    ({"response": "r", "meta": "x"}, "meta is str 'x', an object was needed"),
    ({"response": "a\x07"}, "response holds the control character U+0007 at character 1"),
    ({"response": "😀\x1b[2J"}, "response holds the control character U+001B at character 1"),
    ({"response": "\ud83d"}, "response holds the lone surrogate U+D83D at character 0"),
    ({"response": "r", "documents": ["a\x00"]}, "document 0 holds the control character U+0000"),
    ({"response": "r", "id": "\x1b[31m"}, "id holds the control character U+001B"),
    ({"response": "r", "turns": [{"role": "\udc00", "content": ""}]}, "the role of turn 0 holds"),
    ({"response": "r", "other": "\ud800"}, "meta holds a lone surrogate"),
    ({"prompt": "p", "\ud800": 1}, "the row has no response (keys: prompt, \ufffd)"),
]


@pytest.mark.parametrize(("row", "message"), BAD)
def test_a_bad_row_says_why_and_stops_nothing(tmp_path, row, message):
    bad, good = read(tmp_path, json.dumps(row), GOOD)
    assert isinstance(bad, FailedRow)
    assert message in bad.reason
    assert bad.row == 0
    assert bad.raw == json.dumps(row)
    for text in (bad.id, bad.reason, bad.raw):
        text.encode("utf-8")  # can be stored
    assert isinstance(good, Record)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"not json\n", "the line is not JSON: Expecting value"),
        (b'{"response": "r"\n', "the line is not JSON"),
        (b'{"response": "r"} {"response": "s"}\n', "the line is not JSON: Extra data"),
        (b"[" * 100_000 + b"\n", "the line is not JSON: maximum recursion depth"),
        (
            b'{"response": "r", "n": ' + b"9" * 5000 + b"}\n",
            "the line is not JSON: Exceeds the limit",
        ),
        (b'{"response": "\xff\xfe"}\n', "the line is not UTF-8"),
        (b'{"response": "caf\xe9"}\n', "the line is not UTF-8"),
        (b"[1, 2]\n", "the row is list [1, 2], an object was needed"),
        (b'"text"\n', "the row is str 'text', an object was needed"),
        (b"null\n", "the row is NoneType None, an object was needed"),
        (b"17\n", "the row is int 17"),
        (b"PK\x03\x04\x00\x00binary\n", "the line is not JSON"),
    ],
)
def test_a_line_that_is_no_row(tmp_path, line, message):
    first, bad, last = read(tmp_path, GOOD, line, b'{"response": "z"}\n')
    assert message in bad.reason
    assert (bad.row, bad.id, bad.kind) == (1, "row-1", "RecordError")
    assert len(bad.raw) <= 2000
    assert (first.id, last.id) == ("good", "row-2")


def test_of_two_rows_with_one_id_the_second_fails(tmp_path):
    one, two, three, four = read(
        tmp_path, GOOD, '{"id": 1, "response": "x"}', '{"id": "1", "response": "y"}', GOOD
    )
    assert isinstance(one, Record)
    assert isinstance(two, Record)
    assert three.reason == "the id '1' stands in row 1 already"
    assert four.reason == "the id 'good' stands in row 0 already"


def test_a_failed_row_does_not_take_its_id_away(tmp_path):
    bad, good = read(tmp_path, '{"id": "x"}', '{"id": "x", "response": "r"}')
    assert isinstance(bad, FailedRow)
    assert isinstance(good, Record)


def test_an_id_like_a_default_one_is_no_clash(tmp_path):
    first, second = read(tmp_path, '{"id": "row-1", "response": "r"}', '{"response": "s"}')
    assert first.id == "row-1"
    assert second.reason == "the id 'row-1' stands in row 0 already"


def test_blank_lines_do_not_count(tmp_path):
    found = read(tmp_path, "", GOOD, " \t", "\r", '{"response": "r"}', "")
    assert [r.id for r in found] == ["good", "row-1"]


def test_windows_files(tmp_path):
    found = read(tmp_path, b"\xef\xbb\xbf" + GOOD.replace(b"\n", b"\r\n"), b'{"response": "r"}\r\n')
    assert [r.id for r in found] == ["good", "row-1"]


def test_no_newline_at_the_end_and_an_empty_file(tmp_path):
    assert [r.id for r in read(tmp_path, GOOD.strip())] == ["good"]
    assert read(tmp_path, b"") == []


def test_line_separators_inside_a_text_do_not_end_the_row(tmp_path):
    (found,) = read(tmp_path, '{"response": "a\u2028b\u0085c"}')
    assert found.response == "a\u2028b\x85c"


def test_a_huge_line(tmp_path):
    (found,) = read(tmp_path, json.dumps({"documents": ["word " * 400_000], "response": "r"}))
    assert len(found.documents[0]) == 2_000_000


def test_parquet_gives_the_records_that_json_gives(tmp_path):
    rows = [
        {
            "id": "a",
            "question": "q",
            "documents": ["d1", "d2"],
            "response": "abc",
            "turns": [{"role": "user", "content": "hi"}],
            "labels": [{"start": 0, "end": 2, "kind": "k"}],
            "score": 0.5,
        },
        {"id": "b", "question": None, "documents": None, "response": "r", "turns": None,
         "labels": None, "score": None},
        {"id": "c", "question": "q", "documents": [], "response": None, "turns": None,
         "labels": None, "score": None},
        {"id": "a", "question": "q", "documents": [], "response": "x", "turns": None,
         "labels": None, "score": None},
    ]  # fmt: skip
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "in.PARQUET")
    found = list(read_records(tmp_path / "in.PARQUET"))
    assert found[:2] == read(tmp_path, *map(json.dumps, rows[:2]))
    assert "the row has no response" in found[2].reason
    assert found[3].reason == "the id 'a' stands in row 0 already"
    assert found[0].meta == {"score": 0.5}


def test_parquet_with_columns_of_the_wrong_type(tmp_path):
    pq.write_table(pa.table({"response": [1.5], "documents": [b"x"]}), tmp_path / "in.parquet")
    (found,) = read_records(tmp_path / "in.parquet")
    assert found.reason == "response is float 1.5, a string was needed"


def test_what_is_no_file_at_all(tmp_path):
    with pytest.raises(InputError, match=r"there is no file .*nope.jsonl"):
        list(read_records(tmp_path / "nope.jsonl"))
    with pytest.raises(InputError, match="there is no file"):
        list(read_records(tmp_path))
    (tmp_path / "in.parquet").write_bytes(GOOD)
    with pytest.raises(InputError, match=r"in.parquet is no Parquet file that can be read"):
        list(read_records(tmp_path / "in.parquet"))


def test_parse_record_refuses_what_is_no_row():
    with pytest.raises(RecordError, match="the row is list"):
        parse_record([])
