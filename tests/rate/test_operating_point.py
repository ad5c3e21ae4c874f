import numpy as np
import pytest

from flowgauge.errors import DistributionError, ShapeError
from flowgauge.rate import operating_point, rate_distortion_step


def laws(rng, time=2000, vocab=7):
    logits = rng.normal(size=(time, vocab))
    other = logits + 0.3 * rng.normal(size=(time, vocab))
    return tuple(x - np.log(np.exp(x).sum(-1, keepdims=True)) for x in (logits, other))


def test_every_number_is_its_definition(rng):
    p, q = laws(rng)
    written = rng.integers(0, 7, 2000)
    point = operating_point(p, q, written)
    kl = np.array(
        [
            sum(np.exp(a) * (a - b) for a, b in zip(x, y, strict=True))
            for x, y in zip(p, q, strict=True)
        ]
    )
    assert point.distortion == pytest.approx(kl.mean(), abs=1e-14)
    assert point.standard_error == pytest.approx(kl.std(ddof=1) / np.sqrt(2000), rel=1e-10)
    assert point.median == pytest.approx(np.median(kl), abs=1e-14)
    assert point.largest == pytest.approx(kl.max(), abs=1e-14)
    assert np.sort(kl)[-3] - 1e-14 <= point.high <= kl.max() + 1e-14
    same = sum(int(np.argmax(a) == np.argmax(b)) for a, b in zip(p, q, strict=True))
    assert point.top_1_agreement == same / 2000
    ratio = np.mean([a[i] - b[i] for a, b, i in zip(p, q, written, strict=True)])
    assert point.log_perplexity_ratio == pytest.approx(ratio, abs=1e-13)
    assert point.tokens == 2000


def test_perplexity_ratio_of_text_drawn_from_p_is_the_distortion(rng):
    """Theorem 1: the cross-entropy that P' loses on text from P is KL(P‖P')."""
    p, q = laws(rng, time=40_000)
    written = np.array([rng.choice(7, p=np.exp(x)) for x in p])
    point = operating_point(p, q, written)
    error = (p - q).std() / np.sqrt(40_000)
    assert abs(point.log_perplexity_ratio - point.distortion) < 5 * error


def test_a_point_of_the_curve_has_the_distortion_that_the_solver_says(rng):
    p, m = laws(rng, time=5)
    step = rate_distortion_step(p, m, 1.5)
    point = operating_point(p, step.log_q, np.zeros(5, dtype=int))
    assert point.distortion == pytest.approx(float(np.mean(step.distortion)), abs=1e-12)


def test_equal_laws_have_no_distortion(rng):
    p, _ = laws(rng)
    point = operating_point(p, p, np.zeros(2000, dtype=int))
    assert (point.distortion, point.largest, point.log_perplexity_ratio) == (0.0, 0.0, 0.0)
    assert point.top_1_agreement == 1.0


def test_a_model_that_forbids_what_the_law_allows_is_infinitely_far():
    point = operating_point(np.log([[0.5, 0.5]]), np.array([[0.0, -np.inf]]), [0])
    assert point.distortion == np.inf


def test_bad_input_is_shown():
    p = np.log([[0.5, 0.5]])
    with pytest.raises(ShapeError, match=r"log_p_model \(1, 3\)"):
        operating_point(p, np.log(np.full((1, 3), 1 / 3)), [0])
    with pytest.raises(ShapeError, match="holds 2 … 2 of type int64; whole numbers from 0 to 1"):
        operating_point(p, p, [2])
    with pytest.raises(ShapeError, match="at least one token"):
        operating_point(np.zeros((0, 2)), np.zeros((0, 2)), [])
    with pytest.raises(DistributionError, match="log_p_model: the probabilities at row 0 sum to"):
        operating_point(p, np.log([[0.5, 0.51]]), [0])
    with pytest.raises(DistributionError, match="NaN"):
        operating_point(np.array([[np.nan, 0.0]]), p, [0])
