"""The whole pipeline on channels small enough to enumerate: theory §§1–3 to 1e-12.

Everything is float64 and sums at most a few hundred terms of size about 1, so 1e-12 leaves three
digits for rounding.
"""

import numpy as np
import pytest
from pipeline.worlds import every_record, letters, world

from flowgauge import Author, Record, Sampling, Settings, TabularModel, measure
from flowgauge.records import ORDERS

EXACT = 1e-12


def table_of(run, *columns):
    rows = run.table("records").to_pylist()
    return {name: np.array([r[name] for r in rows], dtype=float) for name in columns}


def probabilities(channel, table):
    """Of each (source, text) under a (source, text) table."""
    return np.array([table[(s, *t)] for s, t in channel.pairs()])


@pytest.mark.parametrize("seed", range(3))
def test_every_column_is_its_definition(seed):
    model, channel = world(seed, memory=True)
    run = measure(every_record(channel), model)
    for source, text in channel.pairs():
        item = run[f"{source}-{letters(text)}"]
        wanted = channel.columns(source, text, ORDERS)
        for name in ("log_p", "log_q", "drift", "entropy_p", "entropy_q"):
            np.testing.assert_allclose(item.columns[f"{name}_nats"], wanted[name], atol=EXACT)
        np.testing.assert_allclose(item.variance, wanted["variance"], atol=EXACT)
        np.testing.assert_allclose(item.flow.log_moments, wanted["log_moments"], atol=EXACT)
        density = wanted["log_p"] - wanted["log_q"]
        np.testing.assert_allclose(item.density, density, atol=EXACT)
        np.testing.assert_allclose(item.columns["flow_nats"], np.cumsum(density), atol=EXACT)
        np.testing.assert_allclose(
            item.columns["compensator_nats"], np.cumsum(wanted["drift"]), atol=EXACT
        )
        record = item.record
        assert record["flow_nats"] == pytest.approx(sum(density), abs=EXACT)
        assert record["flow_fraction"] == pytest.approx(sum(density) / -sum(wanted["log_q"]))
        assert record["surprisal_p_nats"] == pytest.approx(-sum(wanted["log_p"]), abs=EXACT)
        assert record["variance_nats2"] == pytest.approx(sum(wanted["variance"]), abs=EXACT)
        residual = (sum(density) - sum(wanted["drift"])) / np.sqrt(sum(wanted["variance"]))
        assert record["residual"] == pytest.approx(residual, abs=1e-9)
        for law, table in (("p", channel.table[source]), ("q", channel.memory)):
            best = run.table("tokens")[f"alternatives_{law}"].to_pylist()
            at = [r["id"] for r in run.table("tokens").to_pylist()].index(record["id"])
            for j in range(channel.time):
                shown = best[at + j]
                wanted_law = channel.next_law(table, text[:j])
                order = np.argsort(-wanted_law)
                assert [a["text"] for a in shown] == [letters([i]) for i in order]
                np.testing.assert_allclose(
                    [a["log_p"] for a in shown], np.log(wanted_law[order]), atol=EXACT
                )


@pytest.mark.parametrize("prior", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_mean_flow_and_mean_compensator_are_directed_information(seed, prior):
    model, channel = world(seed, prior=prior)
    run = measure(every_record(channel), model)
    found = table_of(run, "flow_nats", "compensator_nats", "variance_nats2")
    weights = probabilities(channel, channel.prior.reshape(-1, 1, 1, 1) * channel.table)
    assert weights.sum() == pytest.approx(1, abs=EXACT)
    wanted = channel.directed_information()
    assert wanted > 0.1
    assert weights @ found["flow_nats"] == pytest.approx(wanted, abs=EXACT)
    assert weights @ found["compensator_nats"] == pytest.approx(wanted, abs=EXACT)
    assert model.directed_information() == pytest.approx(wanted, abs=EXACT)
    martingale = found["flow_nats"] - found["compensator_nats"]
    # Var M = E Σv, source by source.
    for s in range(channel.k):
        mine = weights * [p[0] == s for p in channel.pairs()]
        mine = mine / mine.sum()
        assert mine @ martingale == pytest.approx(0, abs=EXACT)
        assert mine @ martingale**2 == pytest.approx(mine @ found["variance_nats2"], abs=EXACT)


@pytest.mark.parametrize("seed", range(3))
def test_another_memory_adds_its_divergence_from_the_marginal(seed):
    model, channel = world(seed, prior=True, memory=True)
    run = measure(every_record(channel), model)
    found = table_of(run, "flow_nats", "compensator_nats")
    weights = probabilities(channel, channel.prior.reshape(-1, 1, 1, 1) * channel.table)
    wanted = channel.directed_information() + channel.memory_gap()
    assert channel.memory_gap() > 0.1
    assert weights @ found["flow_nats"] == pytest.approx(wanted, abs=EXACT)
    assert weights @ found["compensator_nats"] == pytest.approx(wanted, abs=EXACT)


@pytest.mark.parametrize("memory", [False, True])
def test_e_values_have_mean_one_under_their_nulls(memory):
    model, channel = world(5, memory=memory)
    run = measure(every_record(channel), model)
    flow = table_of(run, "flow_nats")["flow_nats"]
    under_p = probabilities(channel, channel.table)
    under_q = np.array([channel.memory[t] for _, t in channel.pairs()])
    for s in range(channel.k):
        mine = np.array([p[0] == s for p in channel.pairs()])
        assert under_p[mine] @ np.exp(-flow[mine]) == pytest.approx(1, abs=EXACT)
        assert under_q[mine] @ np.exp(flow[mine]) == pytest.approx(1, abs=EXACT)


@pytest.mark.parametrize("alpha", [0.02, 0.1, 0.3, 0.6])
def test_ville_holds_over_all_paths(alpha):
    model, channel = world(1, sources=2, vocab=3, time=5, memory=True)
    run = measure(
        every_record(channel, author=Author.OBSERVER, sampling=Sampling()),
        model,
        settings=Settings(alpha=alpha),
    )
    rows = run.table("records").to_pylist()
    hits = np.array([r["first_crossing"] is not None for r in rows])
    against = np.array([r["first_crossing_against"] is not None for r in rows])
    flows = np.array([run[r["id"]].columns["flow_nats"] for r in rows])
    # The crossing is where the flow itself first reaches log 1/alpha.
    reached = flows >= np.log(1 / alpha)
    assert hits.tolist() == reached.any(1).tolist()
    first = [r["first_crossing"] for r in rows if r["first_crossing"] is not None]
    assert first == np.argmax(reached, axis=1)[hits].tolist()
    under_p = probabilities(channel, channel.table)
    under_q = np.array([channel.memory[t] for _, t in channel.pairs()])
    for s in range(channel.k):
        mine = np.array([p[0] == s for p in channel.pairs()])
        assert under_q[mine] @ hits[mine] <= alpha
        assert under_p[mine] @ against[mine] <= alpha
        # … and the test has power where the source does speak.
        assert under_p[mine] @ hits[mine] > under_q[mine] @ hits[mine] > 0


def test_outcomes_follow_from_the_two_crossings():
    model, channel = world(1, time=4, memory=True)
    run = measure(every_record(channel), model, settings=Settings(alpha=0.3))
    seen = set()
    for row in run.table("records").to_pylist():
        crossed = (row["first_crossing"] is not None, row["first_crossing_against"] is not None)
        wanted = {
            (True, False): "driven by the source",
            (False, True): "not from this source",
            (True, True): "both",
            (False, False): "neither",
        }
        assert row["outcome"] == wanted[crossed]
        seen.add(row["outcome"])
    assert len(seen) >= 3


def test_a_source_in_a_document_measures_like_one_in_the_prompt():
    model, channel = world(2)
    prompts = measure(every_record(channel), model)
    documents = measure(
        [
            Record(
                id=f"{s}-{letters(t)}", question="?", documents=("#", str(s)), response=letters(t)
            )
            for s, t in channel.pairs()
        ],
        model,
    )
    for key in prompts:
        assert documents[key].record["source"] == "documents"
        assert documents[key].columns["log_p_nats"].tolist() == (
            prompts[key].columns["log_p_nats"].tolist()
        )


def test_a_certain_table_gives_infinite_flow_and_impossible_text_a_failed_row():
    model = TabularModel(np.array([[1.0, 0, 0], [0, 1, 0]]))
    run = measure(
        [
            Record(id="own", question="0", response="a"),
            Record(id="other", question="1", response="a"),
            Record(id="never", question="0", response="c"),
        ],
        model,
    )
    assert run["own"].record["flow_nats"] == pytest.approx(np.log(2))
    assert run["own"].record["flow_fraction"] == pytest.approx(1)
    assert run["other"].record["flow_nats"] == -np.inf
    assert run["other"].record["outcome"] == "not from this source"
    (failed,) = run.failed
    assert failed["id"] == "never"
    assert "probability 0 under both laws" in failed["reason"]
