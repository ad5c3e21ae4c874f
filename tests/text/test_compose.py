"""Composition: what each law reads, where the documents stand, what `omit` leaves."""

import pytest

from flowgauge.errors import RecordError
from flowgauge.records import Record, Turn
from flowgauge.text import (
    ChatTemplate,
    Omit,
    PlainTemplate,
    source_key,
    source_of,
    truncate_documents,
    with_source_of,
)

DIALOGUE = (Turn(role="user", content="Hi"), Turn(role="assistant", content="Hello"))


def chatml(messages):
    said = "".join(f"<|{m['role']}|>{m['content']}<|end|>\n" for m in messages)
    return f"{said}<|assistant|>"


def stripping(messages):
    return chatml([{**m, "content": m["content"].strip()} for m in messages])


def shouting(messages):
    return chatml([{**m, "content": m["content"].upper()} for m in messages])


CHAT = ChatTemplate(chatml)
PLAIN = PlainTemplate()


def record(**fields):
    return Record(**{"id": "r", "response": "x", **fields})


@pytest.mark.parametrize("template", [PLAIN, CHAT, ChatTemplate(stripping)])
def test_document_spans_hold_the_documents(template):
    documents = ("One dog.", " ", "  Two\ncats \n", "One dog.")
    found = template.compose(
        record(instruction=" Be brief. ", question="Who?", documents=documents), Omit()
    )
    for document, (start, end) in zip(documents, found.documents, strict=True):
        assert found.prompt[start:end] == (document if document.strip() else "")
    spans = [s for s, d in zip(found.documents, documents, strict=True) if d.strip()]
    assert spans == sorted(set(spans))
    assert found.source == "documents"


def test_a_template_that_strips_the_message_shortens_the_last_document():
    found = ChatTemplate(stripping).compose(record(documents=("One dog. \n",)), Omit())
    ((start, end),) = found.documents
    assert found.prompt[start:end] == "One dog."


def test_a_template_that_rewrites_the_documents_says_that_it_lost_them():
    found = ChatTemplate(shouting).compose(record(question="q", documents=("One dog.",)), Omit())
    assert found.documents is None
    assert "ONE DOG." in found.prompt


def test_documents_are_found_in_the_last_message_not_in_an_equal_earlier_one():
    first = PLAIN.compose(record(question="q", documents=("dog",)), Omit()).prompt
    earlier = Turn(role="user", content="Document 1: dog\n\nq")
    found = CHAT.compose(record(question="q", documents=("dog",), turns=(earlier,)), Omit())
    ((start, end),) = found.documents
    assert found.prompt[start:end] == "dog"
    assert start > found.prompt.index("<|end|>")
    assert "dog" in first


@pytest.mark.parametrize("template", [PLAIN, CHAT])
def test_omit_takes_the_documents_and_nothing_else(template):
    given = record(instruction="I", question="Q", documents=("D1", "D2"), turns=DIALOGUE)
    found = template.compose(given, Omit())
    bare = template.compose(
        record(instruction="I", question="Q", documents=(), turns=DIALOGUE), Omit()
    )
    assert found.reference == bare.prompt == bare.reference
    assert "D1" not in found.reference
    assert all(t in found.reference for t in ("I", "Q", "Hi", "Hello"))
    assert bare.source == "nothing"


@pytest.mark.parametrize("template", [PLAIN, CHAT])
@pytest.mark.parametrize("documents", [(), ("",), (" ", "\n")])
def test_documents_without_characters_make_both_laws_read_the_same(template, documents):
    found = template.compose(record(question="Q", documents=documents), Omit())
    assert found.prompt == found.reference
    assert found.source == "nothing"


def test_none_is_not_an_empty_tuple():
    found = PLAIN.compose(record(question="Q"), Omit())
    assert (found.prompt, found.reference, found.source) == ("Q", "", "prompt")


def test_a_bare_prompt_is_continued_as_it_stands():
    found = PLAIN.compose(record(question="Once  "), Omit())
    assert found.prompt == "Once  "
    assert PLAIN.compose(record(question="Q", instruction=" I\n"), Omit()).prompt == "I\n\nQ"


@pytest.mark.parametrize("template", [PLAIN, CHAT, ChatTemplate(stripping)])
def test_the_reference_of_a_dialogue_keeps_the_scaffold(template):
    found = template.compose(record(question="Q", turns=DIALOGUE), Omit())
    assert found.source == "prompt"
    assert "Hi" not in found.reference
    assert found.reference  # a law needs something to stand on
    tail = "Answer:\n" if template is PLAIN else "<|assistant|>"
    assert found.prompt.endswith(tail)
    assert found.reference.endswith(tail)


def test_a_dialogue_may_end_without_a_question():
    found = CHAT.compose(record(turns=DIALOGUE), Omit())
    assert found.prompt == "<|user|>Hi<|end|>\n<|assistant|>Hello<|end|>\n<|assistant|>"
    assert (
        PLAIN.compose(record(turns=DIALOGUE), Omit()).prompt
        == "user: Hi\n\nassistant: Hello\n\nAnswer:\n"
    )


@pytest.mark.parametrize(
    ("fields", "source"),
    [
        ({}, "nothing"),
        ({"instruction": "i"}, "prompt"),
        ({"turns": (Turn(role="user", content=""),)}, "nothing"),
        ({"turns": DIALOGUE}, "prompt"),
        ({"documents": ("",), "question": "q"}, "nothing"),
        ({"documents": ("", "d")}, "documents"),
    ],
)
def test_source_of(fields, source):
    assert source_of(record(**fields)) == source


def test_source_keys_are_equal_for_equal_sources_only():
    keys = [
        source_key(record(documents=("a", "b"), question="q")),
        source_key(record(documents=("ab",), question="q")),
        source_key(record(question="q")),
        source_key(record(instruction="q")),
        source_key(record(turns=(Turn(role="user", content="q"),))),
        source_key(record(turns=(Turn(role="system", content="q"),))),
    ]
    assert len(set(keys)) == len(keys)
    assert source_key(record(documents=("a", "b"), question="other")) == keys[0]


def test_with_source_of_swaps_the_source_alone():
    mine = record(question="Q", documents=("mine",), instruction="I")
    swapped = with_source_of(mine, record(id="s", question="other", documents=("theirs",)))
    assert (swapped.question, swapped.documents, swapped.id) == ("Q", ("theirs",), "r")
    swapped = with_source_of(record(question="Q"), record(question="other", instruction="I"))
    assert (swapped.question, swapped.instruction, swapped.response) == ("other", "I", "x")


@pytest.mark.parametrize(
    ("cut", "left"),
    [
        (0, ("abc", "", "de")),
        (1, ("abc", "", "d")),
        (2, ("abc", "", "")),
        (4, ("a", "", "")),
        (5, ("", "", "")),
    ],
)
def test_documents_are_cut_from_the_end(cut, left):
    found = truncate_documents(record(documents=("abc", "", "de")), cut)
    assert found.documents == left


def test_more_cannot_be_cut_than_there_is():
    with pytest.raises(RecordError, match=r"6 characters would have to be cut .* have 5"):
        truncate_documents(record(documents=("abc", "de")), 6)
