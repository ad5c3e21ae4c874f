import itertools

import numpy as np
import pytest
from oracles.bounds import conditional

from flowgauge.errors import DistributionError, RecordError, ShapeError
from flowgauge.models.tabular import TabularModel
from flowgauge.models.tabular_masked import TabularMaskedDiffusion


def table(sources=2, vocabulary=3, length=3, seed=0):
    rng = np.random.default_rng(seed)
    flat = rng.dirichlet(np.ones(vocabulary**length), size=sources)
    return flat.reshape((sources,) + (vocabulary,) * length)


def test_every_law_is_that_of_the_joint_table():
    t = table()
    lm = TabularMaskedDiffusion(t)
    for source, mask in itertools.product((0, 1, None), itertools.product((0, 1), repeat=3)):
        joint = t.mean(0) if source is None else t[source]
        hidden = np.array(mask, dtype=bool)
        for text in np.ndindex(3, 3, 3):
            prompt = [] if source is None else [3 + source]
            ids = np.array([[*prompt, *np.where(hidden, lm.mask_id, text)]])
            keep = np.pad(hidden, (len(prompt), 0))[None]
            found = lm.logits(ids, keep).numpy()
            assert found.shape == (hidden.sum(), 3)
            expected = conditional(joint, text, hidden)[hidden]
            own = found[np.arange(len(found)), np.array(text)[hidden]]
            # sums of at most 27 numbers
            np.testing.assert_allclose(own, expected, atol=1e-12)


def test_a_visible_token_is_certain_and_the_last_digit_counts():
    lm = TabularMaskedDiffusion(table())
    ids = np.array([[3, 4, 1, 6 - 1, 2]])
    assert lm.mask_id == 5
    found = lm.logits(ids, np.array([[False, False, True, False, False]])).exp()
    assert found.tolist() == [[0.0, 1.0, 0.0]]
    keep = np.array([[False, False, False, True, False]])
    both = lm.logits(ids, keep), lm.logits(ids[:, 1:], keep[:, 1:])
    np.testing.assert_array_equal(*both)


def test_text_is_that_of_the_table_read_from_left_to_right():
    t = table()
    lm, world = TabularMaskedDiffusion(t), TabularModel(t)
    assert lm.tokenize("x0abc").ids.tolist() == world.tokenize("x0abc").ids.tolist()
    assert lm.detokenize([0, 2, 4]) == "ac1"
    assert lm.token_text([1]) == ["b"]
    assert lm.fingerprint == world.fingerprint
    with pytest.raises(RecordError, match="no chat template; got 0 messages"):
        lm.chat([])


def test_memory_takes_the_place_of_the_marginal():
    memory = np.full((3, 3, 3), 1 / 27)
    lm = TabularMaskedDiffusion(table(), memory=memory)
    ids = np.full((1, 3), lm.mask_id)
    np.testing.assert_allclose(lm.logits(ids, ids > 0).exp(), 1 / 3, atol=1e-12)
    np.testing.assert_array_equal(lm.joint(None), memory)


def test_bad_input_is_refused_in_words():
    with pytest.raises(DistributionError, match="table sums to"):
        TabularMaskedDiffusion(np.ones((1, 2, 2)))
    lm = TabularMaskedDiffusion(np.array([[[0.5, 0.0], [0.0, 0.5]]]))
    m = lm.mask_id
    three = np.zeros((1, 2, 2, 2))
    three[0, 0, 0, 0] = three[0, 1, 1, 1] = 0.5
    wanted = np.array([[False, False, True]])
    with pytest.raises(RecordError, match=r"visible tokens of \[0, 1, 3\] cannot occur together"):
        TabularMaskedDiffusion(three).logits(np.array([[0, 1, 3]]), wanted)
    with pytest.raises(ShapeError, match=r"ids \(1, 1\) and keep \(1, 1\) came"):
        lm.logits(np.array([[m]]), np.array([[True]]))
    with pytest.raises(ShapeError, match="among the last 2 of each row"):
        lm.logits(np.array([[0, m, m]]), np.array([[True, False, False]]))
