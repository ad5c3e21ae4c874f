"""TabularModel against brute force: it is the oracle of others, so it has oracles of its own."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.flow import mutual_information
from oracles.tabular import Channel, random_table

from flowgauge import Sampling, TabularModel
from flowgauge.errors import DistributionError, RecordError, ShapeError
from flowgauge.models import Batch


def ids(*numbers):
    return np.array(numbers, dtype=np.int64)


def law_after(model, prefix, written=()):
    """The model's law through the protocol: states, then logits."""
    row = ids(*prefix, *written)
    batch = Batch(ids(), (row,), (len(written) + 1,))
    return torch.softmax(model.logits(model.states(batch)[0]), -1).numpy()


@settings(derandomize=True, deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 10**6),
    sources=st.integers(1, 4),
    vocab=st.integers(1, 4),
    time=st.integers(1, 4),
)
def test_directed_information_is_mutual_information(seed, sources, vocab, time):
    rng = np.random.default_rng(seed)
    table = random_table(rng, sources, vocab, time)
    prior = rng.dirichlet(np.ones(sources))
    model = TabularModel(table, prior=prior)
    joint = (prior.reshape(-1, *(1,) * time) * table).reshape(sources, -1)
    assert model.directed_information() == pytest.approx(mutual_information(joint), abs=1e-12)
    assert model.directed_information() == pytest.approx(
        Channel(table, prior=prior).directed_information(), abs=1e-12
    )
    assert model.directed_information() + 1e-12 >= 0
    assert model.directed_information() <= np.log(sources) + 1e-12
    np.testing.assert_allclose(model.joint.sum(), 1, atol=1e-12)


def test_laws_are_conditionals_of_the_table():
    rng = np.random.default_rng(0)
    table, memory = random_table(rng, 3, 3, 3), random_table(rng, 1, 3, 3)[0]
    model, channel = TabularModel(table, memory=memory), Channel(table, memory=memory)
    for prefix in [(), (0,), (2,), (0, 1), (2, 2)]:
        for source in range(3):
            wanted = channel.next_law(table[source], prefix)
            np.testing.assert_allclose(model.law(source, prefix), wanted, atol=1e-14)
            found = law_after(model, (3 + source,), prefix)
            np.testing.assert_allclose(found[-1], wanted, atol=1e-14)
            assert len(found) == len(prefix) + 1
        np.testing.assert_allclose(
            model.law(None, prefix), channel.next_law(memory, prefix), atol=1e-14
        )


def test_the_exact_marginal_is_the_default_memory():
    table = random_table(np.random.default_rng(0), 2, 2, 2)
    model = TabularModel(table, prior=np.array([0.25, 0.75]))
    wanted = Channel(0.25 * table[:1] + 0.75 * table[1:]).next_law
    np.testing.assert_allclose(
        model.law(None, (1,)), wanted(0.25 * table[0] + 0.75 * table[1], (1,)), atol=1e-14
    )


def test_the_last_digit_of_the_prompt_is_the_source_and_letters_are_scaffold():
    model = TabularModel.random(sources=3, vocabulary=3, length=2, seed=0)
    encoded = model.tokenize("Document 1: 2\n a")
    # D·o·c·u·m·e·n·t: only c is a letter of this alphabet; digits up to 2 are known.
    assert encoded.ids.tolist() == [2, 4, 5, 0]
    assert encoded.offsets.tolist() == [[2, 3], [9, 10], [12, 13], [15, 16]]
    first = law_after(model, encoded.ids)[0]
    np.testing.assert_allclose(first, model.law(2, ()), atol=1e-14)
    nothing = law_after(model, model.tokenize("abc").ids)[0]
    np.testing.assert_allclose(nothing, model.law(None, ()), atol=1e-14)


def test_a_shared_prefix_changes_nothing():
    model = TabularModel.random(sources=3, vocabulary=3, length=3, seed=0)
    whole = model.states(Batch(ids(), (ids(3, 4, 0, 1), ids(3, 4, 2)), (2, 1)))
    shared = model.states(Batch(ids(3, 4), (ids(0, 1), ids(2)), (2, 1)))
    for a, b in zip(whole, shared, strict=True):
        assert torch.equal(a, b)
    assert whole[0].dtype == torch.float64


def test_texts_are_all_pairs_of_positive_probability():
    table = np.array([[[0.5, 0.5], [0, 0]], [[0.25, 0.25], [0.25, 0.25]]])
    found = list(TabularModel(table).texts())
    assert [f[:2] for f in found] == [
        (0, "aa"), (0, "ab"), (1, "aa"), (1, "ab"), (1, "ba"), (1, "bb"),
    ]  # fmt: skip
    assert sum(p for *_, p in found) == pytest.approx(1)
    assert found[0][2] == 0.25


def test_a_certain_text_has_information_log_k():
    table = np.zeros((3, 3))
    np.fill_diagonal(table, 1)
    model = TabularModel(table)
    assert model.directed_information() == pytest.approx(np.log(3), abs=1e-15)
    assert np.isneginf(model.states(Batch(ids(), (ids(3),), (1,)))[0][0, 1].item())


def test_random_tables_are_laws_and_reproducible():
    a = TabularModel.random(sources=2, vocabulary=4, length=3, seed=1)
    b = TabularModel.random(sources=2, vocabulary=4, length=3, seed=1)
    c = TabularModel.random(sources=2, vocabulary=4, length=3, seed=2)
    assert a.fingerprint == b.fingerprint != c.fingerprint
    np.testing.assert_allclose(a.joint.sum((1, 2, 3)), 0.5, atol=1e-12)
    assert (a.joint > 0).all()
    memory = TabularModel(a.joint * 2, memory=np.full((4, 4, 4), 1 / 64))
    assert memory.fingerprint != a.fingerprint


def test_generate_draws_from_the_table():
    model = TabularModel(np.array([[[0.1, 0.2], [0.3, 0.4]], [[1.0, 0], [0, 0]]]))
    rng = np.random.default_rng(0)
    drawn = [tuple(model.generate(ids(2), 2, Sampling(), rng)) for _ in range(2000)]
    share = [drawn.count(t) / 2000 for t in [(0, 0), (0, 1), (1, 0), (1, 1)]]
    # Four standard errors of a share: 4·√(0.24/2000) = 0.044.
    np.testing.assert_allclose(share, [0.1, 0.2, 0.3, 0.4], atol=0.044)
    assert model.generate(ids(3), 5, Sampling(), rng).tolist() == [0, 0]
    assert len(model.generate(ids(2), 1, Sampling(), rng)) == 1
    again = [model.generate(ids(2), 2, Sampling(), np.random.default_rng(7)) for _ in range(2)]
    assert again[0].tolist() == again[1].tolist()


def test_a_decoder_has_the_laws_of_its_rows():
    model = TabularModel.random(sources=3, vocabulary=3, length=3, seed=0)
    prefixes = [model.tokenize(t).ids for t in ("0", "c2", "", "ab", "01")]
    sources = [0, 2, None, None, 1]
    decoder, rows = model.decoder(prefixes), [()] * 5

    def same():
        wanted = [model.law(s, r) for s, r in zip(sources, rows, strict=True)]
        found = torch.softmax(model.logits(decoder.states), -1).numpy()
        np.testing.assert_allclose(found, wanted, atol=1e-14)
        assert decoder.states.dtype == torch.float64

    same()
    assert torch.equal(decoder.step(ids(0, 1, 2, 0, 1)), decoder.states)
    rows = [(0,), (1,), (2,), (0,), (1,)]
    same()
    decoder.keep([4, 1, 2])
    rows, sources = [rows[i] for i in (4, 1, 2)], [sources[i] for i in (4, 1, 2)]
    same()
    decoder.step(ids(2, 2, 0))
    rows = [(*r, i) for r, i in zip(rows, (2, 2, 0), strict=True)]
    same()
    decoder.step(ids(0, 0, 0))
    # At the end of the table nothing is known of what comes.
    np.testing.assert_allclose(torch.softmax(decoder.states, -1).numpy(), 1 / 3, atol=1e-15)


def test_a_table_ends_without_a_token_and_writes_letters():
    model = TabularModel.random(sources=2, vocabulary=3, length=2, seed=0)
    assert model.end_ids == ()
    assert model.detokenize([2, 0, 1]) == "cab"
    assert model.detokenize(ids()) == ""


def test_what_it_cannot_do_it_says():
    model = TabularModel.random(sources=2, vocabulary=3, length=2, seed=0)
    with pytest.raises(RecordError, match="more than 2 tokens, the length of this table"):
        model.law(0, (0, 1))
    with pytest.raises(RecordError, match="a table has no chat template; got 1 messages"):
        model.chat([{"role": "user", "content": "hi"}])
    with pytest.raises(RecordError, match=r"a table is sampled plainly, .*temperature=0\.5"):
        model.generate(ids(3), 2, Sampling(temperature=0.5), np.random.default_rng(0))
    assert model.fast() is None


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (([[0.9, 0.2]],), DistributionError, "table"),
        (([[-0.1, 1.1]],), DistributionError, "table"),
        (([[np.nan, 1]],), DistributionError, "table"),
        ((np.full((2, 2, 3), 1 / 6),), ShapeError, r"has the shape \(2, 2, 3\)"),
        ((np.full((11, 2), 0.5),), ShapeError, "at most 10 sources and 26 tokens"),
        ((np.full((1, 27), 1 / 27),), ShapeError, "at most 10 sources and 26 tokens"),
        (([0.5, 0.5],), ShapeError, r"has the shape \(2,\)"),
        (([[0.5, 0.5]], [0.5, 0.5]), ShapeError, "the table has 1 sources"),
        (([[0.5, 0.5]], [0.9]), DistributionError, "prior"),
        (([[0.5, 0.5]], None, [0.5, 0.4]), DistributionError, "memory"),
        (([[0.5, 0.5]], None, [1 / 3] * 3), ShapeError, r"memory has the shape \(3,\)"),
        (([[[0.25] * 2] * 2], None, [[0.5, 0.5], [0.5, 0.5]]), DistributionError, "memory"),
    ],
)
def test_no_table_no_model(arguments, error, message):
    with pytest.raises(error, match=message):
        TabularModel(*[None if a is None else np.array(a) for a in arguments])
