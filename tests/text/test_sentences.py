"""Sentences partition the response."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowgauge.text import sentence_spans

SENTENCE = st.sampled_from(
    [
        ". ",
        "! ",
        "?\n",
        "\n\n",
        "…",
        "。",
        "Dr. ",
        "e.g. ",
        "1.5 ",
        "- item\n",
        '"',
        "”",
        "\t",
        "\r\n",
    ]
)


@settings(derandomize=True, deadline=None, max_examples=300)
@given(st.lists(st.one_of(SENTENCE, st.text(max_size=6)), max_size=12).map("".join))
def test_spans_partition_any_text(text):
    spans = sentence_spans(text)
    assert "".join(text[a:b] for a, b in spans) == text
    assert all(a < b for a, b in spans)
    assert [a for a, _ in spans[1:]] == [b for _, b in spans[:-1]]
    if text:
        assert spans[0][0] == 0
    # No sentence of white space alone beside others.
    assert len(spans) < 2 or all(text[a:b].strip() for a, b in spans)


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("", []),
        (" \n ", [" \n "]),
        ("One", ["One"]),
        ("One. Two.", ["One. ", "Two."]),
        ("\n One. Two.", ["\n One. ", "Two."]),
        ("Dr. Smith left at 3.5 p.m. today. Why?", ["Dr. Smith left at 3.5 p.m. today. ", "Why?"]),
        ("One.\n\nTwo", ["One.\n\n", "Two"]),
        ("😀 yes! 😀", ["😀 yes! ", "😀"]),
    ],
)
def test_known_texts(text, sentences):
    assert [text[a:b] for a, b in sentence_spans(text)] == sentences
