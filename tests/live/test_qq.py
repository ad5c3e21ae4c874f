import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.submartingale import draw
from scipy import stats

from flowgauge.errors import InputError
from flowgauge.live.balance import balance, mean_over_texts, p_words
from flowgauge.live.qq import MOST_POINTS, normal_residuals, qq_svg
from flowgauge.live.submartingale import submartingale_report
from flowgauge.models import TabularModel

SVG = "{http://www.w3.org/2000/svg}"


def report(count, seed=0):
    model = TabularModel.random(sources=2, vocabulary=3, length=4, seed=1)
    return submartingale_report(draw(model, 0, count, np.random.default_rng(seed)))


def test_residuals_against_scipy():
    values = np.random.default_rng(0).normal(0.3, 1.2, size=80)
    found = normal_residuals([*values, float("nan")])
    test = stats.kstest(values, stats.norm.cdf)
    assert (found.ks_statistic, found.ks_p_value) == pytest.approx(tuple(test), rel=1e-9)
    assert found.standard_deviation == pytest.approx(values.std(ddof=1), rel=1e-12)
    assert found.left_out == 1
    # By hand: the largest gap between the steps of the sample and the normal law.
    cdf, i = stats.norm.cdf(np.sort(values)), np.arange(80)
    assert found.ks_statistic == pytest.approx(
        max(((i + 1) / 80 - cdf).max(), (cdf - i / 80).max())
    )
    assert "1 more have Σv = 0" in str(found)
    with pytest.raises(InputError, match="1 of 2 texts have a residual; two at least"):
        normal_residuals([0.1, float("nan")])


def test_band_holds_each_order_statistic_with_probability_95():
    n, rounds = 12, 4000
    points = normal_residuals(np.zeros(n)).points()
    sorted_draws = np.sort(np.random.default_rng(1).normal(size=(rounds, n)), axis=1)
    inside = ((points[:, 2] <= sorted_draws) & (sorted_draws <= points[:, 3])).mean(axis=0)
    # Four standard errors of a share of 0.95 over 4,000 rounds.
    np.testing.assert_allclose(inside, 0.95, atol=4 * np.sqrt(0.95 * 0.05 / rounds))
    median = (sorted_draws <= points[:, 0]).mean(axis=0)
    np.testing.assert_allclose(median, 0.5, atol=4 * np.sqrt(0.25 / rounds))


def test_means_and_tests_against_scipy():
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=15), rng.normal(size=15)
    found = balance(x, y)
    test = stats.ttest_rel(x, y)
    assert (found.z, found.p_value) == pytest.approx((test.statistic, test.pvalue), rel=1e-9)
    ends = test.confidence_interval(0.95)
    assert (found.difference.lower, found.difference.upper) == pytest.approx(tuple(ends), rel=1e-9)
    assert mean_over_texts(x[:1]).standard_error is None
    assert str(mean_over_texts(np.array([0.25]))) == "0.25"
    assert p_words(0.0) == "p < 1e-300"


@given(st.lists(st.floats(-9, 9), min_size=2, max_size=20), st.integers(1, 9))
@settings(derandomize=True, deadline=None)
def test_equal_sizes_only_scale_the_mean(totals, size):
    totals = np.array(totals)
    plain, scaled = mean_over_texts(totals), mean_over_texts(totals, np.full(len(totals), size))
    # 1e-12: numbers up to 9, at most 20.
    assert scaled.value * size == pytest.approx(plain.value, abs=1e-12)
    assert scaled.standard_error * size == pytest.approx(plain.standard_error, abs=1e-12)


def test_picture_stands_by_itself():
    found = report(50)
    root = ET.fromstring(qq_svg(found))
    assert root.tag == f"{SVG}svg"
    assert root.get("role") == "img"
    assert root[0].tag == f"{SVG}title"
    assert root[1].tag == f"{SVG}desc"
    assert f"{found.residuals.mean.value:.4g}" in root[1].text
    assert "light-dark(" in root.find(f"{SVG}style").text
    allowed = {"svg", "title", "desc", "style", "rect", "text", "line", "polygon", "polyline"}
    allowed |= {"circle", "path"}
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= allowed
    width, height = float(root.get("width")), float(root.get("height"))
    dots = list(root.iter(f"{SVG}circle"))
    assert len(dots) == 50 + 1  # one in the legend
    assert all(0 < float(d.get("cx")) < width and 0 < float(d.get("cy")) < height for d in dots)


def test_dots_stand_where_their_numbers_are():
    found = report(30)
    root = ET.fromstring(qq_svg(found))
    dots = list(root.iter(f"{SVG}circle"))[1:]
    x, y = (np.array([float(d.get(axis)) for d in dots]) for axis in ("cx", "cy"))
    points = found.residuals.points()
    # Places are written with one decimal, so a straight line fits to 0.1 of a pixel.
    for place, value in ((x, points[:, 0]), (y, points[:, 1])):
        fit = np.polyval(np.polyfit(value, place, 1), value)
        np.testing.assert_allclose(place, fit, atol=0.1)
    assert x[-1] > x[0]
    assert y[-1] < y[0]


def test_many_points_are_thinned_and_the_tails_stay():
    found = report(700)
    root = ET.fromstring(qq_svg(found))
    dots = list(root.iter(f"{SVG}circle"))[1:]
    assert len(dots) <= MOST_POINTS
    assert f"({len(dots)} drawn, the tails whole)" in root[1].text
    whole = ET.fromstring(qq_svg(report(MOST_POINTS)))
    assert len(list(whole.iter(f"{SVG}circle"))) == MOST_POINTS + 1
    across = sorted(float(d.get("cx")) for d in dots)
    quantiles = found.residuals.points()[:, 0]
    scale = (across[-1] - across[0]) / (quantiles[-1] - quantiles[0])
    ends = across[0] + scale * (quantiles[:5] - quantiles[0])
    np.testing.assert_allclose(across[:5], ends, atol=0.11)


def test_residuals_far_from_normal_have_few_ticks():
    model = TabularModel.random(sources=2, vocabulary=3, length=4, seed=1)
    flows = draw(model, 0, 20, np.random.default_rng(3))
    far = [replace(f, residual=f.residual * 200 - 900) for f in flows]
    root = ET.fromstring(qq_svg(submartingale_report(far)))
    labels = [e for e in root.iter(f"{SVG}text") if e.get("text-anchor") == "end"]
    assert 3 <= len(labels) <= 13


def test_nothing_to_draw_is_said():
    with pytest.raises(InputError, match="nothing to draw: the report is without residuals: 1 of"):
        qq_svg(report(1))


def test_residuals_whose_squares_would_overflow():
    """A variance next to 0 under a density of 1 gives a residual of 1e155."""
    found = normal_residuals([2e155, 0.0, -1e155])
    assert found.standard_deviation == pytest.approx(np.std([2, 0, -1], ddof=1) * 1e155)
    wanted = np.std([2, 0, -1], ddof=1) / np.sqrt(3) * 1e155
    assert found.mean.standard_error == pytest.approx(wanted)
