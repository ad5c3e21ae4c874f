"""experiments/e2_semantic_flow: labels by hand, detectors and alarms against definitions."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import loops as oracle

import flowgauge as fg
from flowgauge.records import ORDERS
from flowgauge.scores import ModelLaw

sys.path.insert(0, str(Path(__file__).parents[2] / "experiments"))

from e2_semantic_flow import (
    alarms,
    compare,
    constants,
    data,
    detectors,
    generations,
    judge,
    labels,
    law,
    loops,
    others,
    pictures,
    plan,
    tables,
)
from e2_semantic_flow.written import Written, load, save

HERE = Path(plan.__file__).parent
ROUNDING = 1e-12  # sums of up to a hundred numbers of order 1
BLOCK = [1, 2, 3, 4]

few_letters = st.lists(st.integers(0, 2), max_size=30)


def written(ids, *, prompt=0, seed=0, repetition=0, has_end=False):
    """A text with these tokens, one letter each, and made-up columns."""
    rng = np.random.default_rng(seed)
    n = len(ids)
    log_p, log_q = -rng.exponential(size=n), -rng.exponential(size=n)
    return Written(
        prompt=prompt,
        repetition=repetition,
        text="".join(chr(97 + i % 26) for i in ids),
        has_end=has_end,
        ids=np.array(ids, dtype=np.int64),
        ends=np.arange(1, n + 1),
        log_p=log_p,
        log_q=log_q,
        drift=rng.exponential(size=n),
        variance=rng.exponential(size=n),
        entropy_p=rng.exponential(size=n),
        entropy_q=rng.exponential(size=n),
        log_moments=rng.normal(size=(n, len(ORDERS))),
    )


def ordinary(length, **more):
    """A text that repeats nothing."""
    return written(list(range(length)), **more)


def looping(lead, copies=4, **more):
    """A text of `lead` different tokens, then a block of four again and again."""
    return written([*range(100, 100 + lead), *BLOCK * copies], **more)


# ---------------------------------------------------------------- labels


@pytest.mark.parametrize(
    ("ids", "onset", "block"),
    [
        ([9, 8, *BLOCK * 3], 6, 4),
        ([9, *BLOCK * 3, 1, 2], 5, 4),  # the last copy is cut off
        ([7] * 12, 4, 4),  # one token again and again counts in blocks of four
        ([5, *[1, 2, 3] * 6], 7, 6),  # a period of three in blocks of six
        ([5, 3, *[1, 2, 3] * 6], 7, 6),  # the 3 before it belongs to the loop
    ],
)
def test_a_loop_and_its_onset(ids, onset, block):
    assert labels.find_loop(ids) == labels.Loop(onset=onset, block=block)


@pytest.mark.parametrize(
    "ids", [[], [1], BLOCK * 2, [7] * 11, [*BLOCK * 3, 5], [1, 2, 3, 4, 1, 2, 3, 5, 1, 2, 3, 4]]
)
def test_no_loop(ids):
    assert labels.find_loop(ids) is None


@given(few_letters)
@settings(max_examples=300, deadline=None)
def test_labels_against_definitions(ids):
    found = labels.find_loop(ids)
    wanted = oracle.ends_in_loop(ids, labels.MIN_BLOCK, labels.COPIES)
    assert (found and (found.onset, found.block)) == wanted
    somewhere = oracle.has_repeated_block(ids, labels.MIN_BLOCK, labels.COPIES)
    assert labels.repeats_somewhere(ids) == somewhere
    assert somewhere or found is None


@given(few_letters, st.integers(0, 3))
@settings(deadline=None)
def test_up_to_the_onset_only_one_copy_was_written(start, more):
    ids = [*start, *BLOCK * (labels.COPIES + more)]
    loop = labels.find_loop(ids)
    copy = ids[loop.onset - loop.block : loop.onset]
    tail = ids[loop.onset :]
    assert tail == (copy * len(tail))[: len(tail)]
    assert len(tail) >= (labels.COPIES - 1) * loop.block


def test_an_end_token_does_not_hide_a_loop():
    ids = [9, *BLOCK * 3]
    text = written([*ids, 0], has_end=True)
    assert labels.sort([text]).looping[0][1] == labels.Loop(onset=5, block=4)
    assert labels.sort([replace(text, has_end=False)]).left_out == 1


def test_texts_are_sorted():
    found = labels.sort([ordinary(20), looping(3), written([*BLOCK * 3, 50])])
    assert (len(found.looping), len(found.ordinary), found.left_out) == (1, 1, 1)
    assert found.texts == 3


# ---------------------------------------------------------------- detectors


@given(st.lists(st.integers(0, 3), min_size=1, max_size=40), st.sampled_from(detectors.WINDOWS))
@settings(max_examples=60, deadline=None)
def test_detectors_against_definitions(ids, window):
    text = written(ids)
    last = len(ids) - 1
    values = {name: score(text, window)[last] for name, score in detectors.DETECTORS.items()}
    if len(ids) < window:
        assert all(np.isnan(v) for v in values.values())
        return
    span = slice(last - window + 1, last + 1)
    near = pytest.approx
    drift, entropy = text.drift[span].mean(), text.entropy_p[span].mean()
    assert values["mean drift"] == near(drift, rel=ROUNDING)
    assert values["mean density"] == near(text.density[span].mean(), rel=1e-9)
    assert values["drift per entropy"] == near(drift / entropy, rel=ROUNDING)
    assert values["entropy"] == near(entropy, rel=ROUNDING)
    assert values["surprisal"] == near(-text.log_p[span].mean(), rel=ROUNDING)
    wanted = oracle.residual(text.density, text.drift, text.variance, window, last)
    assert values["residual from the compensator"] == near(wanted, rel=1e-9, abs=1e-9)
    wanted = oracle.repeated_count(ids, detectors.NGRAM, window, last)
    assert values["repeated 4-grams"] == near(wanted, rel=ROUNDING, abs=ROUNDING)
    assert values["repeated suffix"] == oracle.longest_repeated_suffix(ids, last)
    most = detectors.CHARACTERS_PER_TOKEN * window
    if len(ids) >= most // 2:
        assert values["compression"] == oracle.compressed(text.text, most)
    else:
        assert np.isnan(values["compression"])


@given(st.lists(st.integers(0, 3), min_size=40, max_size=80), st.integers(1, 80))
@settings(max_examples=40, deadline=None)
def test_no_detector_looks_ahead(ids, cut):
    text = written(ids)
    short = replace(
        text,
        text=text.text[:cut],
        **{
            n: getattr(text, n)[:cut]
            for n in ("ids", "ends", "log_p", "log_q", "drift", "variance", "entropy_p")
        },
    )
    for score in detectors.DETECTORS.values():
        np.testing.assert_allclose(score(short, 8), score(text, 8)[:cut], rtol=1e-9)


def test_a_window_without_variance_has_no_residual():
    text = replace(ordinary(8), variance=np.zeros(8))
    assert detectors.residual(text, 8)[-1] == 0.0


def test_the_sign_turns_scores_and_leaves_missing_ones_at_the_bottom():
    text = ordinary(12)
    up = detectors.Form(name="mean drift", window=8, sign=1)
    half = compare.Half(looping=(), ordinary=(text,))
    down = detectors.Form(name="mean drift", window=8, sign=-1)
    np.testing.assert_array_equal(
        compare.turned(compare.scored(half, up)).ordinary[0], down.score(text)
    )
    assert np.isneginf(down.score(text)[:7]).all()
    assert np.isfinite(down.score(text)[7:]).all()


# ---------------------------------------------------------------- alarms

paths = st.lists(st.lists(st.integers(0, 6), min_size=1, max_size=20), min_size=1, max_size=5)


@given(paths, st.integers(-1, 7))
def test_false_alarms_are_counted_as_crossings(texts, threshold):
    arrays = [np.array(t, dtype=float) for t in texts]
    wanted = sum(oracle.crossings(t, threshold) for t in texts)
    assert sum(len(alarms.crossings(a, threshold)) for a in arrays) == wanted
    tokens = sum(map(len, texts))
    assert alarms.rate(arrays, threshold) == pytest.approx(1000 * wanted / tokens)


@given(paths, st.sampled_from([1.0, 50.0, 100.0, 200.0, 400.0]))
@settings(max_examples=200)
def test_the_threshold_is_the_lowest_that_keeps_the_rate(texts, per_1000):
    arrays = [np.array(t, dtype=float) for t in texts]
    found = alarms.threshold_at(arrays, per_1000)
    tokens = sum(map(len, texts))

    def keeps(threshold):
        return 1000 * sum(oracle.crossings(t, threshold) for t in texts) / tokens <= per_1000

    # Scores are whole numbers here, so between them nothing changes.
    breaking = [x for x in range(6, -1, -1) if not keeps(x)]
    if breaking:
        assert found == np.nextafter(breaking[0], np.inf)
        assert keeps(found)
    else:
        assert found == min(b for t in texts for a, b in zip([-1, *t], t, strict=False) if b > a)


# ---------------------------------------------------------------- judging


def test_token_auroc_against_pairs():
    half = compare.Half(
        looping=((looping(40, prompt=1, seed=1), labels.Loop(onset=44, block=4)),),
        ordinary=(ordinary(50, prompt=1, seed=2), ordinary(60, prompt=3, seed=3)),
    )
    s = compare.scored(half, detectors.Form(name="mean drift", window=8, sign=-1))
    found = compare.token_auroc(s, np.ones((1, 2)))
    negative = np.concatenate([x[compare.FIRST :] for x in s.ordinary])
    assert found[0] == pytest.approx(oracle.share_of_pairs(s.looping[0][44:], negative))


def test_tokens_of_a_loop_meet_ordinary_ones_of_the_same_position():
    loop = labels.Loop(onset=44, block=4)
    half = compare.Half(
        looping=((looping(40, prompt=1, seed=1), loop),),
        ordinary=tuple(ordinary(n, prompt=p, seed=n) for n, p in ((50, 1), (60, 3), (44, 3))),
    )
    s = compare.scored(half, detectors.Form(name="entropy", window=8, sign=1))
    found = compare.place_auroc(s, np.array([[1.0, 1.0], [2.0, 1.0]]))
    pairs = [
        np.mean([oracle.share_of_pairs([s.looping[0][p]], [x[p]]) for p in range(44, end)])
        for x, end in zip(s.ordinary, (50, 56), strict=False)
    ]
    assert found[0] == pytest.approx(np.mean(pairs))
    assert found[1] == pytest.approx((2 * pairs[0] + pairs[1]) / 3)


def test_scores_ahead_of_an_onset_meet_ordinary_ones_at_the_same_place():
    texts = [looping(60, prompt=1, seed=i) for i in range(compare.LEAST_ONSETS)]
    loop = labels.Loop(onset=64, block=4)
    late = compare.Half(
        looping=tuple((t, loop) for t in texts),
        ordinary=(ordinary(64, prompt=1, seed=12), ordinary(20, prompt=3, seed=13)),
    )
    form = detectors.Form(name="entropy", window=8, sign=-1)
    s = compare.scored(late, form)
    found = compare.horizon_auroc(s, 8, np.ones((1, 2)))
    there = s.ordinary[0][64 - 8 - compare.PLACE :]  # the other text is too short to be compared
    mine = [x[56] for x in s.looping]
    assert found[0] == pytest.approx(oracle.share_of_pairs(mine, there))
    assert compare.onsets_at(late, 8) == compare.LEAST_ONSETS
    few = replace(late, looping=(*late.looping[1:], (texts[0], labels.Loop(onset=10, block=4))))
    assert compare.onsets_at(few, 8) == compare.LEAST_ONSETS - 1
    assert np.isnan(compare.horizon_auroc(compare.scored(few, form), 8, np.ones((1, 2)))).all()


def test_texts_are_compared_with_those_of_the_same_kind_of_prompt():
    loop = labels.Loop(onset=44, block=4)
    mine, same, other = (
        looping(40, prompt=1),
        ordinary(60, prompt=1),
        ordinary(60, prompt=1, seed=5),
    )
    same, mine = replace(same, kind="question"), replace(mine, kind="question")
    both = compare.Half(looping=((mine, loop),), ordinary=(same, replace(other, kind="documents")))
    alone = compare.Half(looping=((mine, loop),), ordinary=(same,))
    form, once = detectors.Form(name="entropy", window=8, sign=1), np.ones((1, 1))
    found = [compare.place_auroc(compare.scored(h, form), once)[0] for h in (both, alone)]
    assert found[0] == found[1]
    threshold = float(np.max(compare.scored(both, form).ordinary[1]))  # only the other one alarms
    s = compare.scored(both, form)
    wanted = judge.detection(compare.scored(alone, form), threshold, once)["foretold_by_chance"]
    assert judge.detection(s, threshold, once)["foretold_by_chance"] == wanted


def test_detection_by_hand():
    loop = labels.Loop(onset=40, block=4)
    half = compare.Half(
        looping=((ordinary(60, prompt=1), loop), (ordinary(60, prompt=3), loop)),
        ordinary=(ordinary(50, prompt=1), ordinary(50, prompt=5), ordinary(30, prompt=5)),
    )
    at = {"first": [30, 45], "second": [5], "plain": [20], "alarmed": [1, 10], "short": []}

    def path(length, ones):
        out = np.zeros(length)
        out[ones] = 1.0
        return out

    s = compare.Scored(
        half=half,
        looping=(path(60, at["first"]), path(60, at["second"])),
        ordinary=(path(50, at["plain"]), path(50, at["alarmed"]), path(30, at["short"])),
    )
    found = judge.detection(s, 1.0, np.ones((2, 3)))
    assert found["found"][0] == 0.5
    assert found["median_delay_tokens"][0] == 5.0
    assert found["false_alarms_per_1000"][0] == pytest.approx(3000 / 130, abs=1e-6)
    assert found["foretold"][0] == 0.5
    # Tokens 8 … 39 of the two ordinary texts of 40 tokens or more both hold a crossing.
    assert found["foretold_by_chance"][0] == 1.0
    assert found["foretold_minus_chance"][0] == -0.5
    assert found["median_lead_tokens"] == 10.0


def test_no_alarm_at_all():
    loop = labels.Loop(onset=40, block=4)
    half = compare.Half(looping=((ordinary(60), loop),), ordinary=(ordinary(50),))
    s = compare.scored(half, detectors.Form(name="entropy", window=8, sign=1))
    found = judge.detection(s, np.inf, np.ones((3, 1)))
    assert found["threshold"] is None
    assert found["median_delay_tokens"] == [None, None, None]
    assert found["found"][0] == 0.0
    json.dumps(found, allow_nan=False)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3)), min_size=1, max_size=9))
def test_weighted_median(pairs):
    values, weights = np.array(pairs, dtype=float).T
    copies = sorted(np.repeat(values, weights.astype(int)))
    found = judge.weighted_median(values, weights)
    if copies:
        assert found == copies[(len(copies) - 1) // 2]
    else:
        assert np.isnan(found)


def test_halves_share_no_prompt():
    condition = plan.Condition(
        model="m", sampling="low", prompts="story", count=4, repetitions=2, max_tokens=9
    )
    texts = {
        ("m", "low-story"): [
            (looping if r else ordinary)(30, prompt=i, repetition=r) for i, r in condition.texts()
        ]
    }
    its, cold_alone = loops.halves([condition], texts)
    development, test = set(its["development"].prompts), set(its["test"].prompts)
    assert (development, test) == ({0, 2}, {1, 3})
    assert not cold_alone  # two ordinary texts a half are too few to compare with them alone


def test_ordinary_texts_are_cold_alone_where_there_are_enough():
    cold = plan.Condition(
        model="m", sampling="greedy", prompts="story", count=20, repetitions=1, max_tokens=9
    )
    warm = replace(cold, sampling="warm")
    texts = {
        ("m", "greedy-story"): [ordinary(30, prompt=i) for i in range(20)],
        ("m", "warm-story"): [ordinary(30, prompt=i) for i in range(20)],
        ("m", "warm-story-model"): [ordinary(31, prompt=i) for i in range(20)],
    }
    its, cold_alone = loops.halves([cold, warm], texts)
    assert cold_alone
    assert its["test"].tokens == 300
    texts["m", "greedy-story"] = texts["m", "greedy-story"][:10]
    its, cold_alone = loops.halves([cold, warm], texts)
    assert not cold_alone
    assert its["test"].tokens == 5 * 30 + 10 * 31  # warm texts under the model's law


def test_judged_end_to_end():
    texts = [looping(60, prompt=i, seed=i) for i in range(8)]
    texts += [ordinary(90, prompt=i, seed=50 + i) for i in range(24)]
    condition = plan.Condition(
        model="m", sampling="greedy", prompts="story", count=32, repetitions=1, max_tokens=9
    )
    found = loops.of_model([condition], {("m", "greedy-story"): texts}, 20)
    json.dumps(found, allow_nan=False)
    assert found["halves"]["test"]["looping"] == 4
    # Made-up columns know nothing of the loop; repeated tokens do.
    assert found["detectors"]["repeated 4-grams"]["token_auroc"][0] > 0.8
    assert 0.2 < found["detectors"]["mean drift"]["token_auroc"][0] < 0.8
    rows = found["detectors"]["repeated suffix"]["rates"]["1"]
    assert rows["found"][0] == 1.0
    assert rows["false_alarms_per_1000"][0] == 0.0
    assert "| **mean drift** |" in tables.detection(found, "1")
    assert "| entropy |" in tables.ahead(found)


def test_without_loops_nothing_is_judged():
    condition = plan.Condition(
        model="m", sampling="greedy", prompts="story", count=4, repetitions=1, max_tokens=9
    )
    found = loops.of_model([condition], {("m", "greedy-story"): [ordinary(9)] * 4}, 20)
    assert "detectors" not in found
    assert "fewer than 3 looping texts" in found["absent"]


# ---------------------------------------------------------------- data, plan, files


def test_prompts_of_the_repository():
    documents = data.prompts("documents", data.ASSETS, quick=True)
    question = data.prompts("question", data.ASSETS, quick=True)
    assert [p.index for p in documents] == list(range(len(documents)))
    assert [p.record.question for p in documents] == [p.record.question for p in question]
    assert all(p.record.documents for p in documents)
    assert all(p.record.documents is None for p in question)
    lengths = [sum(map(len, p.record.documents)) for p in documents]
    assert lengths[0] < lengths[-1]
    stories = data.prompts("story", data.ASSETS, quick=True)
    assert len(stories) == 12
    assert all(p.record.question for p in stories)


def test_a_missing_file_says_what_to_do(tmp_path):
    for kind in ("documents", "story"):
        with pytest.raises(SystemExit, match="is missing; name the folder of data sets"):
            data.prompts(kind, tmp_path, quick=False)


def test_records_of_ragtruth_files(tmp_path):
    folder = tmp_path / "ragtruth_qa"
    folder.mkdir()
    info = {"question": "Why?", "passages": "passage 1:One.\n\npassage 2:Two.\n\n"}
    source = {"source_id": "7", "source_info": info}
    answer = {"id": "3", "source_id": "7", "response": "So."}
    (folder / "source_info.jsonl").write_text(json.dumps(source))
    (folder / "response.jsonl").write_text(json.dumps(answer))
    [prompt] = data.prompts("documents", tmp_path, quick=False)
    assert prompt.record == fg.Record(
        id="source-7", question="Why?", documents=("One.", "Two."), response=""
    )
    [record] = data.answers_of_others(tmp_path, ["source-7"])
    assert (record.id, record.response) == ("source-7-3", "So.")
    assert data.answers_of_others(tmp_path, ["source-8"]) == []


@pytest.mark.parametrize("quick", [True, False])
def test_the_plan_draws_every_text_once_with_its_own_seed(quick):
    conditions = plan.conditions(quick)
    assert len({(c.model, c.name) for c in conditions}) == len(conditions)
    seen = [(c.model, c.name, b) for c, b in plan.interleaved(conditions)]
    assert len(seen) == len(set(seen)) == sum(len(c.batches()) for c in conditions)
    for c in conditions:
        texts = [t for batch in c.batches() for t in batch]
        assert texts == c.texts()
        assert len({plan.SEED_STEP * i + r for i, r in texts}) == len(texts)
        assert c.repetitions < plan.SEED_STEP


def test_random_sampling_has_three_seeds_in_the_full_plan():
    for c in plan.conditions(False):
        assert c.repetitions >= (1 if c.sampling == "greedy" else 3)
        assert c.max_tokens >= (256 if c.sampling in plan.COLD else 128)


def test_texts_survive_the_file(tmp_path):
    texts = [looping(5, prompt=2, seed=1), ordinary(3, repetition=1, has_end=True)]
    save(texts, tmp_path / "new" / "a.parquet")
    for one, two in zip(texts, load([tmp_path / "new" / "a.parquet"]), strict=True):
        for name in Written.__slots__:
            np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["a.parquet"]


def test_reading_again_is_generating_under_the_model_law(tmp_path, monkeypatch):
    warm = plan.Condition(
        model="stories-260k", sampling="warm", prompts="story", count=2, repetitions=1, max_tokens=8
    )
    generations.generate([warm], data.ASSETS, tmp_path / "a", True, lambda _: None)
    again = generations.read(tmp_path / "a", warm, generations.OF_MODEL)
    monkeypatch.setitem(plan.LAWS, "warm", ModelLaw())
    generations.generate([warm], data.ASSETS, tmp_path / "b", True, lambda _: None)
    for one, two in zip(generations.read(tmp_path / "b", warm), again, strict=True):
        np.testing.assert_array_equal(one.ids, two.ids)
        for name in ("log_p", "log_q", "drift", "variance", "entropy_p"):
            # Two ways through a float32 model.
            np.testing.assert_allclose(getattr(one, name), getattr(two, name), atol=1e-4, rtol=1e-3)


def test_generation_goes_on_where_it_was(tmp_path):
    warm = plan.Condition(
        model="stories-260k", sampling="warm", prompts="story", count=9, repetitions=1, max_tokens=4
    )
    said = []
    generations.generate([warm], data.ASSETS, tmp_path, True, said.append)
    texts = generations.read_all([warm], tmp_path)
    drawn, again = texts["stories-260k", "warm-story"], texts["stories-260k", "warm-story-model"]
    assert len(said) == 2
    assert [t.prompt for t in drawn] == list(range(9))
    assert {t.kind for t in drawn} == {"story"}
    for one, two in zip(drawn, again, strict=True):
        np.testing.assert_array_equal(one.ids, two.ids)
        assert not np.allclose(one.log_p, two.log_p)  # another law of the same tokens
    generations.part(tmp_path, warm, 1).unlink()
    generations.generate([warm], data.ASSETS, tmp_path, True, said.append)
    assert len(said) == 3
    last = generations.read(tmp_path, warm)[-1]
    np.testing.assert_array_equal(last.ids, drawn[-1].ids)
    np.testing.assert_array_equal(last.log_p, drawn[-1].log_p)
    with pytest.raises(SystemExit, match="holds texts of another plan"):
        generations.read(tmp_path, replace(warm, repetitions=2))


# ---------------------------------------------------------------- law, constants


def test_texts_of_a_table_follow_its_law_and_greedy_ones_do_not():
    plain = law.numbers(law.report(generations.tabular("plain", 300)))
    assert plain["is_consistent"]
    assert plain["texts"] == 300
    assert plain["tokens"] == 1800
    greedy = law.numbers(law.report(generations.tabular("greedy", 300)))
    assert not greedy["is_consistent"]
    rows = [{"name": "a", "numbers": plain}, {"name": "b", "numbers": greedy}]
    table = tables.law(rows)
    assert "| a | 300 | 1,800 |" in table
    assert table.splitlines()[2].endswith("| yes |")
    assert table.splitlines()[3].endswith("| **no** |")
    json.dumps(rows, allow_nan=False)


def test_constants_say_why_there_are_none():
    few = constants.calibration([ordinary(100)] * 3, "m", "plain", "story")
    assert few["absent"].startswith("3 generations with 300 tokens came")
    assert "none: 3 generations" in tables.constants([few])


def test_constants_of_ordinary_texts():
    texts = [ordinary(100, seed=i) for i in range(40)] + [looping(30)]
    found = constants.calibration(texts, "m", "plain", "story")
    assert (found["texts_drawn"], found["looping"], found["generations"]) == (41, 1, 40)
    means = sorted(np.nanmin(detectors.mean_drift(t, constants.WINDOW)) for t in texts[:40])
    assert found["threshold_nats"] == pytest.approx(means[found["alarmed"]])
    assert found["threshold_nats"] < means[found["alarmed"]]
    cold = labels.sort([looping(30, seed=3), ordinary(50, seed=4)])
    all_found = constants.on_cold(cold, 1e9)
    assert all_found == {"cold_false_alarms_per_1000": 20.0, "cold_found": [1, 1]}
    assert constants.on_cold(cold, 0.0)["cold_found"] == [0, 1]


def test_responses_after_another_prompt():
    prompts = data.prompts("story", data.ASSETS, quick=True)
    texts = [ordinary(4, prompt=i) for i in range(3)] + [replace(ordinary(4), text="")]
    own, shifted = others.responses(texts, prompts), others.responses(texts, prompts, 1)
    assert [r.question for r in shifted[:2]] == [r.question for r in own[1:]]
    assert [r.response for r in own] == ["abcd"] * 3


# ---------------------------------------------------------------- tables, pictures, README


def test_tables_go_between_their_markers():
    text = "a <!-- x -->old<!-- /x --> b"
    once = tables.written_into(text, {"x": "| new |"})
    assert once == "a <!-- x -->\n\n| new |\n\n<!-- /x --> b"
    assert tables.written_into(once, {"x": "| new |"}) == once
    with pytest.raises(SystemExit, match="needs <!-- y --> and <!-- /y --> once each"):
        tables.written_into(text, {"y": ""})


def test_the_onset_picture():
    loop = labels.Loop(onset=84, block=4)
    texts = [(looping(80, seed=i), loop) for i in range(3)]
    others_ = tuple(ordinary(90, seed=9 + i) for i in range(4))
    halves = [
        compare.Half(looping=tuple(texts[:1]), ordinary=others_[:1]),
        compare.Half(looping=tuple(texts[1:]), ordinary=others_[1:]),
    ]
    curves = pictures.curves_of(halves)
    means = [t.drift[69:85].mean() for t, _ in texts]  # 16 tokens up to the onset, 84
    assert curves["drift"][pictures.BEFORE] == pytest.approx(np.median(means))
    means = [t.entropy_p[69:85].mean() for t in others_]
    assert curves["entropy ordinary"][pictures.BEFORE] == pytest.approx(np.median(means))
    assert np.isnan(curves["drift"][-1])  # no text goes on so far
    svg = pictures.onset_svg({"a < b": halves, "too few": halves[:1]})
    words = "".join(ElementTree.fromstring(svg).itertext())
    assert "a < b, 3 looping texts, 4 ordinary" in words
    assert "too few" not in words
    assert "script" not in svg


def test_the_readme_shows_the_results():
    result = json.loads((HERE / "results" / "result.json").read_text(encoding="utf-8"))
    readme = (HERE / "README.md").read_text(encoding="utf-8")
    assert tables.written_into(readme, tables.every(result)) == readme
    kept = json.loads((HERE / "results" / "loop_calibration.json").read_text(encoding="utf-8"))
    assert kept == result["constants"]
    for file in (HERE / "results").iterdir():
        assert file.stat().st_size <= 2**20
    wanted = {
        "min_block": labels.MIN_BLOCK,
        "copies": labels.COPIES,
        "lead": judge.LEAD,
        "alpha": law.ALPHA,
        "threshold_nats": law.THRESHOLD_NATS,
        "monitor_window": constants.WINDOW,
    }
    assert result["settings"] == wanted
