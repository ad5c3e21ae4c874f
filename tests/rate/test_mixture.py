import numpy as np

from flowgauge.rate.alternate import AlternationSettings
from flowgauge.rate.mixture import best_mixture


def test_newton_agrees_with_many_blahut_steps():
    rng = np.random.default_rng(0)
    law, kernel = rng.dirichlet(np.ones(4)), np.exp(-1.0 * rng.random((4, 3)))
    found = best_mixture(law, kernel, AlternationSettings(), np.ones(3))
    m = np.full(3, 1 / 3)
    for _ in range(200_000):
        m = m * ((law / (kernel @ m)) @ kernel)
    gained = float(law @ np.log(kernel @ found.m)) - float(law @ np.log(kernel @ m))
    # Blahut's error falls like 1/steps where a symbol dies out
    assert -1e-13 < gained < 1e-4
    assert found.gap < 1e-14


def test_symbols_that_die_out_become_exactly_zero():
    kernel = np.array([[1.0, 0.1, 0.3], [0.1, 1.0, 0.3]])
    found = best_mixture(np.full(2, 0.5), kernel, AlternationSettings(), np.ones(3))
    assert found.m[2] == 0.0
    np.testing.assert_allclose(found.m[:2], 0.5, atol=1e-12)
    assert found.iterations < 20
