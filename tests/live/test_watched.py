"""A text token by token: the steps and events of monitors pushed by hand, and what ends it."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from flowgauge.errors import DistributionError, RecordError
from flowgauge.live import Change, Grounded, Meter, Monitor, note, stop
from flowgauge.live.columns import LiveColumns
from flowgauge.live.watched import END_TOKEN, MOST_TOKENS, WatchedText
from flowgauge.records import TokenScores

NUMBERS = ("log_p", "log_q", "density", "flow", "drift", "compensator", "variance", "entropy_p")
END = 0


class Bytes:
    """A tokenizer whose tokens are the bytes of UTF-8."""

    @staticmethod
    def detokenize(ids):
        return bytes(ids).decode("utf-8", errors="replace")


class Speaks(Monitor):
    """Says something of each token of some positions, and keeps what it was shown."""

    name = "speaks"
    promise = "none"
    state = {}  # noqa: RUF012

    def __init__(self, *positions, action=note):
        super().__init__(action=action)
        self.positions, self.shown = positions, []

    def observe(self, step):
        self.shown.append(step.text)
        return self._tell(step.position, "Here.") if step.position in self.positions else None

    def fresh(self):
        return type(self)(*self.positions, action=self.action)


def laws(rng, time, vocab=256):
    """Two float64 logits (time, vocab) of laws far from uniform."""
    return (torch.from_numpy(rng.normal(0, 3, (time, vocab))) for _ in range(2))


def columns_of(token):
    """One row of columns in which a token is as likely under both laws as every other."""
    flat = torch.zeros(1, 256, dtype=torch.float64)
    return LiveColumns().reduce(flat, flat, np.array([token]))


def written(text, monitors=(), **last):
    """A watched text that has taken these bytes, the last one with `last`."""
    watched = WatchedText(Bytes, monitors)
    for j, token in enumerate(text):
        more = last if j == len(text) - 1 else {}
        watched.add(token, columns_of(token), 0, end_ids=(END,), **more)
    return watched


@given(st.text(min_size=1, max_size=6), st.integers(0, 2**32 - 1))
@settings(derandomize=True, deadline=None, max_examples=25)
def test_numbers_and_events_are_those_of_monitors_pushed_by_hand(text, seed):
    ids = list(text.encode())
    p, q = laws(np.random.default_rng(seed), len(ids))
    every = LiveColumns().reduce(p, q, np.array(ids))
    monitors = [Grounded(alpha=0.3), Change(3.0)]
    watched, meter = WatchedText(Bytes, monitors), Meter()
    pushed, said = [m.fresh() for m in monitors], []
    for j, token in enumerate(ids):
        assert watched.add(token, every, j) == watched.events[len(said) :]
        said += [e for m in pushed if (e := m.update(p[j], q[j], token)) is not None]
        step = meter.read(p[j], q[j], token)
        for name in NUMBERS:
            # Both are float64; the reductions sum 256 terms in different orders.
            assert getattr(watched.steps[-1], name) == pytest.approx(getattr(step, name), abs=1e-9)
        np.testing.assert_allclose(watched.steps[-1].log_moments, step.log_moments, atol=1e-9)
    assert [(e.monitor, e.position) for e in watched.events] == [
        (e.monitor, e.position) for e in said
    ]
    for mine, other in zip(watched.monitors, pushed, strict=True):
        assert mine.state == pytest.approx(dict(other.state), abs=1e-9)
    assert watched.ids == [s.token for s in watched.steps] == ids
    assert "".join(s.text for s in watched.steps) == watched.text == text
    assert watched.stopped_by == ""
    for name in ("log_p", "drift", "log_moments", "top_p_ids", "top_q_log"):
        np.testing.assert_array_equal(getattr(watched.scores, name), getattr(every, name))
    np.testing.assert_array_equal(watched.scores.orders, every.orders)


def test_each_text_has_monitors_of_its_own():
    monitor = Speaks(0)
    one, two = written(b"ab", [monitor]), written(b"c", [monitor])
    assert (monitor.shown, one.monitors[0].shown, two.monitors[0].shown) == ([], ["a", "b"], ["c"])
    assert [e.position for e in one.events] == [0]


CUT = "é😀".encode()[:-1]  # the last character lacks a byte


def test_characters_come_when_they_are_complete():
    assert [s.text for s in written("é😀".encode()).steps] == ["", "é", "", "", "", "😀"]
    going = written(CUT)
    assert (going.text, going.stopped_by) == ("é", "")


def test_an_end_token_gives_out_what_is_left():
    watched = written(bytes([*CUT, END]), [Speaks(5)])
    assert watched.stopped_by == END_TOKEN
    assert [s.text for s in watched.steps] == ["", "é", "", "", "", "\ufffd"]
    assert watched.text == "é\ufffd"
    assert watched.monitors[0].shown[-1] == "\ufffd"
    assert written(bytes([97, END])).steps[-1].text == ""


def test_a_limit_gives_out_what_is_left():
    watched = written(CUT, [Speaks()], limit=MOST_TOKENS)
    assert watched.stopped_by == MOST_TOKENS
    assert watched.text == "".join(s.text for s in watched.steps) == "é\ufffd"
    assert watched.monitors[0].shown[-1] == "\ufffd"


def test_what_ends_it_from_outside_gives_out_what_is_left():
    watched = written(CUT)
    watched.end("the reader has seen enough")
    watched.end("a second reason")
    assert watched.stopped_by == "the reader has seen enough"
    assert watched.text == "".join(s.text for s in watched.steps) == "é\ufffd"
    assert len(watched.steps) == len(watched.pieces.offsets) == len(CUT)
    untouched = WatchedText(Bytes, ())
    untouched.end("nothing came")
    assert (untouched.stopped_by, untouched.text, untouched.steps) == ("nothing came", "", [])


def test_the_first_reason_stands():
    halts = Speaks(1, action=stop)
    assert written(b"ab", [halts]).stopped_by == "the monitor speaks stopped it"
    assert written(b"ab", [halts], limit=MOST_TOKENS).stopped_by == MOST_TOKENS
    assert written(bytes([97, END]), [halts], limit=MOST_TOKENS).stopped_by == END_TOKEN
    watched = written(b"ab", [halts])
    watched.end("another reason")
    assert watched.stopped_by == "the monitor speaks stopped it"
    assert written(b"ab", [Speaks(1)]).stopped_by == ""


def test_what_cannot_be_is_refused():
    with pytest.raises(RecordError, match="no token was taken in yet, so there are no columns"):
        _ = WatchedText(Bytes, ()).scores
    p = torch.tensor([[0.0, -torch.inf]], dtype=torch.float64)
    columns = LiveColumns().reduce(p, p, np.array([0]))
    columns = TokenScores(**{
        **{n: getattr(columns, n) for n in columns.__slots__},
        "log_p": np.array([-np.inf]), "log_q": np.array([-np.inf]),
    })  # fmt: skip
    with pytest.raises(DistributionError, match="token 1 at position 0 has probability 0 under"):
        WatchedText(Bytes, ()).add(1, columns, 0)
