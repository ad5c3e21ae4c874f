"""The pool test through `measure`: exact for any observer, by enumeration of who is the own source.

Twenty records with one response and twenty sources: were the response written without regard to
its source, each of the twenty would be the own one with probability 1/20. So the mean of the
e-values over the records is its expectation under the null, and the share of p-values below t is
their probability; no sampling is needed.
"""

import numpy as np
import pytest
from pipeline.worlds import WORDS, deaf_stories, stories, stories_about

from flowgauge import Record, Settings, TabularModel, measure
from flowgauge.scores import ScoreSettings

POOL = Settings(pool=19)


def pool_columns(run):
    rows = run.table("records").to_pylist()
    e = np.array([r["pool_e_value"] for r in rows], dtype=float)
    p = np.array([r["pool_p_value"] for r in rows], dtype=float)
    return e, p, rows


def assert_valid(e, p, tolerance):
    """Expectation of e exactly 1, P(p ≤ t) ≤ t at every t it can take."""
    assert e.mean() == pytest.approx(1, abs=tolerance)
    assert e.max() <= 20
    for k in range(1, 21):
        assert np.mean(p <= k / 20) <= k / 20
    assert set(p) <= {k / 20 for k in range(1, 21)}


def tabular_sources(response, digits="0123456789"):
    """Twenty prompts that differ as texts; two of each source of the table."""
    return [
        Record(id=f"r{i}", question="#" * (i // 10) + digits[i % 10], response=response)
        for i in range(20)
    ]


def bad_observer(seed):
    """Knows nothing: its laws have no relation to any text, and are very sure of themselves."""
    return TabularModel.random(sources=10, vocabulary=3, length=4, seed=seed, concentration=0.1)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("response", ["aaaa", "abca", "cbba", "b"])
def test_valid_with_a_bad_observer(seed, response):
    e, p, rows = pool_columns(measure(tabular_sources(response), bad_observer(seed), settings=POOL))
    assert_valid(e, p, 1e-12)
    assert e.max() > 1.5  # and it is sure of itself
    for number, row in enumerate(rows):
        assert row["pool_size"] == 19
        assert sorted([*row["pool_rows"], number]) == list(range(20))


def test_evidence_is_its_definition():
    model = bad_observer(1)
    e, p, _ = pool_columns(measure(tabular_sources("abca"), model, settings=POOL))
    likelihood = np.array([model.joint[s % 10][0, 1, 2, 0] for s in range(20)])
    np.testing.assert_allclose(e, likelihood / likelihood.mean(), rtol=1e-10)
    rank = [(likelihood >= x * (1 - 1e-12)).sum() / 20 for x in likelihood]
    np.testing.assert_allclose(p, rank)


def test_valid_with_a_real_model():
    e, p, _ = pool_columns(measure(stories_about(20), stories(), settings=POOL))
    # float32 log-likelihoods of some 20 tokens.
    assert_valid(e, p, 1e-4)


@pytest.mark.parametrize(
    "settings", [POOL, Settings(pool=19, part_rows=3, score=ScoreSettings(batch_tokens=100))]
)
def test_a_model_that_ignores_its_prompt_has_no_evidence(settings):
    """All twenty likelihoods are equal, so rounding alone must not make one the largest."""
    e, p, _ = pool_columns(measure(stories_about(20), deaf_stories(), settings=settings))
    assert p.tolist() == [1.0] * 20
    np.testing.assert_allclose(e, 1, rtol=1e-12)


def test_a_response_from_its_source_is_found():
    records = [
        Record(
            id=f"r{i}",
            question=f"Once upon a time there was a {word}. The {word}",
            response=f" was happy. The {word} ran to the big {word}. The {word} said hello.",
        )
        for i, word in enumerate(WORDS[:20])
    ]
    e, p, _ = pool_columns(measure(records, stories(), settings=POOL))
    assert np.mean(p <= 0.05) > 0.8
    assert np.median(e) > 5


def test_the_mean_over_random_pools_is_at_most_one():
    """More sources than a pool takes: which ones is drawn by the seed, not by a score."""
    rng = np.random.default_rng(0)
    means, rejected = [], []
    for seed in range(20):
        digits = "".join(str(d) for d in rng.integers(0, 10, 10))
        records = [
            Record(id=f"r{i}", question="#" * i + digits[i % 10], response="abca")
            for i in range(26)
        ]
        run = measure(records, bad_observer(3), settings=Settings(pool=19, seed=seed))
        e, p, rows = pool_columns(run)
        assert all(len(set(r["pool_rows"])) == 19 for r in rows)
        assert all(i not in r["pool_rows"] for i, r in enumerate(rows))
        means.append(e.mean())
        rejected.append(np.mean(p <= 0.05))
    # Three standard errors of the means of 20 runs.
    assert np.mean(means) <= 1 + 3 * np.std(means) / np.sqrt(20)
    assert np.mean(rejected) <= 0.05 + 3 * np.std(rejected) / np.sqrt(20) + 1e-9


def test_the_seed_chooses_the_pool_and_nothing_else_does():
    def pools(seed, response):
        records = [
            Record(id=f"r{i}", question="#" * i + str(i % 10), response=response) for i in range(26)
        ]
        run = measure(records, bad_observer(3), settings=Settings(pool=19, seed=seed))
        return [r["pool_rows"] for r in run.table("records").to_pylist()]

    assert pools(0, "abca") == pools(0, "ccba")
    assert pools(0, "abca") != pools(1, "abca")


def test_one_source_counts_once():
    records = tabular_sources("abca")
    twins = [
        Record(id=f"t{i}", question=r.question, response="bbbb") for i, r in enumerate(records)
    ]
    run = measure([*records, *twins], bad_observer(0), settings=POOL)
    for row in run.table("records").to_pylist():
        assert sorted([*row["pool_rows"], row["row"] % 20]) == list(range(20))


def test_with_fewer_than_twenty_sources_it_is_left_out_and_said():
    run = measure(tabular_sources("abca")[:19], bad_observer(0), settings=POOL)
    e, p, rows = pool_columns(run)
    assert np.isnan(e).all()
    assert np.isnan(p).all()
    assert all(r["pool_size"] is None and r["pool_rows"] is None for r in rows)
    (note,) = run.manifest["notes"]
    assert "19 counter-sources need 20 different sources and the run has 19" in note
    assert measure(tabular_sources("abca")[:19], bad_observer(0)).manifest["notes"] == []


def test_responses_without_enough_sources_of_their_kind_are_counted():
    documents = [
        Record(id=f"d{i}", question="?", documents=("#" * i + "1",), response="ab")
        for i in range(5)
    ]
    nothing = Record(id="n", response="ab")
    run = measure([*tabular_sources("abca"), *documents, nothing], bad_observer(0), settings=POOL)
    without = [r["id"] for r in run.table("records").to_pylist() if r["pool_size"] is None]
    assert without == [*(d.id for d in documents), "n"]
    (note,) = run.manifest["notes"]
    assert "left out for 6 responses" in note


def test_a_source_that_does_not_fit_is_no_counter_source():
    run = measure(stories_about(21, long=(7,)), stories(), settings=POOL)
    assert [f["id"] for f in run.failed] == ["r7"]
    for key in run:
        assert run[key].record["pool_size"] == 19
        assert 7 not in run[key].record["pool_rows"]


def test_truncation_treats_all_sources_alike():
    """Cut like the own source, a long one stays exchangeable with the others."""
    run = measure(
        stories_about(20, long=(7, 11)), stories(), settings=Settings(pool=19, truncate=True)
    )
    assert run.failed == []
    e, p, rows = pool_columns(run)
    for number, row in enumerate(rows):
        assert sorted([*row["pool_rows"], number]) == list(range(20))
    assert_valid(e, p, 1e-4)


def test_impossible_under_every_source_says_nothing():
    table = np.zeros((10, 3))
    table[:, 0] = 1
    records = [*tabular_sources("a"), Record(id="never", question="##3", response="b")]
    run = measure(records, TabularModel(table), settings=POOL)
    assert [f["id"] for f in run.failed] == ["never"]
    assert len(run) == 20
