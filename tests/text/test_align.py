"""Alignment: joint tokens, one response under both laws, offsets that leave nothing out."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from text.toy_tokenizers import byte_level, dropping, space_adding

from flowgauge.errors import AlignmentError
from flowgauge.models import TabularModel, load_model
from flowgauge.records import Record
from flowgauge.text import Composition, Omit, PlainTemplate, align, align_prefixes

STORIES = None


def stories():
    global STORIES
    STORIES = STORIES or load_model("stories-260k")
    return STORIES


def composed(prompt, reference, source="prompt", documents=()):
    return Composition(prompt=prompt, reference=reference, documents=documents, source=source)


def aligned(prompt, reference, response, tokenizer, **more):
    return align("r", composed(prompt, reference, **more), response, tokenizer)


def covered(offsets, length):
    """Characters that no token covers."""
    seen = np.zeros(length, dtype=bool)
    for start, end in offsets:
        seen[start:end] = True
    return np.flatnonzero(~seen).tolist()


TOKENIZERS = {
    "bytes": byte_level(),
    "merging": byte_level([("a", "b"), ("Ċ", "Ċ"), ("Ġ", "a"), ("b", "ab")]),
    "trimming": byte_level([("Ġ", "a"), ("Ġ", "Ġ")], trim=True),
    "bos": byte_level([("a", "b")], bos=True, adds_bos=True),
}
TEXTS = st.text(alphabet="ab .\n😀é", max_size=12)


@pytest.mark.parametrize("name", sorted(TOKENIZERS))
@settings(derandomize=True, deadline=None, max_examples=150)
@given(prompt=TEXTS, reference=TEXTS, response=TEXTS.filter(lambda t: t.strip()))
def test_tokens_are_those_of_the_joint_text_and_cover_the_response(
    name, prompt, reference, response
):
    tokenizer = TOKENIZERS[name]
    found = aligned(prompt, reference, response, tokenizer)
    bos = [tokenizer.bos_id] if tokenizer.adds_bos else []
    for prefix, law in ((prompt, found.prompt_ids), (reference, found.reference_ids)):
        joint = [*bos, *tokenizer.tokenize(prefix + response).ids.tolist()]
        mine = [*law.tolist(), *found.response_ids.tolist()]
        if not any("boundary forced" in n for n in found.notes):
            assert mine == joint
        else:  # encoded apart, but the response's tokens are still a joint text's
            assert law.tolist() == [*bos, *tokenizer.tokenize(prefix).ids.tolist()] or (
                found.left_out
            )
    if not found.left_out:
        assert covered(found.offsets, len(response)) == []
    assert (found.offsets[:, 0] <= found.offsets[:, 1]).all()
    assert found.offsets.min(initial=0) >= 0
    assert len(found.offsets) == len(found.response_ids)
    assert len(found.prompt_part) == len(found.prompt_offsets) == len(found.prompt_ids)


def test_an_emoji_split_over_tokens_keeps_its_character():
    found = aligned("p ", "", "x😀y", byte_level(bos=True))
    # 😀 has four bytes, so four tokens, each of the one character at 1.
    assert found.offsets.tolist() == [[0, 1], *[[1, 2]] * 4, [2, 3]]


def test_an_emoji_split_between_prompt_and_response_is_not_torn():
    found = aligned("a😀", "b😀", "😀c", byte_level(bos=True))
    assert found.offsets.tolist() == [*[[0, 1]] * 4, [1, 2]]
    assert len(found.prompt_ids) == len(found.reference_ids) == 5


def test_a_merge_on_both_sides_is_kept_and_said():
    tokenizer = byte_level([("Ċ", "Ċ")], bos=True)
    found = aligned("doc\nq\n", "q\n", "\nb", tokenizer)
    both = tokenizer.id_of("ĊĊ")
    assert found.response_ids[0] == both
    assert found.offsets.tolist() == [[0, 1], [1, 2]]
    (note,) = found.notes
    assert "boundary merged" in note
    assert r"'\n'" in note
    assert found.prompt_ids.tolist() == tokenizer.tokenize("doc\nq").ids.tolist()


@pytest.mark.parametrize(
    ("prompt", "reference", "response"),
    [("xa", "x", "bc"), ("x", "xa", "bc"), ("xa", "ya ", "bc"), ("a", "", "b")],
)
def test_a_merge_on_one_side_is_forced_apart_and_said(prompt, reference, response):
    tokenizer = byte_level([("a", "b")], bos=True)
    found = aligned(prompt, reference, response, tokenizer)
    assert any("boundary forced" in n for n in found.notes)
    assert found.response_ids.tolist() == tokenizer.tokenize(response).ids.tolist()
    assert found.offsets[0].tolist() == [0, 1]
    text = tokenizer.inner.decode(found.prompt_ids.tolist())
    assert text == prompt


def test_merges_that_differ_are_forced_to_the_response_alone():
    tokenizer = byte_level([("a", "b"), ("x", "b")], bos=True)
    found = aligned("qa", "qx", "bc", tokenizer)
    assert found.response_ids.tolist() == [tokenizer.id_of("b"), tokenizer.id_of("c")]
    assert tokenizer.inner.decode(found.reference_ids.tolist()) == "qx"


def test_a_tokenizer_that_adds_a_space_scores_the_joint_tokens_under_both_laws():
    tokenizer = space_adding(bos=True)
    found = aligned("a b", "", "a", tokenizer)
    # Apart, "a" would be "▁a"; the model sees "a" after "a b".
    joint = tokenizer.tokenize("a ba").ids.tolist()
    assert [*found.prompt_ids[1:].tolist(), *found.response_ids.tolist()] == joint
    assert found.response_ids.tolist() == [tokenizer.id_of("a")]
    assert found.reference_ids.tolist() == [tokenizer.bos_id]


def test_the_bos_token_is_added_once():
    tokenizer = byte_level(bos=True, adds_bos=True)
    bos = tokenizer.bos_id
    plain = aligned("p", "q", "r", tokenizer)
    assert plain.prompt_ids[0] == plain.reference_ids[0] == bos
    chat = aligned("<s>p", "<s>q", "r", tokenizer)
    assert (chat.prompt_ids == bos).sum() == (chat.reference_ids == bos).sum() == 1
    assert chat.prompt_ids.tolist() == plain.prompt_ids.tolist()


def test_a_bos_that_the_model_does_not_expect_stands_in_for_an_empty_reference():
    tokenizer = byte_level(bos=True)
    found = aligned("p", "", "ab", tokenizer)
    assert found.reference_ids.tolist() == [tokenizer.bos_id]
    assert found.prompt_ids[0] == tokenizer.bos_id
    assert found.left_out == 0
    assert any("BOS token stands before both" in n for n in found.notes)
    assert aligned("p", "q", "ab", tokenizer).prompt_ids[0] != tokenizer.bos_id


def test_without_bos_the_first_token_is_left_out_of_both_laws_and_counted():
    tokenizer = byte_level()
    found = aligned("pq", "", "abc", tokenizer)
    ids = tokenizer.tokenize("pqabc").ids.tolist()
    assert found.left_out == 1
    assert found.prompt_ids.tolist() == ids[:3]
    assert found.reference_ids.tolist() == ids[2:3]
    assert found.response_ids.tolist() == ids[3:]
    assert found.offsets.tolist() == [[1, 2], [2, 3]]
    assert any("left out of both laws" in n for n in found.notes)
    assert found.prompt_part.tolist() == [-1, -1, -1]


def test_one_token_without_bos_leaves_nothing_to_score():
    found = aligned("pq", "", "a", byte_level())
    assert found.left_out == 1
    assert len(found.response_ids) == len(found.offsets) == 0


def test_a_law_for_the_empty_context_needs_neither_bos_nor_a_lost_token():
    model = TabularModel.random(sources=2, vocabulary=3, length=2, seed=0)
    found = aligned("1", "", "ab", model)
    assert found.reference_ids.tolist() == []
    assert found.left_out == 0
    assert found.response_ids.tolist() == [0, 1]


@pytest.mark.parametrize("response", [" a", "  a", "\na", "a ", "a\n\n", "\n", " a  a "])
def test_white_space_that_a_tokenizer_trims_is_still_covered(response):
    tokenizer = byte_level([("Ġ", "a")], trim=True, bos=True)
    found = aligned("pp", "q", response, tokenizer)
    assert covered(found.offsets, len(response)) == [], found.offsets
    assert found.response_ids.tolist() == tokenizer.tokenize("q" + response).ids.tolist()[1:]


@pytest.mark.parametrize(("response", "start"), [("a7b", 1), ("ab7", 2), ("7ab", 0)])
def test_characters_that_a_tokenizer_drops_are_an_error(response, start):
    with pytest.raises(AlignmentError, match=rf"leave out characters {start} to .*dropped '7'"):
        aligned("p", "q", response, dropping())


def test_a_response_without_tokens_is_an_error():
    model = TabularModel.random(sources=2, vocabulary=3, length=2, seed=0)
    with pytest.raises(AlignmentError, match="'XYZ' has no token"):
        aligned("1", "", "XYZ", model)
    with pytest.raises(AlignmentError, match="has no token"):
        aligned("p", "q", "", byte_level())


@pytest.mark.parametrize("hostile", ["</s>", "<s>", "<s></s><s>", "x<s>y"])
def test_special_tokens_in_the_text_are_read_by_both_laws_alike(hostile):
    tokenizer = byte_level([("a", "b")], bos=True, adds_bos=True)
    found = aligned(f"{hostile} ok", "ok", f"ab{hostile}c", tokenizer)
    joint = [tokenizer.bos_id, *tokenizer.tokenize(f"{hostile} okab{hostile}c").ids.tolist()]
    ids = [*found.prompt_ids.tolist(), *found.response_ids.tolist()]
    assert ids == joint
    assert covered(found.offsets, len(f"ab{hostile}c")) == []
    assert found.response_ids.tolist() == tokenizer.tokenize(f"ab{hostile}c").ids.tolist()


def test_a_prompt_that_begins_with_bos_text_does_not_cost_the_reference_its_own():
    tokenizer = byte_level(bos=True, adds_bos=True)
    found = aligned("<s>p", "q", "r", tokenizer)
    assert found.reference_ids[0] == tokenizer.bos_id
    assert found.prompt_ids[0] == tokenizer.bos_id


def test_document_offsets_point_at_the_very_characters():
    documents = ("One 😀 dog.", "  ", "Two cats")
    record = Record(id="r", question="Who?", documents=documents, response="Dogs.")
    for tokenizer in (stories(), byte_level(bos=True, adds_bos=True), byte_level([("o", "g")])):
        composition = PlainTemplate().compose(record, Omit())
        found = align("r", composition, record.response, tokenizer)
        bos = int(tokenizer.bos_id is not None and found.prompt_ids[0] == tokenizer.bos_id)
        offsets = tokenizer.tokenize(composition.prompt).offsets
        for k, document in enumerate(documents):
            mine = found.prompt_offsets[found.prompt_part == k]
            if not document.strip():
                assert len(mine) == 0
                continue
            assert covered(mine, len(document)) == []
            for i in np.flatnonzero(found.prompt_part == k):
                start, end = found.prompt_offsets[i]
                a, b = offsets[i - bos]
                # A token that only begins or ends outside the document is cut at its border.
                assert document[start:end] in composition.prompt[a:b]
        outside = found.prompt_part == -1
        assert not found.prompt_offsets[outside].any()


def test_prompt_and_response_without_a_space_between_them_are_remarked():
    found = aligned("the dog", "", "ran", byte_level(bos=True))
    assert any("stand together without a space" in n for n in found.notes)
    found = aligned("the dog", "", " ran", byte_level(bos=True))
    assert not any("stand together" in n for n in found.notes)


@pytest.mark.parametrize(
    "response", [" The dog.", "\nThe", "\n\n The", "x", " ", "😀", "Ünï – “q”", "a" * 300]
)
def test_the_story_model_reads_the_joint_text(response):
    lm = stories()
    found = aligned("Once there was a dog.\n", "was\n", response, lm)
    assert covered(found.offsets, len(response)) == []
    joint = lm.tokenize("Once there was a dog.\n" + response).ids.tolist()
    assert [*found.prompt_ids[1:].tolist(), *found.response_ids.tolist()] == joint
    assert found.notes == ()


def before(prompt, reference, tokenizer, **more):
    return align_prefixes("r", composed(prompt, reference, **more), tokenizer)


@pytest.mark.parametrize("name", sorted(TOKENIZERS))
@settings(derandomize=True, deadline=None, max_examples=100)
@given(prompt=TEXTS, reference=TEXTS)
def test_what_stands_before_a_response_is_the_prefixes_own_tokens(name, prompt, reference):
    tokenizer = TOKENIZERS[name]
    bos = [tokenizer.bos_id] if tokenizer.adds_bos else []
    if not bos and not (prompt and reference):
        with pytest.raises(AlignmentError, match="no token before the response"):
            before(prompt, reference, tokenizer)
        return
    found = before(prompt, reference, tokenizer)
    assert found.prompt_ids.tolist() == [*bos, *tokenizer.tokenize(prompt).ids.tolist()]
    assert found.reference_ids.tolist() == [*bos, *tokenizer.tokenize(reference).ids.tolist()]
    assert found.response_ids.shape == (0,)
    assert found.offsets.shape == (0, 2)
    assert len(found.prompt_part) == len(found.prompt_offsets) == len(found.prompt_ids)
    assert (found.left_out, found.record_id) == (0, "r")


def test_what_stands_before_a_response_is_what_stands_before_a_given_one():
    documents = ("One 😀 dog.", "Two cats")
    record = Record(id="r", question="Who?\n", documents=documents, response="Dogs.")
    for tokenizer in (stories(), byte_level(bos=True, adds_bos=True), byte_level()):
        composition = PlainTemplate().compose(record, Omit())
        alone = align_prefixes("r", composition, tokenizer)
        given_one = align("r", composition, record.response, tokenizer)
        for name in ("prompt_ids", "reference_ids", "prompt_part", "prompt_offsets"):
            assert np.array_equal(getattr(alone, name), getattr(given_one, name)), name
        assert alone.notes == given_one.notes == ()


def test_a_response_to_come_needs_something_before_it_under_both_laws():
    with_bos = byte_level(bos=True)
    found = before("p", "", with_bos)
    assert found.reference_ids.tolist() == [with_bos.bos_id]
    assert found.prompt_ids[0] == with_bos.bos_id
    assert any("BOS token stands before both" in n for n in found.notes)
    assert before("", "", with_bos).prompt_ids.tolist() == [with_bos.bos_id]
    for prompt, reference in (("p", ""), ("", "q"), ("", "")):
        with pytest.raises(AlignmentError, match="give an instruction or a question beside"):
            before(prompt, reference, byte_level())
    model = TabularModel.random(sources=2, vocabulary=3, length=2, seed=0)
    assert before("", "", model).prompt_ids.tolist() == []


def test_the_bos_token_stands_once_before_a_response_to_come():
    tokenizer = byte_level(bos=True, adds_bos=True)
    chat, plain = before("<s>p", "<s>q", tokenizer), before("p", "q", tokenizer)
    assert chat.prompt_ids.tolist() == plain.prompt_ids.tolist()
    assert (chat.reference_ids == tokenizer.bos_id).sum() == 1


def test_an_empty_source_is_remarked_before_a_response_to_come():
    found = before("q", "q", byte_level(bos=True), source="nothing")
    assert found.notes == ("the source is empty, so both laws are the same",)
    assert before("q", "q", byte_level(bos=True)).notes == ()
