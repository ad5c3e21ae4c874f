"""The search for contradictions: words and slots by hand, passes against a whole measurement."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import flowgauge as fg
from flowgauge.store import tables_from_rows

sys.path.insert(0, str(Path(__file__).parents[2] / "experiments"))

from ragtruth import contradiction, data, metrics
from ragtruth import contradiction_passes as passes
from ragtruth import contradiction_scores as scores
from ragtruth import contradiction_words as kinds
from ragtruth.answers import answers

DOCUMENT = "It splits on the ninth day. Rome had 40 kings."
RESPONSE = "It splits on the eighth day. Rome had 50 kings."
SOURCES = ((0, 28), (28, 46))


# ---------------------------------------------------------------- words


def test_numbers_without_list_marks_and_passages():
    text = "1. About 300 years, see passage 2 and Passages 1 and 3.\n2. Twenty men"
    assert [w for w, _, _ in kinds.spans_of(text, kinds.NUMBER)] == ["300", "twenty"]
    for word in ("ninth", "forty", "fourteen", "1990s"):
        assert kinds.has_number(word)
    assert not kinds.has_number("often")


def test_names_do_not_begin_sentences_lines_or_lists():
    text = 'The Tiber flows. Its bank: "Trastevere".\n* Some Romans\n2. Other Greeks'
    assert [w for w, _, _ in kinds.spans_of(text, kinds.NAME)] == ["tiber", "romans", "greeks"]


def test_negations_and_content_words():
    text = "It isn't, and cannot be, without salt"
    assert [w for w, _, _ in kinds.spans_of(text, kinds.NEGATION)] == ["isn't", "cannot", "without"]
    assert ("salt", 33, 37) in kinds.spans_of(text, kinds.CONTENT)
    assert "and" not in [w for w, _, _ in kinds.spans_of(text, kinds.CONTENT)]


# ---------------------------------------------------------------- slots


def test_a_number_takes_the_place_of_a_number():
    (slot,) = passes.slots("Rome had 50 kings.", 0, 18, "Rome had exactly 40 kings.")
    assert (slot.start, slot.end, slot.changed) == (9, 11, "Rome had exactly 50 kings.")


def test_slots_lie_in_the_response_and_only_where_words_differ():
    (slot,) = passes.slots(RESPONSE, 0, 29, DOCUMENT[:27])
    assert RESPONSE[slot.start : slot.end] == "eighth"
    assert slot.changed == "It splits on the eighth day."
    assert passes.slots(DOCUMENT, 0, 28, DOCUMENT[:27]) == []
    assert passes.slots("Old Rome fell.", 0, 14, "Rome fell.") == []  # a mere insertion


# ---------------------------------------------------------------- favoured tokens


def row(text, log_p, log_q, p, q):
    def law(pairs):
        return [{"id": i, "text": t, "log_p": float(np.log(x))} for i, t, x in pairs]

    return {"text": text, "log_p_nats": float(np.log(log_p)), "log_q_nats": float(np.log(log_q)),
            "alternatives_p": law(p), "alternatives_q": law(q)}  # fmt: skip


def test_favoured_by_hand():
    best = row("a", 0.5, 0.1, [(1, "a", 0.5), (2, "b", 0.3)], [(2, "b", 0.3), (1, "a", 0.1)])
    # b is favoured by 0.6 log 4; c is not among Q's: at most 0.15 there, and its share 0.2 log 4/3.
    beaten = row("d", 0.1, 0.2, [(2, "b", 0.6), (3, "c", 0.2)], [(4, "e", 0.3), (2, "b", 0.15)])
    respelt = row("b", 0.1, 0.2, [(2, " B", 0.6)], [(2, " B", 0.15)])
    forgone, rank = scores.favoured([best, beaten, respelt])
    assert rank.tolist() == [0.0, 2.0, 0.0]
    wanted = 0.6 * np.log(4) + 0.2 * np.log(4 / 3)
    assert forgone == pytest.approx([0.0, wanted, 0.0], abs=1e-12)


# ---------------------------------------------------------------- a run by hand


def tiny_records():
    """Three even sources and one odd; responses 1 and 4 contradict their document."""
    source = {"question": "When?", "passages": f"passage 1:{DOCUMENT}\n\n"}
    sources = [{"source_id": str(s), "source_info": source} for s in (10, 11, 12, 14)]
    label = {"start": 17, "end": 23, "label_type": "Evident Conflict"}
    responses = [
        {"id": str(i), "source_id": str(s), "model": "m",
         "response": RESPONSE if bad else DOCUMENT, "labels": [label] if bad else []}
        for i, (s, bad) in enumerate(zip((10, 12, 14, 14, 11), (0, 1, 0, 0, 1), strict=True))
    ]  # fmt: skip
    return responses, sources


def fake_run(records):
    """Words as tokens; the word in conflict is less dense and less supported."""
    out = {"records": [], "tokens": [], "sentences": []}
    for number, record in enumerate(records):
        key = {"row": number, "id": record.id}
        whole = {"flow_nats": 1.0, "flow_fraction": 0.1, "support": 0.9 - 0.5 * bool(record.labels)}
        out["records"].append({**key, "status": "measured", "notes": [], "pointer": 0.3, **whole})
        at = 0
        for j, word in enumerate(record.response.split(" ")):
            end = at + len(word)
            bad = any(at < x.end and end > x.start for x in record.labels)
            law = [{"id": 1, "text": "x", "log_p": -1.0}]
            out["tokens"].append(
                {**key, "position": j, "sentence": int(at > 25), "token_id": j, "text": word,
                 "start": at, "end": end, "log_p_nats": -2.0 - bad, "log_q_nats": -3.0,
                 "density_nats": 1.0 - bad, "flow_nats": 0.0, "drift_nats": 0.5,
                 "compensator_nats": 0.0, "variance_nats2": 1.0, "entropy_p_nats": 1.0,
                 "entropy_q_nats": 1.0, "log_moments_nats": [], "pointer": 0.5 - 0.4 * bad,
                 "support": 0.9 - 0.5 * bad, "local_fraction": 0.4,
                 "alternatives_p": law, "alternatives_q": law}
            )  # fmt: skip
            at = end + 1
        cut = record.response.index("Rome")
        for k, (start, end) in enumerate(((0, cut), (cut, len(record.response)))):
            place = {"document": 0, "start": SOURCES[k][0], "end": SOURCES[k][1], "weight": 0.4}
            out["sentences"].append(
                {**key, "sentence": k, "start": start, "end": end, "flow_fraction": 0.2,
                 "sources": [place]}
            )  # fmt: skip
    manifest = {"orders": [], "model": {"name": "fake", "fingerprint": "0" * 64}}
    return fg.Run("fake", manifest, tables_from_rows(out))


def fake_readings(records, run, observer="", path=None):
    """The written token is the likeliest, but for the word in conflict."""
    found = {}
    for record in records:
        found[record.id] = []
        starts = run[record.id].columns["start"]
        for p in passes.places(record, run[record.id]):
            bad = [int(bool(record.labels) and starts[j] == 17) for j in range(p.first, p.last)]
            gains = [[17, 23, 2.5, 0.5]] if any(bad) else []
            found[record.id].append(
                passes.Reading(
                    log_p=[-1.0 - 3.0 * b for b in bad], log_top=[-1.0] * len(bad),
                    same=[1 - b for b in bad], gains=gains,
                )
            )  # fmt: skip
    return found


@pytest.fixture
def records():
    return data.ragtruth_records(*tiny_records())


def test_places_are_sentences_with_their_source(records):
    run = fake_run(records)
    one, two = passes.places(records[1], run[records[1].id])
    assert (one.first, one.last, one.source) == (0, 6, DOCUMENT[:27])
    assert (two.first, two.last, two.source) == (6, 10, DOCUMENT[28:])
    assert RESPONSE[two.start : two.end] == "Rome had 50 kings."


def test_columns_of_the_passes(records):
    run, bad = fake_run(records), records[1]
    (answer,) = answers([bad], run)
    rows = contradiction.token_rows(run, [bad.id])[bad.id]
    read = fake_readings([bad], run)[bad.id]
    columns = scores.with_columns(answer, passes.places(bad, run[bad.id]), read, rows).columns
    assert columns[scores.REGRET].tolist() == [0, 0, 0, 0, 3, 0, 0, 0, 0, 0]
    assert columns[scores.ALONE].tolist() == [2, 2, 2, 2, -1, 2, 2, 2, 2, 2]
    assert columns[scores.GAIN].tolist() == [0, 0, 0, 0, 2.5, 0, 0, 0, 0, 0]
    assert columns[scores.WEIGHT].tolist() == [0.4] * 10
    strange = columns[scores.STRANGE]
    assert np.flatnonzero(~np.isnan(strange)).tolist() == [4, 8]
    assert strange[[4, 8]].tolist() == [1.0, 1.0]
    assert columns[scores.TURNED].tolist() == [0.0] * 10


def test_words_of_a_kind_that_a_response_lacks_say_nothing(records):
    run = fake_run(records)
    (answer,) = answers(records[:1], run)
    names = scores.of_class(kinds.NEGATION, "support", np.min)
    assert np.isnan(names(answer))
    assert np.isnan(scores.absent(kinds.NAME)(answer))
    assert scores.absent(kinds.NUMBER)(answer) == 0.0
    changed = replace(answer, response=answer.response.replace("40", "41"))
    assert scores.absent(kinds.NUMBER)(changed) == -0.5


# ---------------------------------------------------------------- judging


def test_nothing_to_say_is_neutral_and_combinations_are_means():
    columns = {"support": np.array([1.0, 3.0]), "(a) x": np.array([np.nan, 4.0])}
    centre = {"support": (2.0, 1.0), "(a) x": (3.0, 2.0)}
    whole = contradiction.filled(columns, centre)
    assert whole["(a) x"].tolist() == [3.0, 4.0]
    found = contradiction.combined(whole, centre, ("(a) x",))
    assert found["(e) support + (a) x"].tolist() == [-0.5, 0.75]


def test_partners_are_the_best_two_candidates():
    marked = metrics.Marked(
        positive=np.array([True, False, False]), source=np.arange(3), n_sources=3
    )
    columns = {"support": np.array([0.0, 1.0, 2.0]), "(a) x": np.array([0.0, 1.0, 2.0]),
               "(b) y": np.array([2.0, 1.0, 0.0]), "(c) z": np.array([1.0, 0.0, 2.0])}  # fmt: skip
    assert contradiction.best_two(columns, marked, np.ones(3, bool)) == ("(a) x", "(c) z")


def test_who_gets_passes(records):
    ids = [r.id for r in contradiction.to_read(records, 1)]
    assert ids == ["ragtruth-1", "ragtruth-4", "ragtruth-0"]


class Sealed(fg.Run):
    """A run whose reporting half cannot be read."""

    def __getitem__(self, key):
        if key == "ragtruth-4":
            raise AssertionError(f"{key} belongs to the reporting half")
        return super().__getitem__(key)


@pytest.fixture
def command(tmp_path, monkeypatch):
    folder = tmp_path / "assets" / "ragtruth_qa"
    folder.mkdir(parents=True)
    for name, rows in zip(("response", "source_info"), tiny_records(), strict=True):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))

    def opened(named, observer, runs, *, quick):
        del observer, runs, quick
        made = fake_run(named[data.RAGTRUTH])
        names = ("records", "tokens", "sentences")
        return {data.RAGTRUTH: Sealed("fake", made.manifest, {n: made.table(n) for n in names})}

    monkeypatch.setattr(contradiction.measure, "opened", opened)
    monkeypatch.setattr(contradiction, "readings", fake_readings)
    return ["--assets", str(tmp_path / "assets"), "--out", str(tmp_path), "--replicates", "20",
            "--most", "5"]  # fmt: skip


def test_the_command_leaves_the_reporting_half_sealed(command, tmp_path, capsys):
    contradiction.main(command)
    page = capsys.readouterr().out
    assert (tmp_path / "contradiction.md").read_text().strip() == page.strip()
    assert "reported half" not in page
    found = json.loads((tmp_path / "contradiction.json").read_text())["halves"]["choose"]
    for part in ("whole", "read"):
        rows = found[part]["responses"]["evident conflict"]
        assert (rows["n"], rows["unsupported"]) == (4, 1)
        assert rows["scores"]["support"]["auroc"][0] == 1.0
        assert rows["scores"]["support"]["minus_support"] == [0.0, 0.0, 0.0]
        assert found[part]["tokens"]["evident conflict"]["unsupported"] == 1
    assert rows["scores"]["(a) largest regret, content words"]["auroc"][0] == 1.0
    assert "(d) largest gain" not in found["whole"]["responses"]["all"]["scores"]
    with pytest.raises(AssertionError, match="belongs to the reporting half"):
        contradiction.main([*command, "--report"])


def test_the_reported_half_takes_the_partners_chosen_before(command, monkeypatch, tmp_path):
    monkeypatch.setattr(Sealed, "__getitem__", fg.Run.__getitem__)
    contradiction.main([*command, "--report"])
    halves = json.loads((tmp_path / "contradiction.json").read_text())["halves"]
    names = [
        [n for n in halves[h]["read"]["responses"]["all"]["scores"] if n.startswith("(e)")]
        for h in ("choose", "report")
    ]
    assert len(names[0]) == 3
    assert names[0] == names[1]


# ---------------------------------------------------------------- passes of a model


@pytest.fixture(scope="module")
def lm():
    return fg.load_model("stories-260k")


def test_a_pass_is_the_law_of_a_record_with_that_document(lm, tmp_path):
    (record,) = data.ragtruth_records(tiny_records()[0][1:2], tiny_records()[1])
    ids = fg.measure([record], lm)[record.id].columns["token_id"]
    alone = fg.measure([replace(record, documents=(DOCUMENT[:27],))], lm)[record.id]
    first, last = 3, len(ids) - 9
    columns = alone.columns
    place = passes.Place(
        id=record.id, sentence=0, start=int(columns["start"][first]),
        end=int(columns["end"][last - 1]), first=first, last=last, source=DOCUMENT[:27], weight=1.0,
    )  # fmt: skip
    (found,) = passes.Passes(lm, {record.id: record}, {record.id: ids}).readings([place])
    # float32 passes batched differently, and five digits kept
    assert found.log_p == pytest.approx(columns["log_p_nats"][first:last], abs=1e-4)
    (gain,) = found.gains
    assert RESPONSE[int(gain[0]) : int(gain[1])] == "eighth"
    changed = replace(record, documents=("It splits on the eighth day.",))
    more = fg.measure([changed], lm)[record.id].columns["log_p_nats"] - columns["log_p_nats"]
    assert gain[2] + gain[3] == pytest.approx(more[first:last].sum(), abs=1e-3)
    passes.store({record.id: [found]}, tmp_path / "deep" / "kept.json")
    assert passes.stored(tmp_path / "deep" / "kept.json") == {record.id: [found]}
    assert passes.stored(tmp_path / "none.json") == {}


def test_a_response_with_other_tokens_than_in_the_run_is_refused(lm):
    (record,) = data.ragtruth_records(tiny_records()[0][1:2], tiny_records()[1])
    place = passes.Place(
        id=record.id, sentence=0, start=0, end=5, first=0, last=2, source="S.", weight=1.0
    )
    wrong = passes.Passes(lm, {record.id: record}, {record.id: np.array([1, 2])})
    with pytest.raises(ValueError, match="and 2 in the run; the same tokens were needed"):
        wrong.readings([place])
