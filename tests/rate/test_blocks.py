import numpy as np

from flowgauge.rate import blocks, rate_distortion_step


def laws(rng, rows, vocab):
    return (np.log(rng.dirichlet(np.ones(vocab), rows)) for _ in range(2))


def test_block_size_and_column_width_do_not_change_a_number(monkeypatch):
    log_p, log_m = laws(np.random.default_rng(0), 7, 3000)
    once = rate_distortion_step(log_p, log_m, 1.5)
    monkeypatch.setattr(blocks, "BLOCK_ELEMENTS", 2 * 3000)
    monkeypatch.setattr(blocks, "COLUMNS", 1000)
    again = rate_distortion_step(log_p, log_m, 1.5)
    # different symbols per block and another order of summation
    np.testing.assert_allclose(again.log_q, once.log_q, atol=1e-12)
    np.testing.assert_allclose(again.distortion, once.distortion, atol=1e-13)


def test_a_law_that_is_slightly_off_is_normalised():
    """float32 log-softmax over a large vocabulary is off by some 1e-5."""
    log_p, log_m = (law.astype(np.float32) for law in laws(np.random.default_rng(1), 2, 500))
    exact = rate_distortion_step(log_p, log_m, 30.0)
    shifted = rate_distortion_step(log_p + np.float32(5e-5), log_m - np.float32(5e-5), 30.0)
    # 5e-5 nats of shift would show as 1.5e-3 in λ · distortion
    np.testing.assert_allclose(shifted.rate, exact.rate, atol=2e-6)
    np.testing.assert_allclose(shifted.distortion, exact.distortion, atol=2e-6)


def test_rows_are_visited_once_and_in_order():
    log_p, log_m = laws(np.random.default_rng(2), 5, 90_000)
    seen = [(b.start, b.stop) for b in blocks.blocks(blocks.as_rows(log_p, log_m))]
    assert seen == [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5)]
