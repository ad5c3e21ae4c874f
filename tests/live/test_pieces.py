"""Characters are given out once they are complete, and each token knows its own."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from text.toy_tokenizers import byte_level_tokenizer

from flowgauge.live.pieces import REPLACEMENT, Pieces
from flowgauge.models import load_model

STORIES = None
FIRST_BYTE, FIRST_WORD = 3, 259  # of the bundled tokenizer: bytes, then merged pieces


def stories():
    global STORIES
    STORIES = STORIES or load_model("stories-260k")
    return STORIES


class ByteLevel:
    """A byte-level tokenizer as `Pieces` needs it: one token a byte."""

    def __init__(self):
        self.inner = byte_level_tokenizer()

    def detokenize(self, ids):
        return self.inner.decode(list(ids), skip_special_tokens=False)


def fed(lm, ids):
    """Pieces after all ids, and what each gave out."""
    pieces = Pieces(lm)
    given = [pieces.add(int(i)) for i in ids]
    given.append(pieces.end())
    return pieces, given


def check(pieces, given, ids):
    """What is true of any tokens whatever."""
    assert "".join(given) == pieces.text
    assert pieces.offsets.shape == (len(ids), 2)
    start, end = pieces.offsets.T
    assert (start <= end).all()
    assert (np.diff(start) >= 0).all()
    assert (np.diff(end) >= 0).all()
    if len(ids):
        assert start[0] == 0
        assert end[-1] == len(pieces.text)
        # No character is left out: each token begins where one before it ended, or shares it.
        assert all(s in (e, t) for s, e, t in zip(start[1:], end[:-1], start[:-1], strict=True))
    assert pieces.end() == ""


TEXT = st.text(alphabet="ab .\n😀é漢�Once", max_size=20)


@settings(derandomize=True, deadline=None, max_examples=150)
@given(text=TEXT)
def test_a_text_comes_back_with_the_characters_of_each_token(text):
    lm = stories()
    encoding = lm.tokenize(text)
    pieces, given = fed(lm, encoding.ids)
    check(pieces, given, encoding.ids)
    assert pieces.text == lm.detokenize(encoding.ids)
    assert pieces.text == text
    shown = [text[a:b] for a, b in pieces.offsets]
    wanted = [text[a:b] for a, b in encoding.offsets]
    for i, (mine, its) in enumerate(zip(shown, wanted, strict=True)):
        # A replacement mark that stands in the text waits for what follows it, and the space
        # that the tokenizer puts before a text is no character of it.
        is_space = i == 0 and mine == ""
        assert mine == its or is_space or (REPLACEMENT in mine and its in mine)


BYTE_RUNS = st.one_of(
    st.text(alphabet="é漢😀", min_size=1, max_size=2).map(str.encode),
    st.text(alphabet="é漢😀", min_size=1, max_size=1).map(lambda c: c.encode()[:-1]),
    st.just(b"\x80"),
)
WORDS = st.lists(st.integers(FIRST_WORD, 511), min_size=1, max_size=3)


@settings(derandomize=True, deadline=None, max_examples=100)
@given(parts=st.lists(st.tuples(BYTE_RUNS, WORDS), max_size=4), last=BYTE_RUNS)
def test_the_text_is_that_of_all_tokens_at_once(parts, last):
    """Words, whole characters in bytes, and bytes that are no character."""
    lm = stories()
    ids = []
    for run, words in parts:
        ids += [*(FIRST_BYTE + b for b in run), *words]
    ids += [FIRST_BYTE + b for b in last]
    pieces, given = fed(lm, ids)
    check(pieces, given, ids)
    assert pieces.text == lm.detokenize(ids)


@settings(derandomize=True, deadline=None, max_examples=150)
@given(ids=st.lists(st.integers(0, 511), max_size=12))
def test_any_tokens_whatever_have_offsets(ids):
    """Bytes that turn out to be no character do not take back what was given out before."""
    lm = stories()
    pieces, given = fed(lm, ids)
    check(pieces, given, ids)
    if all(i < FIRST_BYTE or i >= FIRST_WORD for i in ids):
        assert pieces.text == lm.detokenize(ids)


@settings(derandomize=True, deadline=None, max_examples=150)
@given(data=st.binary(max_size=12))
def test_any_bytes_of_a_byte_level_tokenizer(data):
    lm = ByteLevel()
    ids = [lm.inner.token_to_id(t) for t in _letters(data)]
    pieces, given = fed(lm, ids)
    check(pieces, given, ids)
    assert pieces.text == lm.detokenize(ids) == data.decode(errors="replace")


def _letters(data):
    """The letter of each byte in a byte-level vocabulary."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [b for b in range(256) if b not in printable]
    return [chr(b) if b in printable else chr(256 + others.index(b)) for b in data]


def test_an_emoji_split_over_tokens_is_given_out_whole():
    lm = stories()
    ids = lm.tokenize("a😀b").ids
    pieces = Pieces(lm)
    assert [pieces.add(int(i)) for i in ids] == ["a", "", "", "", "😀", "b"]
    assert pieces.offsets.tolist() == [[0, 1], *[[1, 2]] * 4, [2, 3]]


def test_an_unfinished_emoji_is_given_out_at_the_end():
    lm = stories()
    ids = lm.tokenize("a😀").ids[:-2]
    pieces = Pieces(lm)
    assert [pieces.add(int(i)) for i in ids] == ["a", "", ""]
    assert pieces.text == "a"
    assert len(pieces.offsets) == 1
    assert pieces.end() == REPLACEMENT * 2
    assert pieces.offsets.tolist() == [[0, 1], [1, 3], [1, 3]]


def test_a_look_at_the_end_does_not_disturb_what_goes_on():
    lm = stories()
    ids = lm.tokenize("a😀b").ids
    pieces = Pieces(lm)
    for i in ids:
        pieces.add(int(i))
        look = pieces.ended()
        assert len(look.offsets) == len(look._ids)
        assert look.text.startswith(pieces.text)
    assert pieces.text == "a😀b"
    assert pieces.offsets.tolist() == [[0, 1], *[[1, 2]] * 4, [2, 3]]


@pytest.mark.parametrize("text", ["Once upon a time", "a  b", "\n\n x", "a b  ", "Lily's dog."])
def test_spaces_between_words_stay(text):
    lm = stories()
    pieces, given = fed(lm, lm.tokenize(text).ids)
    assert pieces.text == text
    assert all(given[1:-1])


def test_nothing_is_nothing():
    pieces, given = fed(stories(), [])
    assert (pieces.text, given) == ("", [""])
    assert pieces.offsets.shape == (0, 2)


def test_the_model_names_its_end_tokens_and_shows_special_ones():
    lm = stories()
    assert lm.end_ids == (1, 2)
    assert lm.detokenize([1]) == "<s>"
    assert lm.detokenize(np.array([], dtype=np.int64)) == ""
