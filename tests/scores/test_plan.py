"""Plans cover every context once, share what saves work, and never pad much."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from flowgauge.scores.plan import MAX_PADDING, MIN_SHARED, Context, plan


def ids(*values):
    return np.array(values, dtype=np.int64)


@st.composite
def contexts(draw):
    shared = [list(range(draw(st.integers(1, 150)))) for _ in range(2)]
    out = []
    for _ in range(draw(st.integers(0, 9))):
        prefix = [*draw(st.sampled_from(shared)), *draw(st.lists(st.integers(0, 3), max_size=30))]
        response = draw(st.lists(st.integers(0, 3), max_size=20))
        out.append(Context(ids(*prefix) if prefix else ids(0), ids(*response)))
    return out


@settings(derandomize=True, deadline=None, max_examples=150)
@given(contexts(), st.booleans(), st.integers(1, 400))
def test_every_context_is_covered_once_and_whole(given_contexts, share, batch_tokens):
    seen = []
    for planned in plan(given_contexts, batch_tokens=batch_tokens, share_prefixes=share):
        batch = planned.batch
        assert sum(batch.packs) == len(batch.rows)
        ends = np.cumsum(batch.packs)
        for start, end in zip(ends - batch.packs, ends, strict=True):
            widths = [len(r) for r in batch.rows[start:end]]
            assert len(widths) == 1 or max(widths) * len(widths) <= batch_tokens
            assert min(widths) >= (1 - MAX_PADDING) * max(widths)
        for i, row, keep in zip(planned.contexts, batch.rows, batch.keep, strict=True):
            context = given_contexts[i]
            assert np.array_equal(np.concatenate((batch.shared, row)), context.fed)
            assert keep == len(context.continuation)
            assert len(row) >= keep  # every wanted position lies after the shared prefix
            seen.append(i)
        if len(batch.shared):
            assert share
            assert len(batch.shared) >= MIN_SHARED
    assert sorted(seen) == [i for i, c in enumerate(given_contexts) if len(c.continuation)]


def test_six_answers_to_one_source_share_its_prefix():
    source = np.arange(400)
    group = [Context(source, np.full(50 + i, 7)) for i in range(6)]
    [planned] = plan(group, batch_tokens=4096, share_prefixes=True)
    assert len(planned.batch.shared) == 399  # its last token predicts the first response token
    assert len(planned.batch.rows) == 6


def test_a_shared_prefix_is_computed_once_however_the_rows_are_packed():
    source = np.arange(400)
    group = [Context(source, np.full(20 + 60 * i, 7)) for i in range(6)]
    [planned] = plan(group, batch_tokens=256, share_prefixes=True)
    assert len(planned.batch.packs) == 6
    assert sorted(planned.contexts) == list(range(6))


def test_documents_are_shared_between_different_questions():
    documents = np.arange(300)
    group = [
        Context(np.concatenate((documents, np.full(5, 900 + i))), np.full(40, 7)) for i in range(4)
    ]
    [planned] = plan(group, batch_tokens=4096, share_prefixes=True)
    assert len(planned.batch.shared) == 300


def test_a_short_common_scaffold_is_not_worth_a_pass():
    scaffold = np.arange(MIN_SHARED - 1)
    group = [
        Context(np.concatenate((scaffold, np.full(100, 900 + i))), np.full(40, 7)) for i in range(4)
    ]
    plans = plan(group, batch_tokens=4096, share_prefixes=True)
    assert all(len(p.batch.shared) == 0 for p in plans)
