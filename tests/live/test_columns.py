"""Columns of laws that exclude tokens are those of the whole vocabulary; draws follow the law."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from oracles.scores import COLUMNS
from scipy import stats

from flowgauge.live import columns as module
from flowgauge.live.columns import MOST_SUPPORT, LiveColumns, draw
from flowgauge.live.sampling_law import Transform
from flowgauge.records import ORDERS, Sampling
from flowgauge.scores.reduce import exact_columns

VOCAB = 9000  # more than one block of the reductions
NAMES = (*COLUMNS, "top_p_ids", "top_q_ids")


def logits_of(seed, rows=3, spread=3.0):
    rng = np.random.default_rng(seed)
    p = rng.normal(0, spread, (rows, VOCAB)).astype(np.float32)
    q = (0.7 * p + rng.normal(0, 1, p.shape)).astype(np.float32)
    return torch.from_numpy(p), torch.from_numpy(q)


def whole(p, q, tokens):
    """All columns over the whole vocabulary, in float64."""
    ids = torch.from_numpy(tokens)
    return exact_columns(p, q, ids, np.array(ORDERS), 5)


def compare(found, wanted, tolerance):
    for name in NAMES:
        mine, its = getattr(found, name), wanted[name].numpy()
        if name == "top_p_ids":  # beyond the support any id is as good
            possible = wanted["top_p_log"].numpy() > -np.inf
            assert np.array_equal(mine[possible], its[possible])
        elif name == "top_q_ids":
            assert np.array_equal(mine, its)
        else:
            np.testing.assert_allclose(mine, its, atol=tolerance, rtol=tolerance, err_msg=name)


@pytest.fixture
def widths(monkeypatch):
    """How wide the rows were that were reduced on their support."""
    seen = []

    def noting(p, *more):
        seen.append(p.shape[-1])
        return exact_columns(p, *more)

    monkeypatch.setattr(module, "exact_columns", noting)
    return seen


@pytest.mark.parametrize(
    "how", [{"top_k": 40}, {"top_k": 3}, {"top_k": 1}, {"top_p": 0.3}, {"min_p": 0.5}]
)
@pytest.mark.parametrize("seed", range(3))
def test_columns_on_the_support_are_those_of_the_whole_vocabulary(how, seed, widths):
    p, q = logits_of(seed)
    p = Transform(Sampling(temperature=0.8, **how))(p, [])
    sizes = torch.isfinite(p).sum(-1)
    assert int(sizes.max()) < MOST_SUPPORT * VOCAB
    tokens = p.argmax(-1).numpy()
    found = LiveColumns().reduce(p, q, tokens)
    assert widths == (sizes + 1).tolist()  # one more for all that cannot come
    compare(found, whole(p, q, tokens), 1e-10)  # both ways in float64
    assert (found.log_p > -np.inf).all()
    assert np.isfinite(found.log_moments).all()


def test_plain_laws_and_large_supports():
    p, q = logits_of(0)
    tokens = np.array([0, 17, VOCAB - 1])
    # The fast reductions sum in single precision within a block.
    compare(LiveColumns().reduce(p, q, tokens), whole(p, q, tokens), 1e-4)
    cut = Transform(Sampling(top_k=VOCAB // 2))(p, [])
    tokens = cut.argmax(-1).numpy()
    compare(LiveColumns().reduce(cut, q, tokens), whole(cut, q, tokens), 1e-10)
    doubles = cut.double(), q.double()
    compare(LiveColumns().reduce(*doubles, tokens), whole(*doubles, tokens), 1e-10)


def test_a_support_outside_the_first_block():
    p, q = logits_of(1)
    p[:, :8500] = -torch.inf
    tokens = np.array([8600, 8700, 8999])
    compare(LiveColumns().reduce(p, q, tokens), whole(p, q, tokens), 1e-10)


def test_rows_do_not_touch_each_other():
    p, q = logits_of(2, rows=4)
    p[1] = Transform(Sampling(top_k=6))(p[1:2], [])[0]
    p[3] = Transform(Sampling(top_k=1))(p[3:4], [])[0]
    tokens = p.argmax(-1).numpy()
    reducer = LiveColumns()
    together = reducer.reduce(p, q, tokens)
    for row in (3, 0, 2, 1):
        one = slice(row, row + 1)
        alone = reducer.reduce(p[one], q[one], tokens[one])
        for name in NAMES:
            assert np.array_equal(getattr(alone, name)[0], getattr(together, name)[row])


def test_a_token_outside_the_support_has_probability_0():
    p, q = logits_of(3)
    p = Transform(Sampling(top_k=10))(p, [])
    tokens = p.argmin(-1).numpy()
    found = LiveColumns().reduce(p, q, tokens)
    assert np.isneginf(found.log_p).all()
    compare(found, whole(p, q, tokens), 1e-10)


def test_tokens_that_q_excludes():
    p, q = logits_of(4)
    p = Transform(Sampling(top_k=10))(p, [])
    inside, outside = p.argmax(-1), p.argmin(-1)
    q[0, outside[0]] = -torch.inf  # of no weight under P
    q[1, inside[1]] = -torch.inf  # P leaves the support of Q
    tokens = p.topk(2).indices[:, 1].numpy()
    found = LiveColumns().reduce(p, q, tokens)
    compare(found, whole(p, q, tokens), 1e-10)
    assert np.isfinite(found.drift[[0, 2]]).all()
    assert np.isposinf(found.drift[1])


def test_a_small_vocabulary_has_few_alternatives():
    p, q = torch.tensor([[0.0, -torch.inf, 1.0]]), torch.tensor([[0.5, 1.0, 0.0]])
    found = LiveColumns().reduce(p, q, np.array([2]))
    assert found.top_p_ids.shape == (1, 3)
    assert found.top_q_ids.tolist() == [[1, 0, 2]]
    assert found.top_p_ids[0, :2].tolist() == [2, 0]
    assert np.isneginf(found.top_p_log[0, 2])


def test_other_orders_and_alternatives(widths):
    p, q = logits_of(5)
    p = Transform(Sampling(top_k=4))(p, [])
    found = LiveColumns((0.3, -2.0), 2).reduce(p, q, p.argmax(-1).numpy())
    wanted = exact_columns(p, q, p.argmax(-1), np.array([0.3, -2.0]), 2)
    assert widths == [5, 5, 5]
    np.testing.assert_allclose(found.log_moments, wanted["log_moments"].numpy(), atol=1e-10)
    assert np.array_equal(found.top_p_ids, wanted["top_p_ids"].numpy())
    assert found.orders.tolist() == [0.3, -2.0]


def test_draws_follow_the_law(rng):
    law = np.array([0.3, 0.0, 0.05, 0.4, 0.0, 0.2, 0.05])
    with np.errstate(divide="ignore"):
        logits = torch.from_numpy(np.log(law)).float() + 7.5  # not normalised
    counts = np.bincount([draw(logits, rng) for _ in range(8000)], minlength=7)
    assert counts[[1, 4]].tolist() == [0, 0]
    possible = law > 0
    assert stats.chisquare(counts[possible], 8000 * law[possible]).pvalue > 0.01
    # The same test finds a law that is 3 % off.
    wrong = law + np.array([0.03, 0, 0, -0.03, 0, 0, 0])
    assert stats.chisquare(counts[possible], 8000 * wrong[possible]).pvalue < 0.001


class Fixed:
    """Random numbers that are one number."""

    def __init__(self, value):
        self.value = value

    def random(self):
        return self.value


LARGEST = np.nextafter(1.0, 0.0)  # what a generator may give at most; 0 at least


def test_the_ends_of_the_interval_are_tokens_that_can_come():
    logits = torch.log(torch.tensor([0.0, 0.25, 0.0, 0.5, 0.25, 0.0]))
    assert draw(logits, Fixed(0.0)) == 4
    assert draw(logits, Fixed(LARGEST)) == 1
    assert draw(logits, Fixed(0.75)) == 1  # a border belongs to the token before it
    assert draw(logits, Fixed(0.75 - 1e-9)) == 3
    assert draw(torch.tensor([-3.0]), Fixed(0.5)) == 0


@settings(derandomize=True, deadline=None, max_examples=200)
@given(
    logits=arrays(np.float32, st.integers(1, 40), elements=st.floats(-100, 100, width=32)),
    seed=st.integers(0, 10**6),
    uniform=st.one_of(st.sampled_from([0.0, LARGEST]), st.floats(0, LARGEST)),
)
def test_a_token_of_probability_0_is_never_drawn(logits, seed, uniform):
    gone = np.random.default_rng(seed).random(len(logits)) < 0.6
    gone[seed % len(logits)] = False
    row = torch.from_numpy(np.where(gone, -np.inf, logits).astype(np.float32))
    token = draw(row, Fixed(uniform))
    assert not gone[token]
    assert draw(row.double(), Fixed(uniform)) < len(logits)


def test_drawing_by_inversion_takes_one_number_of_the_seed():
    logits = torch.zeros(4)
    a, b = np.random.default_rng(5), np.random.default_rng(5)
    drawn = [draw(logits, a) for _ in range(6)]
    assert drawn == [int(np.ceil((1 - u) * 4)) - 1 for u in b.random(6)]
