import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.submartingale import (
    ORDERS,
    draw,
    every_text,
    flow_of_text,
    jackknife_error,
    largest_log_e,
    stopped,
)
from scipy import stats

from flowgauge.errors import DistributionError, InputError, SettingsError
from flowgauge.flow import flow
from flowgauge.live.submartingale import submartingale_report
from flowgauge.models import TabularModel

THRESHOLD = 0.9


@pytest.fixture(scope="module")
def model():
    return TabularModel.random(sources=3, vocabulary=3, length=5, seed=4)


def test_the_identities_hold_exactly_over_all_texts(model):
    # end=0 makes the lengths random: the text ends with the first token 0.
    for end in (None, 0):
        world = every_text(model, 1, end)
        weight = np.array([p for p, _ in world])
        flows = [f for _, f in world]
        # 1e-12: at most 243 texts with rounding of 1e-16 each.
        assert weight.sum() == pytest.approx(1, abs=1e-12)
        for j in range(model.steps):
            gap = [f.density[j] - f.drift[j] if j < len(f.density) else 0.0 for f in flows]
            assert weight @ gap == pytest.approx(0, abs=1e-12)
        square = weight @ [f.martingale[-1] ** 2 for f in flows]
        assert square == pytest.approx(weight @ [f.variance.sum() for f in flows], abs=1e-12)
        flow_nats, compensator, _ = np.array([stopped(f, THRESHOLD) for f in flows]).T
        assert weight @ flow_nats == pytest.approx(weight @ compensator, abs=1e-12)
        assert 0.1 < weight @ (flow_nats >= THRESHOLD) < 0.9
        assert all((np.diff(f.compensator) >= 0).all() for f in flows)
        assert any((np.diff(f.flow) < 0).any() for f in flows)


def test_the_flag_keeps_its_level_over_all_texts(model):
    for alpha in (0.2, 0.5):
        world = every_text(model, 1, end=0)
        flagged = [submartingale_report([f], alpha=alpha).level.drawn.share.count for _, f in world]
        assert 0 < np.dot([p for p, _ in world], flagged) <= alpha


def test_numbers_are_within_four_errors_of_the_enumeration(model):
    world = every_text(model, 1, end=0)
    weight = np.array([p for p, _ in world])
    drawn = draw(model, 1, 3000, np.random.default_rng(5), end=0)
    found = submartingale_report(drawn, threshold_nats=THRESHOLD, alpha=0.2)
    drift = weight @ [f.drift.sum() for _, f in world]
    tokens = weight @ [len(f.drift) for _, f in world]
    at_stop = weight @ np.array([stopped(f, THRESHOLD) for _, f in world])
    spread = weight @ [f.variance.sum() for _, f in world]
    for estimate, exact in (
        (found.increments.balance.observed, drift / tokens),
        (found.increments.balance.expected, drift / tokens),
        (found.increments.balance.difference, 0.0),
        (found.variance.observed, spread),
        (found.variance.expected, spread),
        (found.stopping.balance.observed, at_stop[0]),
        (found.stopping.balance.expected, at_stop[1]),
        (found.stopping.tokens, at_stop[2]),
    ):
        assert estimate.value == pytest.approx(exact, abs=4 * estimate.standard_error)
        assert 0 < estimate.standard_error < 0.1 * max(abs(exact), 1.0)
    for octave in found.increments.octaves:
        assert abs(octave.balance.z) < 4
    assert found.is_consistent is True
    assert found.verdict.startswith("Consistent with 3000 texts drawn from the prompted law P")


def test_numbers_are_those_of_loops_over_texts(model):
    drawn = draw(model, 2, 60, np.random.default_rng(6), end=0)
    found = submartingale_report(drawn, threshold_nats=THRESHOLD, alpha=0.2)
    ends = [stopped(f, THRESHOLD) for f in drawn]
    b = found.stopping.balance
    # 1e-12: sums of at most 300 numbers of size 1.
    assert b.observed.value == pytest.approx(np.mean([e[0] for e in ends]), abs=1e-12)
    t = stats.ttest_rel([e[0] for e in ends], [e[1] for e in ends])
    assert (b.z, b.p_value) == pytest.approx((t.statistic, t.pvalue), rel=1e-9)
    interval = stats.ttest_1samp([e[2] for e in ends], 0).confidence_interval(0.95)
    assert (found.stopping.tokens.lower, found.stopping.tokens.upper) == pytest.approx(
        (interval.low, interval.high), rel=1e-9
    )
    crossed = [e[2] for e in ends if e[0] >= THRESHOLD]
    assert found.stopping.stopped.count == len(crossed)
    assert found.stopping.tokens_stopped.value == pytest.approx(np.mean(crossed), abs=1e-12)
    every_drift = [k for f in drawn for k in f.drift]
    assert found.stopping.forecast_tokens == pytest.approx(THRESHOLD / np.mean(every_drift))
    assert found.increments.tokens == len(every_drift)
    assert found.increments.smallest_drift == min(every_drift)
    v = stats.ttest_rel([f.martingale[-1] ** 2 for f in drawn], [f.variance.sum() for f in drawn])
    assert found.variance.p_value == pytest.approx(v.pvalue, rel=1e-9)
    density = np.concatenate([f.density for f in drawn])
    moments = np.concatenate([f.log_moments for f in drawn])
    assert found.level.pooled.log_e_value == pytest.approx(
        largest_log_e(density, moments, ORDERS), abs=1e-10
    )
    own = [largest_log_e(f.density, f.log_moments, ORDERS) >= math.log(5) for f in drawn]
    assert found.level.drawn.share.count == sum(own)
    at_least = stats.binom.sf(sum(own) - 1, 60, 0.2)
    assert found.level.p_value == pytest.approx(at_least, rel=1e-9)


def test_errors_cluster_over_texts(model):
    drawn = draw(model, 0, 400, np.random.default_rng(7), end=0)
    b = submartingale_report(drawn).increments.balance
    totals, sizes = [f.martingale[-1] for f in drawn], [len(f.density) for f in drawn]
    # Linearised and jackknife errors agree to order 1/texts; 2 % is ten times that.
    assert b.difference.standard_error == pytest.approx(jackknife_error(totals, sizes), rel=0.02)
    # Four tokens in place of one, with its numbers shared out: more tokens are no more evidence.
    longer = [
        flow(
            np.repeat(-f.surprisal_q + f.density, 4) / 4,
            np.repeat(-f.surprisal_q, 4) / 4,
            np.repeat(f.drift, 4) / 4,
        )
        for f in drawn
    ]
    wide = submartingale_report(longer).increments.balance
    assert wide.z == pytest.approx(b.z, rel=1e-9)
    assert wide.difference.standard_error * 4 == pytest.approx(
        b.difference.standard_error, rel=1e-9
    )


def test_octaves_count_the_texts_that_reach_them(model):
    drawn = draw(model, 1, 200, np.random.default_rng(8), end=0)
    octaves = submartingale_report(drawn).increments.octaves
    assert [(o.first, o.last) for o in octaves] == [(1, 1), (2, 3), (4, 5)]
    for o in octaves:
        reach = [f for f in drawn if len(f.density) >= o.first]
        tokens = [i for f in reach for i in f.density[o.first - 1 : o.last]]
        assert o.balance.texts == len(reach)
        assert o.balance.observed.value == pytest.approx(np.mean(tokens), abs=1e-12)


def test_texts_of_another_law_are_found(model):
    rng = np.random.default_rng(9)
    hot = draw(model, 1, 400, rng, temperature=3.0)
    found = submartingale_report(hot, threshold_nats=THRESHOLD)
    assert found.is_consistent is False
    assert found.p_values["mean increment"] < 1e-6
    assert found.p_values["all texts as one"] < 1e-6
    assert found.verdict.startswith("Not consistent with 400 texts drawn from the prompted law P")
    assert "mean increment (p = " in found.verdict
    assert "each at 0.01/4 = 0.0025, Bonferroni" in found.verdict
    own = submartingale_report(draw(model, 1, 400, rng), off_law=hot, alpha=0.2)
    assert own.is_consistent is True
    assert own.level.off_law.share.count > 2 * own.level.drawn.share.count
    assert "Texts of the other law: " in str(own)


def test_verdict_and_flag_hold_their_level_by_simulation(model):
    rng, world = np.random.default_rng(10), every_text(model, 1)
    weight = np.array([p for p, _ in world])
    rejected = flagged = 0
    for _ in range(150):
        chosen = rng.choice(len(world), size=25, p=weight / weight.sum())
        found = submartingale_report([world[i][1] for i in chosen], threshold_nats=1.0, alpha=0.1)
        rejected += not found.is_consistent
        flagged += found.level.drawn.share.count
    # Four standard errors of a share of 0.1 over 150 reports and over 3,750 texts.
    assert rejected / 150 <= 0.1 + 4 * math.sqrt(0.09 / 150)
    assert flagged / 3750 <= 0.1 + 4 * math.sqrt(0.09 / 3750)


@st.composite
def some_flows(draw_from):
    """Flows of any numbers that columns may have; they need not follow any law."""
    flows = []
    for n in draw_from(st.lists(st.integers(0, 5), min_size=1, max_size=6)):

        def column(low, high, n=n):
            return draw_from(st.lists(st.floats(low, high), min_size=n, max_size=n))

        flows.append(
            flow(
                column(-20, 0),
                column(-20, 0),
                column(0, 5),
                column(0, 5),
                log_moments=np.reshape(column(-5, 5), (n, 1)),
                orders=[0.5],
            )
        )
    return flows


@given(some_flows(), st.randoms())
@settings(derandomize=True, deadline=None, max_examples=40)
def test_whatever_comes_the_numbers_are_finite_and_do_not_depend_on_the_order(flows, random):
    if not sum(len(f.density) for f in flows):
        with pytest.raises(InputError, match="flows without any token came"):
            submartingale_report(flows)
        return
    found = submartingale_report(flows, threshold_nats=1.0)
    text = json.dumps(found.as_json(), allow_nan=False)
    assert json.loads(text)["verdict"] == found.verdict
    assert "nan" not in str(found)
    random.shuffle(flows)
    other = submartingale_report(flows, threshold_nats=1.0)
    # 1e-9: sums in another order, of numbers up to 100 that may cancel.
    assert other.increments.balance.difference.value == pytest.approx(
        found.increments.balance.difference.value, abs=1e-9
    )
    assert other.level.drawn == found.level.drawn
    assert other.stopping.stopped == found.stopping.stopped


def test_what_cannot_be_had_is_absent_with_its_reason(model):
    [one] = draw(model, 1, 1, np.random.default_rng(11))
    found = submartingale_report([one])
    assert found.increments.balance.z is None
    assert "one text came, two at least" in found.increments.balance.absent
    assert found.residuals is None
    assert "residuals: 1 of 1 texts have a residual; two at least" in found.absent[0]
    assert list(found.p_values) == ["texts flagged", "all texts as one"]
    bare = replace(one, log_moments=None, orders=None, variance=None)
    alone = submartingale_report([bare])
    assert alone.is_consistent is None
    assert alone.verdict.startswith("Nothing could be tested: one text came")
    assert alone.absent == (
        "residuals and variance: a flow has no variance",
        "level: flows[0] has no log moments",
    )
    assert "Absent: level: flows[0] has no log moments." in str(alone)
    same = submartingale_report([one] * 20)
    assert "the same in every text" in same.increments.balance.absent
    assert submartingale_report([one], off_law=[bare]).absent[-1] == (
        "level: off_law[0] has no log moments"
    )


def test_equal_laws_and_sure_laws_test_nothing():
    # Q = P: every number is 0. P sure of its token: M is round-off alone, which is no evidence.
    null = flow([-0.5] * 3, [-0.5] * 3, [0.0] * 3, [0.0] * 3)
    found = submartingale_report([null] * 5)
    assert found.p_values == {}
    assert found.stopping.forecast_tokens is None
    assert "Wald's forecast of τ: none (every drift is 0)" in str(found)
    rng = np.random.default_rng(12)
    sure = []
    for _ in range(30):
        q = np.log(rng.uniform(0.01, 0.9, size=7))
        drift = -q * (1 + rng.choice([0, 2e-16], size=7))
        sure.append(flow(np.zeros(7), q, drift, np.zeros(7)))
    found = submartingale_report(sure, threshold_nats=1e3)
    assert found.p_values == {}
    assert found.increments.balance.observed.value > 0.1


def test_an_impossible_token_of_another_law_is_flagged(model):
    own = draw(model, 1, 20, np.random.default_rng(13))
    lost = replace(own[0], density=np.array([-np.inf, *own[0].density[1:]]))
    found = submartingale_report(own, off_law=[lost])
    assert found.level.off_law.share.count == 1
    assert found.level.off_law.median_tokens == 1
    with pytest.raises(DistributionError, match=r"flows\[1\] has log P/Q = -inf at token 0: a law"):
        submartingale_report([own[0], lost])


def test_bad_input_is_refused(model):
    good = flow_of_text(model, 0, (0, 1, 2))
    with pytest.raises(InputError, match="0 flows without any token came; texts drawn from P"):
        submartingale_report([])
    with pytest.raises(InputError, match=r"flows\[1\] has no drift .*flow\(log_p, log_q, drift"):
        submartingale_report([good, flow(np.log([0.5]), np.log([0.2]))])
    with pytest.raises(DistributionError, match=r"drift of flows\[0\] is \[-1\.  0\.  0\.\]; fin"):
        submartingale_report([replace(good, drift=np.array([-1.0, 0.0, 0.0]))])
    with pytest.raises(DistributionError, match=r"log_moments of flows\[0\] is \[\[inf"):
        submartingale_report([replace(good, log_moments=np.full((3, 4), np.inf))])
    with pytest.raises(InputError, match=r"off_law\[0\] has other orders λ than flows\[0\]"):
        submartingale_report([good], off_law=[replace(good, orders=np.arange(4.0))])
    with pytest.raises(SettingsError, match=r"alpha = 1\.5; a level between 0 and 1"):
        submartingale_report([replace(good, log_moments=None)], alpha=1.5)
    with pytest.raises(SettingsError, match=r"threshold = 0\.0; a finite number of nats above 0"):
        submartingale_report([good], threshold_nats=0.0)
