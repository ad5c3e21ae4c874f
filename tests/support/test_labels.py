import hashlib
import json

import pytest
from support.runs import label_rows, memory_run

from flowgauge.errors import InputError, RecordError
from flowgauge.records import Label
from flowgauge.support import Labels, SupportLabel, labels_from_run, parse_labels, read_labels

RESPONSE = "A short answer."


@pytest.fixture
def run():
    return memory_run([0.1, 0.9, 0.5, "its row had no text"])


def write(path, *lines):
    path.write_bytes(
        b"\n".join(x if isinstance(x, bytes) else json.dumps(x).encode() for x in lines)
    )
    return path


def test_both_forms_and_groups(run, tmp_path):
    file = write(
        tmp_path / "labels.jsonl",
        b'\xef\xbb\xbf{"id": "r0", "supported": false, "group": 7, "note": "left alone"}',
        b"",
        {"id": "r1", "labels": []},
        {
            "id": "r2",
            "labels": [{"start": 2, "end": 7, "kind": "conflict"}, {"start": 0, "end": 15}],
        },
        {"id": "r3", "labels": [{"start": 0, "end": 900}]},
    )
    found = read_labels(file, run)
    assert found.rows == (
        SupportLabel(id="r0", supported=False, group="7"),
        SupportLabel(id="r1", supported=True),
        SupportLabel(
            id="r2",
            supported=False,
            spans=(Label(start=2, end=7, kind="conflict"), Label(start=0, end=15)),
        ),
        # The length of a response whose row failed is unknown.
        SupportLabel(id="r3", supported=False, spans=(Label(start=0, end=900),)),
    )
    assert found.name == "labels.jsonl"
    assert found.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()


def test_a_whole_file_of_records_serves_as_labels(run, tmp_path):
    row = {"id": "r0", "response": RESPONSE, "documents": ["d"], "labels": [], "supported": True}
    assert read_labels(write(tmp_path / "x", row), run).rows[0].supported


def test_numbers_name_records_too():
    run = memory_run([0.1])
    found = parse_labels([{"id": "r0", "supported": True}], run)
    assert found.name == "labels"
    assert parse_labels([{"id": "r0", "supported": True}], run).sha256 == found.sha256
    assert parse_labels([{"id": "r0", "supported": False}], run).sha256 != found.sha256
    with pytest.raises(RecordError, match="has no record '0'"):
        parse_labels([{"id": 0, "supported": True}], run)


BAD = {
    "not json": (b"{no", "line 1: it is not JSON: .*; it begins '{no'"),
    "not utf-8": (b'{"id": "\xff"}', "line 1: it is not JSON: 'utf-8' codec can't decode"),
    "deep": (b"[" * 100_000, "line 1: it is not JSON: "),
    "list": ([1, 2], r"it is list \[1, 2\], an object was needed"),
    "null": (None, "it is NoneType None, an object was needed"),
    "no id": ({"supported": True}, r"its id is None \(keys: 'supported'\), the id of a record"),
    "true id": ({"id": True, "supported": True}, "its id is True"),
    "unknown": (
        {"id": "r9\x1b[31m", "supported": True},
        r"the run toy-run has no record 'r9\\x1b\[31m'; it has 'r0', 'r1', 'r2', 'r3'\)",
    ),
    "no answer": ({"id": "r0"}, '\'r0\' has neither "supported" nor "labels"; "supported": tru'),
    "word": ({"id": "r0", "supported": "yes"}, "supported of 'r0' is 'yes'; true or false was"),
    "number": ({"id": "r0", "supported": 1}, "supported of 'r0' is 1; true or false was needed"),
    "both": (
        {"id": "r0", "supported": True, "labels": [{"start": 0, "end": 1}]},
        "'r0' is marked supported but has 1 unsupported spans; keep what is right",
    ),
    "neither": (
        {"id": "r0", "supported": False, "labels": []},
        "'r0' is marked unsupported but has 0 unsupported spans",
    ),
    "spans no list": ({"id": "r0", "labels": "all"}, "labels is str 'all', a list was needed"),
    "span no object": ({"id": "r0", "labels": [3]}, 'label 0 is 3, {"start": …, "end": …, "kind"'),
    "span without end": ({"id": "r0", "labels": [{"start": 1}]}, "in whole numbers was needed"),
    "span of halves": ({"id": "r0", "labels": [{"start": 0.0, "end": 1}]}, "label 0 is {'start'"),
    "span of truth": ({"id": "r0", "labels": [{"start": False, "end": True}]}, "label 0 is {'sta"),
    "outside": (
        {"id": "r0", "labels": [{"start": 10, "end": 16}]},
        "label 0 spans 10:16 but the response has 15 characters",
    ),
    "before": ({"id": "r0", "labels": [{"start": -1, "end": 3}]}, "label 0 spans -1:3 but"),
    "empty": ({"id": "r0", "labels": [{"start": 3, "end": 3}]}, "label 0 spans 3:3 but"),
    "unknown length": (
        {"id": "r3", "labels": [{"start": 3, "end": 2}]},
        "spans 3:2 but the response has an unknown number of characters",
    ),
    "kind": ({"id": "r0", "labels": [{"start": 0, "end": 1, "kind": 5}]}, "the kind of label 0 is"),
    "group": ({"id": "r0", "supported": True, "group": ["a"]}, r"its group is \['a'\], a string"),
}


@pytest.mark.parametrize(("row", "message"), BAD.values(), ids=BAD.keys())
def test_a_bad_row_is_named_with_its_line(run, tmp_path, row, message):
    file = write(tmp_path / "labels.jsonl", row, {"id": "r1", "supported": True})
    with pytest.raises(RecordError, match=message) as caught:
        read_labels(file, run)
    said = str(caught.value)
    assert said.startswith("labels.jsonl: 1 of 2 rows cannot be used (line 1: ")
    assert said.endswith("). Nothing was calibrated; mend or remove them")
    assert said.isprintable()


def test_a_second_label_of_one_record(run, tmp_path):
    again = {"id": "r0", "supported": True}
    with pytest.raises(RecordError, match=r"line 3: the id 'r0' stands in line 1 already"):
        read_labels(write(tmp_path / "x", again, b"", again), run)


def test_every_bad_row_is_counted_and_the_first_are_shown(run):
    rows = [{"id": f"x{i}", "supported": True} for i in range(7)]
    with pytest.raises(RecordError, match=r"7 of 8 rows .*row 5: .*'x4'.*; and 2 more\)") as caught:
        parse_labels([{"id": "r0", "supported": True}, *rows], run)
    assert "'x5'" not in str(caught.value)


def test_no_file_and_no_label(run, tmp_path):
    with pytest.raises(InputError, match=r"there is no file .*nowhere; a JSONL file with one"):
        read_labels(tmp_path / "nowhere", run)
    with pytest.raises(InputError, match="x holds no label; rows like"):
        read_labels(write(tmp_path / "x", b"", b"  "), run)


def test_the_measured_one_of_two_rows_with_one_id_is_meant():
    run = memory_run([0.5, "the id 'r0' stands in row 0 already"], id="r0")
    with pytest.raises(RecordError, match="spans 0:99 but the response has 15 characters"):
        parse_labels([{"id": "r0", "labels": [{"start": 0, "end": 99}]}], run)


# -- labels that came with the records ------------------------------------------------------------


def test_from_the_run():
    spans = [{"start": 2, "end": 7, "kind": "conflict"}]
    run = memory_run([0.1, 0.2, "failed"], labels=spans, meta='{"group": "s1"}')
    found = labels_from_run(run)
    label = Label(start=2, end=7, kind="conflict")
    assert found.rows == tuple(
        SupportLabel(id=i, supported=False, spans=(label,), group="s1") for i in ("r0", "r1")
    )
    assert isinstance(found, Labels)
    assert found.name == "records of toy-run"
    assert len(found.sha256) == 64


def test_a_run_without_spans_has_no_labels():
    with pytest.raises(
        InputError,
        match=r"none of the 2 records of the run toy-run came with a span .* measure records that "
        'have "labels", or give a file of labels',
    ):
        labels_from_run(memory_run([0.1, 0.2], labels=[]))


def test_no_label_is_lost():
    run = memory_run([0.5] * 50)
    supported = [i % 3 == 0 for i in range(50)]
    assert [x.supported for x in parse_labels(label_rows(supported), run).rows] == supported
