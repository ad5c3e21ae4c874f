"""Totals by document and sentence: nothing is lost, nothing counted twice."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles.lens import stirred

from flowgauge.errors import AlignmentError, SettingsError, ShapeError
from flowgauge.lens import copy_heads, direct_effects, read_lens
from flowgauge.lens.aggregate import sentence_of_tokens, sentences_in, sum_groups
from flowgauge.records import Record
from flowgauge.text import ChatTemplate, Omit, PlainTemplate, align

RECORD = Record(
    id="1",
    question="What then?",
    documents=("The dog ran. It was big! A cat sat.", "", "Lily saw a fish. She was happy."),
    response="The dog ran. Lily was happy.\n\nThe end",
)


def lens(family="llama", record=RECORD):
    lm = stirred(family)
    tokens = align(record.id, PlainTemplate().compose(record, Omit()), record.response, lm)
    return read_lens(tokens, record, lm)


@given(
    st.lists(st.tuples(st.integers(-1, 3), st.floats(-5, 5)), max_size=12),
    st.integers(1, 3),
)
def test_sums_of_groups_are_those_of_a_loop(entries, columns):
    groups = np.array([g for g, _ in entries], dtype=np.int64)
    values = np.array([[v * (c + 1) for c in range(columns)] for _, v in entries])
    values = values.reshape(len(entries), columns)
    wanted = np.zeros((4, columns))
    for group, row in zip(groups, values, strict=True):
        if group >= 0:
            wanted[group] += row
    np.testing.assert_allclose(sum_groups(values, groups, 4, axis=0), wanted, atol=1e-12)
    np.testing.assert_allclose(sum_groups(values.T, groups, 4, axis=1), wanted.T, atol=1e-12)


def test_groups_that_do_not_fit():
    with pytest.raises(ShapeError, match="2 groups were given for 3 entries"):
        sum_groups(np.zeros(3), np.zeros(2, dtype=np.int64), 1, axis=0)


def test_tokens_belong_to_the_sentence_they_begin_in():
    texts = ("One. Two", "Three")
    sentences = (*sentences_in(texts[0], 0), *sentences_in(texts[1], 1))
    assert [s.text for s in sentences] == ["One. ", "Two", "Three"]
    # " Two" starts with the white space that belongs to "One. ".
    offsets = np.array([[0, 3], [3, 4], [4, 8], [4, 5], [0, 5], [0, 0]])
    part = np.array([0, 0, 0, 0, 1, -1])
    found = sentence_of_tokens(texts, part, offsets, sentences)
    assert found.tolist() == [0, 0, 1, 0, 2, -1]


@pytest.mark.parametrize("family", ["llama", "gpt2", "mamba"])
def test_documents_are_sums_of_their_tokens(family):
    found = lens(family)
    totals = found.effects.astype(np.float64).sum(0)
    for document in range(3):
        mine = [j for j, d in enumerate(found.tokens.prompt_part) if d == document]
        assert found.documents[document] == pytest.approx(totals[mine].sum(), abs=1e-9)
    assert found.documents[1] == 0.0  # an empty document
    assert found.documents[[0, 2]].all()


def test_sentences_sum_up_to_documents():
    found = lens()
    by = found.sentences
    assert [s.text for s in by.response] == ["The dog ran. ", "Lily was happy.\n\n", "The end"]
    assert [s.text for s in by.source if s.document == 2] == ["Lily saw a fish. ", "She was happy."]
    assert [s.document for s in by.source] == [0, 0, 0, 2, 2]
    for document in range(3):
        mine = [k for k, s in enumerate(by.source) if s.document == document]
        np.testing.assert_allclose(
            by.effects[mine].sum(0), found.document_sentences[document], atol=1e-9
        )
    np.testing.assert_allclose(found.document_sentences.sum(1), found.documents, atol=1e-9)


def test_a_sentence_is_the_sum_of_its_tokens():
    found = lens()
    by, t = found.sentences, found.tokens
    rows = [
        j for j in range(len(t.prompt_ids))
        if t.prompt_part[j] == 2 and t.prompt_offsets[j, 0] < by.source[3].end - 1
    ]  # fmt: skip
    columns = [i for i in range(len(t.offsets)) if t.offsets[i, 0] < by.response[0].end - 1]
    wanted = found.totals[np.ix_(rows, columns)].sum()
    assert by.effects[3, 0] == pytest.approx(wanted, abs=1e-9)


def test_texts_and_axes_belong_together():
    found = lens()
    t = found.tokens
    assert found.effects.shape == (2, len(found.source_text), len(found.response_text))
    assert len(found.source_text) == len(t.prompt_ids) + len(t.response_ids) - 1
    assert found.effects.dtype == np.float32
    assert (found.layers, found.model) == ((0, 1), "llama")
    same = direct_effects(t, stirred("llama")).values
    np.testing.assert_array_equal(found.effects, same)


def test_top_pairs_are_the_largest_of_the_prompt():
    found = lens()
    prompt = found.totals[: len(found.tokens.prompt_ids)]
    top = found.top(5)
    np.testing.assert_allclose([link.effect for link in top], np.sort(prompt.ravel())[:-6:-1])
    for link in top:
        assert prompt[link.source, link.response] == link.effect
        assert found.source_text[link.source] == link.source_text
        assert found.response_text[link.response] == link.response_text
    assert len(found.top(10**6)) == prompt.size
    with pytest.raises(SettingsError, match="0 pairs were asked for"):
        found.top(0)


def test_without_documents_there_are_no_totals_of_them():
    found = lens(record=Record(id="2", question="Once upon", response=" a time."))
    assert found.documents.shape == (0,)
    assert found.document_sentences.shape == (0, 1)
    assert found.sentences.effects.shape == (0, 1)
    assert found.effects.any()


def test_documents_that_a_template_rewrote_cannot_be_told():
    lm = stirred("llama")
    loud = ChatTemplate(lambda messages: messages[0]["content"].upper() + "\n")
    record = replace(RECORD, documents=("abc", "def"))
    tokens = align("1", loud.compose(record, Omit()), record.response, lm)
    found = read_lens(tokens, record, lm)
    assert found.effects.any()
    for name in ("documents", "document_sentences", "sentences"):
        with pytest.raises(AlignmentError, match="the template rewrote them"):
            getattr(found, name)


@pytest.mark.real
def test_copied_words_come_from_where_they_stand(load_preset):
    """The copy heads' effects on a copied random string point at the document that holds it."""
    lm = load_preset("smollm2-135m")
    rng = np.random.default_rng(0)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    words = [" ".join("".join(rng.choice(letters, 5)) for _ in range(10)) for _ in range(3)]
    record = Record(id="1", question="Repeat it.", documents=tuple(words), response=words[1])
    tokens = align("1", ChatTemplate(lm.chat).compose(record, Omit()), record.response, lm)
    found = read_lens(tokens, record, lm, heads=copy_heads(lm).heads)
    assert found.documents.argmax() == 1
    assert found.documents[1] > 5 * abs(found.documents[[0, 2]]).max()
