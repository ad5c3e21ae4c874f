"""Lags read off members: by definition, by Stein's identity, and after training on a known VAR."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from oracles.architectures import drawn, filled
from oracles.granger_family import lags_by_definition, mamba_of
from scipy import stats

from flowgauge.architectures import (
    Attention,
    AttentionConfig,
    LinearAttention,
    LinearAttentionConfig,
    Mamba2,
    Mamba2Config,
)
from flowgauge.architectures.lag_reading import read_lags
from flowgauge.errors import DistributionError, SettingsError, ShapeError
from flowgauge.flow.gaussian import gaussian_directed_information_rate
from flowgauge.flow.pairwise import pairwise_transfer_entropies

sys.path.insert(0, str(Path(__file__).parents[2] / "experiments"))

from granger_family import fits, run

MEMBERS = {
    "attention": Attention(AttentionConfig(width=3, heads=1)),
    "linear_attention": LinearAttention(LinearAttentionConfig(width=3, heads=1)),
    "mamba2": Mamba2(Mamba2Config(width=3, heads=2, state=2, taps=2)),
}


@pytest.mark.parametrize("name", MEMBERS)
def test_readings_are_means_over_windows_of_the_definition(name):
    member, windows = filled(MEMBERS[name], 1), drawn(7, 5, 3, seed=2)
    a, d = lags_by_definition(member, windows, 4)
    reading = read_lags(member, windows, lags=4)
    np.testing.assert_allclose(reading.coefficients, a.mean(0), rtol=0, atol=1e-12)
    # central differences with step 1e-5: their own error is about 1e-10
    np.testing.assert_allclose(reading.responses, d.mean(0), rtol=0, atol=1e-8)
    for error, each in ((reading.coefficients_error, a), (reading.responses_error, d)):
        expected = np.std(each, axis=0, ddof=1) / np.sqrt(7)
        np.testing.assert_allclose(error, expected, rtol=0, atol=1e-8)
    assert reading.windows == 7


def test_pieces_change_nothing(monkeypatch):
    member, windows = filled(MEMBERS["mamba2"], 1), drawn(7, 5, 3, seed=2)
    whole = read_lags(member, windows, lags=2)
    monkeypatch.setattr("flowgauge.architectures.lag_reading.MOST_COEFFICIENTS", 4 * 225 * 2)
    parts = read_lags(member, windows, lags=2)
    np.testing.assert_allclose(parts.coefficients, whole.coefficients, rtol=0, atol=1e-14)
    np.testing.assert_allclose(parts.responses, whole.responses, rtol=0, atol=1e-14)


def test_reading_leaves_gradients_and_the_mode_alone():
    member, windows = filled(MEMBERS["attention"], 1), drawn(4, 5, 3, seed=2).requires_grad_()
    with torch.no_grad():
        read_lags(member, windows, lags=2)
    assert windows.grad is None
    assert all(p.grad is None for p in member.parameters())


@pytest.mark.parametrize("process", fits.PROCESSES)
def test_a_mamba_can_be_any_vector_autoregression(process):
    truth = fits.PROCESSES[process]
    windows = torch.cat([torch.ones(20, 9, 1).double(), 3 * drawn(20, 9, 3, seed=0)], dim=2)
    reading = read_lags(mamba_of(truth), windows, lags=4)
    for found, error in (
        (reading.coefficients, reading.coefficients_error),
        (reading.responses, reading.responses_error),
    ):
        # the same at every window: no average is needed, 1e-12 is rounding
        np.testing.assert_allclose(found[: len(truth), 1:, 1:], truth, rtol=0, atol=1e-12)
        np.testing.assert_allclose(found[len(truth) :, 1:, 1:], 0.0, rtol=0, atol=1e-12)
        assert error[:, 1:, 1:].max() <= 1e-12
    exact = pairwise_transfer_entropies(truth, fits.NOISE)
    read = pairwise_transfer_entropies(reading.responses[: len(truth), 1:, 1:], fits.NOISE)
    np.testing.assert_allclose(read, exact, rtol=0, atol=1e-10)


@pytest.mark.parametrize("name", MEMBERS)
def test_mean_responses_are_the_regression_of_a_nonlinear_member(name):
    """Stein's identity on correlated Gaussian windows; mean coefficients do not have it."""
    member = filled(MEMBERS[name], 3, scale=1.5)
    count, time = 20_000, 3
    mix = np.eye(9) + 0.3 * np.random.default_rng(4).normal(size=(9, 9))
    flat = np.random.default_rng(5).normal(size=(count, 9)) @ mix.T
    windows = torch.from_numpy(flat.reshape(count, time, 3))
    with torch.no_grad():
        target = member.parallel(windows)[:, -1].numpy()
    design = np.column_stack([np.ones(count), flat])
    solution = np.linalg.lstsq(design, target)[0]
    residuals = target - design @ solution
    bread = np.linalg.inv(design.T @ design)
    # residuals of a nonlinear member are not of one size: White's standard errors
    error = np.sqrt((bread @ design.T) ** 2 @ residuals**2)
    slopes, error = (m[1:].reshape(time, 3, 3)[::-1].swapaxes(1, 2) for m in (solution, error))
    reading = read_lags(member, windows, lags=time)
    responses_off = np.abs(reading.responses - slopes) / np.hypot(error, reading.responses_error)
    lens_off = np.abs(reading.coefficients - slopes) / np.hypot(error, reading.coefficients_error)
    # 27 numbers, both estimates on the same windows: 4.5 standard errors
    assert responses_off.max() < 4.5
    assert lens_off.max() > 20


def root_mean_square(errors):
    """Over data sets, the first axis."""
    return np.sqrt(np.mean(np.square(errors), axis=0))


@pytest.mark.parametrize(("name", "process"), [("mamba", "VAR(1)"), ("mamba2", "VAR(2)")])
def test_a_trained_member_gives_back_coefficients_and_transfer_entropies(name, process):
    """Tolerance: 4 sampling errors of least squares with all lags that are read.

    A member is not told the order, so it cannot do better than that regression; its errors are
    measured as the root mean square over 40 other data sets of the same size. 4 and not 3: up to 18
    numbers are compared, the member has weights beside those of the regression, and the transfer
    entropy of an absent coupling is like χ², with long tails.
    """
    truth = fits.PROCESSES[process]
    order, exact = len(truth), pairwise_transfer_entropies(truth, fits.NOISE)
    rng = np.random.default_rng(100)
    regressions = []
    for _ in range(40):
        data = fits.simulate(truth, 64, 64, rng)
        regressions.append(fits.least_squares(data, data, order, fits.READ))
    sampling = root_mean_square([f.coefficients[:order] - truth for f in regressions])
    entropy_sampling = root_mean_square([f.transfer_entropies - exact for f in regressions])
    data, fresh = (fits.simulate(truth, 64, 64, rng) for _ in range(2))
    found = fits.read(fits.trained(name, data, 0, 60), data, fresh, order)
    off = np.abs(found.coefficients[:order] - truth) / sampling
    assert off.max() < 4
    pairs = ~np.eye(fits.SERIES, dtype=bool)
    entropy_off = np.abs(found.transfer_entropies - exact)[pairs] / entropy_sampling[pairs]
    assert entropy_off.max() < 4
    # couplings that are there are told from those that are not, by far
    absent, there = found.transfer_entropies[pairs & (exact < 1e-9)], exact > 0.01
    assert found.transfer_entropies[there].min() > 5 * absent.max()


def test_least_squares_of_the_experiment_has_the_errors_of_the_textbook():
    truth = fits.PROCESSES["VAR(1)"]
    rng = np.random.default_rng(7)
    sets = [fits.simulate(truth, 64, 64, rng) for _ in range(80)]
    found = np.array([fits.least_squares(d, d, 1, 1).coefficients[0] for d in sets])
    past = np.concatenate([d[:, fits.SKIP - 1 : -1].reshape(-1, 3) for d in sets])
    precision = np.linalg.inv(past.T @ past / len(past))
    stated = np.sqrt(np.outer(np.diag(fits.NOISE), np.diag(precision)) / (64 * (64 - fits.SKIP)))
    # the spread of 80 runs is known to 8 %, nine entries: three of these
    np.testing.assert_allclose(root_mean_square(found - truth[0]), stated, rtol=0.25)


def test_pairwise_transfer_entropies_are_those_of_each_pair():
    truth = fits.PROCESSES["VAR(2)"]
    found = pairwise_transfer_entropies(truth, fits.NOISE)
    for x, y in ((0, 1), (1, 0), (0, 2), (2, 0), (1, 2), (2, 1)):
        rate = gaussian_directed_information_rate(truth, fits.NOISE, [x], [y])
        # two Riccati equations solved in another order of coordinates
        assert found[x, y] == pytest.approx(rate.transfer_entropy_nats, abs=1e-10)
    assert (np.diag(found) == 0).all()
    # nothing goes back
    assert found[[1, 2, 2], [0, 0, 1]].max() <= 1e-10
    assert found[[0, 0, 1], [1, 2, 2]].min() > 0.03


def test_bad_input_is_refused_in_words():
    member = MEMBERS["attention"]
    windows = drawn(4, 5, 3, dtype=torch.float32)
    with pytest.raises(SettingsError, match="lags=0: at least 1 is needed"):
        read_lags(member, windows, lags=0)
    with pytest.raises(ShapeError, match=r"shape \(4, 5, 3\); at least 2 windows of at least 6"):
        read_lags(member, windows, lags=6)
    with pytest.raises(ShapeError, match=r"shape \(1, 5, 3\); at least 2 windows"):
        read_lags(member, windows[:1], lags=2)
    with pytest.raises(ShapeError, match=r"u has shape \(4, 5, 2\)"):
        read_lags(member, windows[..., :2], lags=2)
    with pytest.raises(ShapeError, match=r"innovations have shape \(1, 1\): two series"):
        pairwise_transfer_entropies([[0.5]], [[1.0]])
    with pytest.raises(ShapeError, match=r"\(2, 2\) and innovations \(3, 3\)"):
        pairwise_transfer_entropies(np.zeros((2, 2)), np.eye(3))
    with pytest.raises(DistributionError, match="spectral radius 1: below 1"):
        pairwise_transfer_entropies(np.eye(2), np.eye(2))


def test_intervals_of_the_experiment_are_student_s():
    values = np.random.default_rng(0).normal(size=9)
    low, high = stats.t.interval(0.95, 8, values.mean(), stats.sem(values))
    assert run.interval(values.tolist()) == pytest.approx([values.mean(), low, high], abs=1e-12)
    # truths just inside, just outside
    edges = np.array([low + 1e-9, high + 1e-9])
    assert run.covered(np.stack([values, values], axis=1), edges) == [1, 2]
    assert run.factor([2.0, 8.0], [1.0, 2.0])[0] == pytest.approx(8**0.5, abs=1e-12)
    assert run.factor([2.0, 8.0], [2.0, 8.0]) is None


def test_tables_are_written_between_their_marks(tmp_path):
    page = tmp_path / "README.md"
    page.write_text("before\n<!-- tables -->\nold\n<!-- /tables -->\nafter\n", encoding="utf-8")
    run.write_tables(page, "new")
    assert page.read_text(encoding="utf-8") == (
        "before\n<!-- tables -->\n\nnew\n<!-- /tables -->\nafter\n"
    )
