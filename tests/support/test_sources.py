"""Source sentences: weights are shares of surprise, best first."""

import numpy as np

from flowgauge.support import TokenPointers, source_spans

SENTENCES = [[(0, 10), (10, 20)], [(0, 30)]]


def pointers(mass, document, start):
    start = np.array(start)
    return TokenPointers(
        mass=np.array(mass), document=np.array(document), start=start, end=start + 3
    )


def test_surprising_tokens_decide():
    p = pointers([0.9, 0.9, 0.9], [0, 0, 1], [2, 12, 5])
    found = source_spans(p, np.array([0.5, 0.5, 9.0]), SENTENCES)
    assert [(s.document, s.start, s.end) for s in found] == [(1, 0, 30), (0, 0, 10), (0, 10, 20)]
    np.testing.assert_allclose([s.weight for s in found], [0.81, 0.045, 0.045])


def test_a_token_belongs_to_the_sentence_of_its_last_character():
    # " word": the space before it may be the last character of the sentence before.
    found = source_spans(pointers([1.0], [0], [9]), np.array([1.0]), SENTENCES)
    assert [(s.start, s.end) for s in found] == [(10, 20)]


def test_nothing_pointed_at_and_little_weight_are_left_out():
    assert source_spans(pointers([0.0], [-1], [0]), np.array([2.0]), SENTENCES) == ()
    assert source_spans(pointers([0.01], [0], [0]), np.array([2.0]), SENTENCES) == ()
    assert source_spans(pointers([0.9], [0], [0]), np.array([0.0]), SENTENCES) == ()
