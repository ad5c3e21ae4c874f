import numpy as np

from flowgauge.rate.alphabet import SYMBOLS, merged_alphabet, own_alphabet
from flowgauge.rate.kernel import FLOOR, log_ratio


def laws(rng, vocab=20_000, zeros=0):
    p, m = rng.dirichlet(np.full(vocab, 0.3), 2), rng.dirichlet(np.ones(vocab), 2)
    p, m = np.maximum(p, 1e-40), np.maximum(m, 1e-40)
    p[:, :zeros] = 0.0
    return p / p.sum(axis=1, keepdims=True), m / m.sum(axis=1, keepdims=True)


def merged(p, m):
    with np.errstate(divide="ignore"):
        r = log_ratio(np.log(p), np.log(m))
    return r, merged_alphabet(r, p, m)


def test_totals_are_kept():
    p, m = laws(np.random.default_rng(0))
    _, alphabet = merged(p, m)
    np.testing.assert_allclose(alphabet.m.sum(axis=1), 1.0, rtol=1e-12)
    # a symbol's r is the log-ratio of its masses unless that was clipped into its bin
    np.testing.assert_allclose((alphabet.m * np.exp(alphabet.r)).sum(axis=1), 1.0, rtol=1e-6)


def test_tokens_lie_within_the_width_of_their_symbol():
    p, m = laws(np.random.default_rng(1))
    r, alphabet = merged(p, m)
    back = alphabet.r.reshape(-1)[alphabet.index].reshape(r.shape) + alphabet.offset
    np.testing.assert_allclose(back, r, rtol=1e-12, atol=1e-12)
    assert np.abs(alphabet.offset).max() <= alphabet.width
    assert alphabet.index.max() < 2 * SYMBOLS


def test_tokens_of_probability_zero_are_a_symbol_of_their_own():
    p, m = laws(np.random.default_rng(2), zeros=100)
    _, alphabet = merged(p, m)
    index = alphabet.index.reshape(p.shape)
    assert (index[0, :100] == 0).all()
    assert (index[0, 100:] > 0).all()
    assert alphabet.r[0, 0] == FLOOR
    np.testing.assert_allclose(alphabet.m[0, 0], m[0, :100].sum(), rtol=1e-12)


def test_equal_laws_merge_into_few_symbols():
    p, _ = laws(np.random.default_rng(3))
    _, alphabet = merged(p, p)
    assert alphabet.width < 1e-5
    np.testing.assert_allclose(alphabet.m.sum(axis=1), 1.0, rtol=1e-12)


def test_a_short_vocabulary_is_its_own_alphabet():
    r = np.array([[0.5, -0.25]])
    alphabet = own_alphabet(r, np.log([[0.4, 0.6]]))
    assert alphabet.index is None
    np.testing.assert_allclose(alphabet.m, [[0.4, 0.6]], rtol=1e-15)
