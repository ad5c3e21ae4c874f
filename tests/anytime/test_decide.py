import numpy as np
import pytest
from oracles.anytime import every_path

from flowgauge.anytime import decide
from flowgauge.errors import SettingsError
from flowgauge.flow import flow
from flowgauge.records import Author, Flow, Sampling

PLAIN = Sampling()


def constant(density, time=20):
    return Flow(
        density=np.full(time, density),
        flow=np.cumsum(np.full(time, density)),
        surprisal_q=np.full(time, 3.0),
    )


def test_each_outcome_with_its_numbers():
    driven = decide(constant(0.5), alpha=0.01)
    assert (driven.outcome, driven.first_crossing) == ("driven by the source", 9)
    assert driven.log_e_value == pytest.approx(10.0, abs=1e-12)
    assert driven.first_crossing_against is None
    against = decide(constant(-0.5), alpha=0.01)
    assert (against.outcome, against.first_crossing_against) == ("not from this source", 9)
    assert against.first_crossing is None
    assert decide(constant(0.0)).outcome == "neither"
    rising_falling = np.concatenate([np.full(10, 1.0), np.full(20, -1.0)])
    both = decide(
        Flow(
            density=rising_falling,
            flow=np.cumsum(rising_falling),
            surprisal_q=np.full(30, 3.0),
        )
    )
    assert (both.outcome, both.first_crossing, both.first_crossing_against) == ("both", 4, 24)


def test_the_nulls_are_in_the_words():
    source = "the text was drawn from the reference law Q (the source made no difference)"
    prompted = "the text was drawn from the prompted law P (it was written from this source)"
    for density, expected in ((0.5, source), (-0.5, prompted)):
        verdict = decide(constant(density))
        assert expected in verdict.words
        assert verdict.null == f"test 1: {source}; test 2: {prompted}"
    neither = decide(constant(0.0))
    assert source in neither.words
    assert prompted in neither.words


def test_exact_only_for_the_observer_with_plain_sampling():
    f = constant(0.5)
    exact = decide(f, author=Author.OBSERVER, sampling=PLAIN)
    assert exact.is_exact
    assert "The level is exact" in exact.words
    cases = [
        (Author.SOMEBODY_ELSE, PLAIN, "somebody else wrote the text"),
        (Author.SOMEBODY_ELSE, None, "somebody else wrote the text"),
        (Author.OBSERVER, None, "how the text was drawn is not known"),
        (Author.OBSERVER, Sampling(top_p=0.9), "the law scored is not the law sampled from"),
        (Author.OBSERVER, Sampling(temperature=0.7), "the law scored is not the law sampled from"),
        (Author.OBSERVER, Sampling(top_k=50), "the law scored is not the law sampled from"),
    ]
    for author, sampling, reason in cases:
        verdict = decide(f, author=author, sampling=sampling)
        assert not verdict.is_exact
        assert reason in verdict.words
        assert "evidence relative to the observer" in verdict.words
        assert "the exact test is the pool test" in verdict.words


def test_no_word_about_truth():
    forbidden = ("true", "truth", "false", "correct", "hallucinat", "wrong", "right")
    for density in (0.5, 0.0, -0.5):
        for author in Author:
            verdict = decide(constant(density), author=author, sampling=PLAIN)
            text = f"{verdict.outcome} {verdict.words} {verdict.null}".lower()
            assert not [word for word in forbidden if word in text]


@pytest.mark.parametrize("with_moments", [True, False])
def test_both_levels_hold_over_all_paths(with_moments):
    world = every_path(seed=5)
    alpha = 0.2
    driven = against = 0.0
    for row in range(len(world["log_p"])):
        moments = (
            {"log_moments": world["log_moments"][row], "orders": world["orders"]}
            if with_moments
            else {}
        )
        f = flow(world["log_p"][row], world["log_q"][row], **moments)
        verdict = decide(f, alpha=alpha)
        driven += world["probability_q"][row] * (verdict.first_crossing is not None)
        against += world["probability_p"][row] * (verdict.first_crossing_against is not None)
    assert 0 < driven <= alpha
    assert 0 < against <= alpha


def test_log_moments_give_the_second_test_more_power():
    # A text that repeats the likeliest token of P: the plain ratio likes P, the mixture does not.
    p, q = np.array([0.5, 0.3, 0.2]), np.array([0.3, 0.4, 0.3])
    ratio = np.log(p / q)
    orders = np.array([-1.0, -0.5, 0.5, 1.0])
    psi = np.log(np.exp(orders[:, None] * ratio) @ p)
    log_p, log_q = np.full(100, np.log(p[0])), np.full(100, np.log(q[0]))
    assert decide(flow(log_p, log_q)).first_crossing_against is None
    with_moments = flow(log_p, log_q, log_moments=np.tile(psi, (100, 1)), orders=orders)
    assert decide(with_moments).outcome == "both"


def test_empty_and_impossible_texts():
    empty = decide(flow([], []))
    assert (empty.outcome, empty.log_e_value, empty.log_e_value_against) == ("neither", 0.0, 0.0)
    impossible = decide(flow([-np.inf, -1.0], [-1.0, -1.0]))
    assert impossible.outcome == "not from this source"
    assert impossible.log_e_value_against == np.inf
    certain = decide(flow([-1.0], [-np.inf]))
    assert (certain.outcome, certain.log_e_value) == ("driven by the source", np.inf)


def test_a_level_outside_its_range_is_refused():
    with pytest.raises(SettingsError, match=r"alpha = 1\.5; a level between 0 and 1"):
        decide(constant(0.0), alpha=1.5)
