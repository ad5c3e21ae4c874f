"""The harness of experiments/ragtruth: halves, scores by hand, metrics against definitions."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import metrics as oracle
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

import flowgauge as fg
from flowgauge.store import tables_from_rows

sys.path.insert(0, str(Path(__file__).parents[2] / "experiments"))

from ragtruth import baselines, conflict, data, judge, metrics, overlap, run, tables, tools
from ragtruth.answers import Answer, answers, on_tokens_of, token_means
from ragtruth.sheet import averaged, scale_of, sheet

EXACT = 1e-12  # sums of small integers over sums of small integers


# ---------------------------------------------------------------- data and halves


def source_row(key, question="q?"):
    passages = (
        "passage 1:The cat sat on a mat.\n\npassage 2:Dogs bark.\n\npassage 3:Rain falls.\n\n"
    )
    return {"source_id": key, "source_info": {"question": question, "passages": passages}}


def response_row(number, source, text, labels=(), model="m1"):
    spans = [{"start": s, "end": e, "label_type": k} for s, e, k in labels]
    return {"id": str(number), "source_id": source, "model": model, "labels": spans, "response": text}  # fmt: skip  # noqa: E501


def test_ragtruth_records():
    rows = [response_row(7, "12", "The cat flew.", [(8, 12, "Evident Conflict")])]
    (record,) = data.ragtruth_records(rows, [source_row("12")])
    assert record.id == "ragtruth-7"
    assert record.documents == ("The cat sat on a mat.", "Dogs bark.", "Rain falls.")
    assert record.labels == (fg.Label(start=8, end=12, kind="evident conflict"),)
    assert record.meta == {"source_id": "12", "model": "m1", "supported": False}


def test_summary_records_choose_whatever_their_id():
    row = {"id": "factcc-3", "document": "D.", "response": "r.", "supported": True, "model": None}
    (record,) = data.summary_records([row])
    assert record.question == "Summarize the following text"
    assert record.documents == ("D.",)
    assert record.meta["supported"]
    assert data.is_choosing(record)


def test_even_sources_choose_and_odd_ones_report():
    rows = [response_row(i, str(s), "x") for i, s in enumerate((10, 11, 12))]
    records = data.ragtruth_records(rows, [source_row(str(s)) for s in (10, 11, 12)])
    assert [data.is_choosing(r) for r in records] == [True, False, True]


def test_refusals_whatever_their_case():
    assert data.is_refusal("I am UNABLE to answer based on given passages.")
    assert not data.is_refusal("The passages answer this.")


def test_spread_takes_evenly():
    assert data.spread(list("abcdef"), 3) == ["a", "c", "e"]
    assert data.spread(list("ab"), 3) == ["a", "b"]


def test_absent_assets_say_what_to_do(tmp_path):
    with pytest.raises(SystemExit, match=r"holds no ragtruth_qa/response\.jsonl; name the folder"):
        data.assets_folder(tmp_path)
    with pytest.raises(SystemExit, match=r"factcc\.jsonl is missing; .*--assets"):
        data.load("factcc", tmp_path)


# ---------------------------------------------------------------- scores by hand


def answer(text="ab cd", starts=(0, 2), ends=(2, 5), documents=("ab cd",), **more):
    n = len(starts)
    columns = {
        "log_p_nats": np.full(n, -1.0),
        "log_q_nats": np.full(n, -2.0),
        "density_nats": np.full(n, 1.0),
        "drift_nats": np.full(n, 0.5),
        "entropy_p_nats": np.full(n, 0.25),
        **more.pop("columns", {}),
    }
    base = {
        "id": "a", "source": "2", "generator": "m", "supported": True, "spans": (),
        "sentence": np.zeros(n, dtype=np.int64), "whole": {}, "sentence_fractions": np.array([0.5]),
    }  # fmt: skip
    return Answer(
        response=text, documents=documents, start=np.array(starts), end=np.array(ends),
        columns=columns, **{**base, **more},
    )  # fmt: skip


def by_name(name):
    return next(s for s in conflict.ALL_SCORES if s.name == name)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("perplexity", -2.0),
        ("unconditional perplexity", -3.0),
        ("density (PMI)", 1.0),
        ("drift", 0.5),
        ("entropy", -0.25),
        ("max-token surprise", -3.0),
        ("flow fraction", 2 / 6),
        ("mean sentence fraction", 0.25),
        ("length", -2.0),
        ("content-word overlap", 1.0),
        ("flow [nats]", 2.0),
    ],
)
def test_response_scores_by_hand(name, value):
    a = answer(
        columns={"log_p_nats": np.array([-1.0, -3.0]), "log_q_nats": np.array([-2.0, -4.0])},
        sentence=np.array([0, 1]), sentence_fractions=np.array([0.7, -0.2]),
        whole={"flow_nats": 2.0},
    )  # fmt: skip
    assert by_name(name).of_response(a) == pytest.approx(value, abs=EXACT)


def test_smoothing_is_a_gaussian_mean_of_the_tokens_there_are(rng):
    values = rng.normal(size=90)
    # scipy cuts the kernel at four deviations: 32 tokens
    wanted = oracle.smooth(values, baselines.SIGMA, reach=32)
    assert np.allclose(baselines.smooth(values), wanted, atol=1e-12, rtol=0)
    assert np.allclose(baselines.smooth(np.full(3, 2.5)), 2.5, atol=1e-12, rtol=0)


def test_token_scores_by_hand():
    a = answer(sentence=np.array([0, 1]), sentence_fractions=np.array([0.7, np.nan]))
    assert by_name("mean sentence fraction").of_tokens(a).tolist() == [0.7, 0.0]
    assert np.allclose(by_name("local fraction").of_tokens(a), 0.5, atol=EXACT, rtol=0)
    sure = answer(columns={"log_q_nats": np.full(2, -0.1), "density_nats": np.full(2, 0.06)})
    # Q's surprise 0.1 counts as 0.3
    assert np.allclose(by_name("local fraction").of_tokens(sure), 0.2, atol=EXACT, rtol=0)


def test_support_is_taken_as_it_stands():
    a = answer(columns={"support": np.array([0.2, 0.9])}, whole={"support": 0.3})
    score = by_name("support")
    assert score.of_tokens(a).tolist() == [0.2, 0.9]
    assert score.of_response(a) == 0.3
    good, notes = baselines.usable(baselines.SCORES, [a, answer()])
    assert "support" not in [s.name for s in good]
    assert notes == ["support: only 1 of 2 responses have it; left out"]
    assert baselines.usable(baselines.SCORES, [answer()])[1] == []


def test_content_words_found():
    #       The cat sat on a mat
    starts, ends = (0, 3, 7, 11, 14, 16), (3, 7, 11, 14, 16, 20)
    a = answer("The cat sat on a mat", starts, ends, ("A cat is on the mat.",))
    assert overlap.overlap_share(a) == pytest.approx(2 / 3, abs=EXACT)  # cat, mat; not sat
    # stop words take the value of the content word before them, the first one the next's
    assert overlap.overlap_tokens(a).tolist() == [1, 1, 0, 0, 0, 1]
    assert overlap.overlap_share(answer("of the", (0,), (6,))) == 1.0
    assert overlap.overlap_share(answer("?!", (0,), (2,))) == 1.0


def test_copied_words_on_tokens():
    a = answer("Red fox, ran", (0, 3, 7, 8), (3, 7, 8, 12), ("a red fox", "ran"))
    # the comma takes the word before it
    assert overlap.copied_tokens(a).tolist() == [2, 2, 2, 1]
    assert overlap.copied_tokens(answer("?!", (0,), (2,))).tolist() == [0]


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.lists(st.sampled_from("abc"), max_size=9), st.lists(st.sampled_from("abc"), max_size=9))
def test_copied_lengths_equal_enumeration(ours, theirs):
    found = overlap.copied_lengths(
        overlap.words(" ".join(ours)), (overlap.words(" ".join(theirs)),)
    )
    assert found.tolist() == oracle.copied_lengths(ours, theirs)


def test_tokens_of_two_observers_meet_on_characters():
    ours = answer("abcdef", (0, 4), (4, 6))
    theirs = answer("abcdef", (0, 2), (2, 6))
    # characters: 1 1 3 3 | 3 3
    assert on_tokens_of(np.array([1.0, 3.0]), theirs, ours).tolist() == [2.0, 3.0]
    assert on_tokens_of(np.array([1.0, 3.0]), theirs, theirs).tolist() == [1.0, 3.0]
    assert token_means(np.array([9.0, 1.0, 2.0]), answer("a b", (0, 1), (1, 3))).tolist() == [9, 2]


def test_a_token_is_marked_where_it_overlaps_a_span():
    a = answer("abcdef", (0, 2, 4), (2, 4, 6), spans=((3, 4, "x"), (4, 5, "y")))
    assert a.in_span().tolist() == [False, True, True]
    assert a.in_span("y").tolist() == [False, False, True]
    assert a.kinds == {"x", "y"}


# ---------------------------------------------------------------- metrics


@pytest.fixture
def sample(rng):
    """Sixty items of eight sources with ties among their scores; one source has no positive."""
    source = np.sort(rng.integers(8, size=60))
    positive = (rng.random(60) < 0.35) & (source != 3)
    scores = np.round(rng.normal(size=60) - positive, 1)
    return scores, metrics.Marked(positive=positive, source=source, n_sources=8)


@pytest.mark.parametrize("name", ["auroc", "average_precision", "f1"])
def test_metrics_equal_a_naive_bootstrap(sample, name):
    scores, marked = sample
    draws = metrics.draw(8, 25, np.random.default_rng(5))
    threshold = metrics.best_threshold(scores, marked.positive)
    more = (threshold,) if name == "f1" else ()
    found = getattr(metrics, name)(scores, marked, draws, *more)

    def metric(s, p, w):
        return getattr(oracle, name)(s, p, w, *more)

    wanted = oracle.bootstrap(
        metric, scores, marked.positive, marked.source, 8, 25, np.random.default_rng(5)
    )
    assert np.allclose(found, wanted, atol=EXACT, rtol=0)


def test_metrics_equal_scikit_learn(sample):
    scores, marked = sample
    draws = metrics.draw(8, 6, np.random.default_rng(1))
    auroc = metrics.auroc(scores, marked, draws)
    precision = metrics.average_precision(scores, marked, draws)
    f1 = metrics.f1(scores, marked, draws, 0.0)
    for i, row in enumerate(draws):
        w = row[marked.source]
        y = marked.positive
        assert auroc[i] == pytest.approx(roc_auc_score(y, -scores, sample_weight=w), abs=EXACT)
        wanted = average_precision_score(y, -scores, sample_weight=w)
        assert precision[i] == pytest.approx(wanted, abs=EXACT)
        assert f1[i] == pytest.approx(f1_score(y, scores <= 0.0, sample_weight=w), abs=EXACT)


def test_weighted_auroc_of_the_oracle_itself():
    # pairs (0.1, 0.2) right with weight 2·3, (0.1, 0.1) tied with weight 2·1
    found = oracle.auroc([0.1, 0.2, 0.1], [True, False, False], [2, 3, 1])
    assert found == pytest.approx(7 / 8, abs=EXACT)


def test_best_threshold_has_the_best_f1(sample):
    scores, marked = sample
    best = metrics.best_threshold(scores, marked.positive)
    ones = np.ones(60)
    values = [oracle.f1(scores, marked.positive, ones, t) for t in np.unique(scores)]
    assert oracle.f1(scores, marked.positive, ones, best) == max(values)


def test_metrics_of_one_class_are_undefined_not_zero():
    marked = metrics.Marked(positive=np.zeros(3, bool), source=np.arange(3), n_sources=3)
    draws = metrics.draw(3, 4, np.random.default_rng(0))
    scores = np.arange(3.0)
    assert np.isnan(metrics.auroc(scores, marked, draws)).all()
    assert np.isnan(metrics.average_precision(scores, marked, draws)).all()
    assert np.isnan(metrics.best_threshold(scores, marked.positive))
    assert metrics.estimate(metrics.auroc(scores, marked, draws)).as_json() == [None] * 3


def test_scores_that_do_not_fit_are_refused():
    marked = metrics.Marked(positive=np.array([True, False]), source=np.arange(2), n_sources=2)
    with pytest.raises(ValueError, match=r"shape \(2,\) with 1 nan came for 2 items"):
        metrics.auroc(np.array([1.0, np.nan]), marked, np.ones((1, 2)))


def test_interval_holds_the_middle_95_percent():
    found = metrics.estimate(np.concatenate(([0.4], np.arange(101.0), [np.nan])))
    assert found.as_json() == [0.4, 2.5, 97.5]


def test_differences_to_support_are_paired(sample):
    scores, marked = sample
    draws = metrics.draw(8, 50, np.random.default_rng(2))
    rows = judge.judge({"support": scores, "twin": scores * 2}, marked, draws, None)
    assert rows["twin"]["auroc_minus_support"] == [0.0, 0.0, 0.0]
    assert "auroc_minus_support" not in rows["support"]


# ---------------------------------------------------------------- end to end on a fake run

TEXTS = ("The cat sat on a mat. Dogs bark.", "Dogs bark at nine cats. Rain falls.")


def tiny_records():
    """Four sources, two generators, two kinds and one refusal."""
    rows = []
    for i, source in enumerate((10, 10, 12, 11, 13, 13)):
        bad = i in (1, 2, 4)
        kind = "Evident Conflict" if i == 1 else "Subtle Baseless Info"
        rows.append(
            response_row(i, str(source), TEXTS[bad], [(14, 18, kind)] if bad else (), f"m{i % 2}")
        )
    rows.append(response_row(6, "12", "Unable to answer."))
    return rows, [source_row(str(s)) for s in (10, 11, 12, 13)]


def fake_run(records, rng, *, support=True):
    """A run with the stored columns and invented numbers; unsupported words are less dense."""
    tables_rows = {"records": [], "tokens": [], "sentences": []}
    for row, record in enumerate(records):
        key = {"row": row, "id": record.id}
        spans = [(s, e) for _, s, e in overlap.words(record.response)]
        whole = {"flow_nats": float(rng.normal()), "flow_fraction": 0.1}
        if support:
            whole |= {"support": float(record.meta["supported"]) * 0.5 + 0.25, "pointer": 0.3}
        tables_rows["records"].append(
            {**key, "status": "measured", "response": record.response, "notes": [], **whole}
        )
        for position, (start, end) in enumerate(spans):
            marked = any(start < x.end and end > x.start for x in record.labels)
            log_q, density = -3.0 + rng.random(), 1.0 - 2.0 * marked
            token = {
                **key, "position": position, "sentence": 0, "token_id": 0, "start": start,
                "end": end, "text": record.response[start:end], "log_p_nats": log_q + density,
                "log_q_nats": log_q, "density_nats": density, "flow_nats": 0.0, "drift_nats": 0.5,
                "compensator_nats": 0.0, "variance_nats2": 1.0, "entropy_p_nats": 1.0,
                "entropy_q_nats": 1.0, "log_moments_nats": [],
            }  # fmt: skip
            if support:
                # Marked tokens: 0.4 on the choosing half, 0.5 on the other.
                low = 0.4 if data.is_choosing(record) else 0.5
                token |= {"support": low if marked else 0.9, "pointer": 0.5, "local_fraction": 0.4}
            tables_rows["tokens"].append(token)
        tables_rows["sentences"].append(
            {**key, "sentence": 0, "flow_fraction": 0.2, "start": 0, "end": len(record.response)}
        )
    manifest = {"orders": [], "model": {"name": "fake", "fingerprint": "0"}}
    return fg.Run("fake", manifest, tables_from_rows(tables_rows))


@pytest.fixture
def records():
    return data.ragtruth_records(*tiny_records())


def sheets(records, run_, choosing):
    found = answers([r for r in records if data.is_choosing(r) == choosing], run_)
    return sheet(found, baselines.usable(baselines.SCORES, found)[0])


def test_answers_carry_truth_and_columns(records, rng):
    found = answers(records, fake_run(records, rng))
    assert [a.supported for a in found] == [True, False, False, True, False, True, True]
    assert found[1].kinds == {"evident conflict"}
    assert found[1].whole["support"] == 0.25
    assert np.flatnonzero(found[1].in_span()).tolist() == [3]  # "nine"
    bare = answers(records, fake_run(records, rng, support=False))
    assert "support" not in bare[0].columns
    assert "support" not in bare[0].whole


def test_numbers_by_half_and_group(records, rng):
    run_ = fake_run(records, rng)
    found = judge.halves(sheets(records, run_, True), sheets(records, run_, False), 20, seed=0)
    choose, report = found["choose"], found["report"]
    assert (choose["responses"]["n"], choose["responses"]["unsupported"]) == (4, 2)
    assert (report["responses"]["n"], report["responses"]["unsupported"]) == (3, 1)
    assert choose["responses"]["scores"]["support"]["auroc"][0] == 1.0
    assert choose["tokens"]["unsupported"] == 2
    assert choose["tokens"]["scores"]["support"]["auroc"][0] == 1.0
    thresholds = [h["tokens"]["scores"]["support"]["threshold"] for h in (choose, report)]
    assert thresholds == [0.4, 0.4]  # chosen on one half, used on the other
    assert choose["tokens"]["scores"]["support"]["f1"][0] == 1.0
    assert report["tokens"]["scores"]["support"]["f1"][0] == 0.0
    # a response with a span of another kind is no negative
    assert {k: (x["n"], x["unsupported"]) for k, x in choose["kinds"].items()} == {
        "evident conflict": (3, 1), "subtle baseless info": (3, 1),
    }  # fmt: skip
    tokens = choose["tokens"]["n"]
    assert [x["n"] for x in choose["token_kinds"].values()] == [tokens - 1, tokens - 1]
    assert choose["refusals"]["without refusals"]["n"] == 3
    assert {k: (x["n"], x["unsupported"]) for k, x in choose["generators"].items()} == {
        "m0": (2, 1), "m1": (2, 1),
    }  # fmt: skip
    assert report["generators"]["m0"]["auroc"]["support"] == [None, None, None]  # one class


def test_the_mean_of_sets_is_the_mean_of_their_scores(records, rng):
    one = sheets(records, fake_run(records, rng), True)
    found = judge.four_sets({"a": one, "b": one}, 10, seed=0)["scores"]
    for row in found.values():
        assert row["mean"][0] == pytest.approx((row["a"][0] + row["b"][0]) / 2, abs=1e-6)


def test_an_observer_averaged_with_itself_orders_as_before(records, rng):
    one = sheets(records, fake_run(records, rng), True)
    scale = scale_of(one)
    both = averaged(one, one, scale, scale)
    for name, values in one.responses.items():
        mean, deviation = scale.responses[name]
        assert np.allclose(both.responses[name] * deviation + mean, values, atol=1e-9, rtol=0)
    for name, values in one.tokens.items():
        mean, deviation = scale.tokens[name]
        assert np.allclose(both.tokens[name] * deviation + mean, values, atol=1e-9, rtol=0)


def test_observers_that_saw_other_responses_are_not_averaged(records, rng):
    run_ = fake_run(records, rng)
    one, other = sheets(records, run_, True), sheets(records, run_, False)
    with pytest.raises(ValueError, match="4 and 3 responses of two observers"):
        averaged(one, other, scale_of(one), scale_of(other))


def write_assets(folder):
    """A tiny folder of data sets."""
    (folder / "ragtruth_qa").mkdir(parents=True)
    (folder / "summaries_choose").mkdir()
    responses, sources = tiny_records()
    summaries = {
        name: [
            {"id": f"{name}-{i}", "document": "The cat sat.", "response": f"The cat {i}.",
             "supported": i > 0, "model": None} for i in range(3)
        ] for name in data.SUMMARIES
    }  # fmt: skip
    files = {
        "ragtruth_qa/response": responses,
        "ragtruth_qa/source_info": sources,
        **{f"summaries_choose/{k}": v for k, v in summaries.items()},
    }
    for name, rows in files.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    return folder


class Sealed(fg.Run):
    """A run whose reporting half cannot be read."""

    def __getitem__(self, key):
        if key in ("ragtruth-3", "ragtruth-4", "ragtruth-5"):
            raise AssertionError(f"{key} belongs to the reporting half")
        return super().__getitem__(key)


def fake_measured(records, observer, runs, *, quick):
    del runs, quick
    out = {}
    for name, rows in records.items():
        # Seeded by the observer, so that two observers differ and each is the same again.
        made = fake_run(rows, np.random.default_rng(len(observer)))
        out[name] = Sealed("fake", made.manifest, {n: made.table(n) for n in ("records", "tokens", "sentences")})  # fmt: skip  # noqa: E501
    return out


def command(tmp_path, *more):
    assets = tmp_path / "assets"
    if not assets.exists():
        write_assets(assets)
    return ["--assets", str(assets), "--runs", str(tmp_path / "runs"), "--out", str(tmp_path),
            "--no-tools", "--replicates", "20", *more]  # fmt: skip


def test_the_command_leaves_the_reporting_half_sealed(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(run.measure, "measured", fake_measured)
    run.main(command(tmp_path, "--observers", "one,second"))
    page = (tmp_path / "tables.md").read_text()
    assert page.strip() == capsys.readouterr().out.strip()
    assert "The reported half was not looked at" in page
    assert "reported half:" not in page
    assert "## Observer: both, averaged" in page
    result = json.loads((tmp_path / "result.json").read_text())
    assert list(result["observers"]) == ["one", "second", "both, averaged"]
    assert result["models"]["one"]["fingerprint"] == "0"
    with pytest.raises(AssertionError, match="belongs to the reporting half"):
        run.main(command(tmp_path, "--observers", "one", "--report"))


def test_the_command_reports_when_told(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(run.measure, "measured", fake_measured)
    monkeypatch.setattr(Sealed, "__getitem__", fg.Run.__getitem__)
    run.main(command(tmp_path, "--observers", "one", "--report"))
    page = capsys.readouterr().out
    assert "Responses, reported half: 3, 1 unsupported, 2 sources" in page
    assert "| support | 1.000 [1.000, 1.000] |" in page
    assert "ragtruth_qa (2 of 4) | summeval (1 of 3)" in page
    lines = [x for x in page.splitlines() if x.startswith("|")]
    assert all(x.count("|") >= 3 for x in lines)


def test_cells():
    assert tables.cell([None, None, None]) == "–"
    assert tables.cell([0.5, None, None]) == "0.500"


# ---------------------------------------------------------------- tools


def test_tools_that_are_not_there_say_so():
    line = json.dumps({"set": "s", "id": "a", "documents": ["d"], "response": "r"})
    done = subprocess.run(
        [sys.executable, "-I", str(tools.WORKER)], input=line, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    found = tools.collect([json.loads(x) for x in done.stdout.splitlines()])
    assert found.scores == {}
    assert len(found.failures) == 2
    assert "ModuleNotFoundError" in found.failures[0]


def test_an_environment_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    record = fg.Record(id="a", response="r", documents=("d",))
    found = tools.tool_scores({"s": [record]}, tmp_path / "file" / "env")
    assert found.scores == {}
    assert [f.split(": ")[:2] for f in found.failures] == [
        ["hallucination-check 0.1.0", "not installed"],
        ["groundcheck-rag 0.2.0", "not installed"],
    ]


def test_a_tool_that_fails_once_has_no_scores():
    good = {"set": "s", "id": "a", "tool": "t", "version": "1", "score": 0.5}
    found = tools.collect([good, {**good, "tool": "u"}, {"tool": "u", "error": "E: no"}])
    assert found.scores == {"t 1": {("s", "a"): 0.5}}
    assert found.failures == ("u: failed: E: no",)


def test_tool_scores_survive_their_file(tmp_path):
    found = tools.ToolScores(scores={"t 1": {("s", "a"): 0.25, ("s", "b"): 1.0}})
    tools.write_csv(found, tmp_path / "t.csv")
    assert tools.read_csv(tmp_path / "t.csv") == found
    with (tmp_path / "t.csv").open(newline="") as file:
        assert next(csv.reader(file)) == list(tools.FIELDS)


# ---------------------------------------------------------------- conflict


def test_conflictqa_both_ways():
    row = {"question": "q?", "memory_answer": "No.", "counter_answer": "Yes.",
           "parametric_memory": " It is not.", "counter_memory": "It is."}  # fmt: skip
    follows, against = conflict.conflictqa([row], "counter document")
    assert (follows.documents, follows.response, against.response) == (("It is.",), "Yes.", "No.")
    assert follows.meta["supported"]
    assert not against.meta["supported"]
    follows, against = conflict.conflictqa([row], "memory document")
    assert (follows.documents, follows.response) == (("It is not.",), "No.")
    assert conflict.conflictqa([{**row, "memory_answer": "Yes."}], "counter document") == []


def test_known_facts_get_another_attribute_of_their_relation(rng):
    def fact(i, prompt, attribute, relation):
        return {"known_id": i, "prompt": prompt, "attribute": attribute, "relation_id": relation}

    rows = [fact(0, "X lies in", "Rome", "r"), fact(1, "Y lies in", "Oslo", "r"),
            fact(2, "Z is", "lone", "s")]  # fmt: skip
    made = conflict.known(rows, rng)
    assert [r.id for r in made] == ["k0-follows", "k0-against", "k1-follows", "k1-against"]
    assert made[0].documents == ("X lies in Oslo.",)
    assert [r.response for r in made] == ["Oslo", "Rome", "Rome", "Oslo"]


def test_win_rate_counts_ties_half_and_lone_answers_not_at_all(rng):
    row = {"question": "q?", "memory_answer": "No.", "counter_answer": "Yes.",
           "parametric_memory": "It is not.", "counter_memory": "It is."}  # fmt: skip
    records = conflict.conflictqa([row] * 4, "counter document")
    found = answers(records[:-1], fake_run(records, rng))
    numbers = conflict.judged(found, 10)
    assert numbers["questions"] == 3
    assert numbers["scores"]["support"]["win_rate"] == [1.0, 1.0, 1.0]
    assert numbers["scores"]["support"]["auroc"] == [1.0, 1.0, 1.0]
    assert numbers["scores"]["pointer"]["win_rate"] == [0.5, 0.5, 0.5]
    page = conflict.page({"date": "d", "replicates": 10, "observers": {"o": {"s": numbers}}})
    assert "| support | 1.000 [1.000, 1.000] | 1.000 [1.000, 1.000] |" in page
