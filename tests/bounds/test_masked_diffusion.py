import numpy as np
import pytest
from oracles.bounds import conditional, mean_over_orders

from flowgauge.bounds import ContinuousTime, KMasked, RandomOrder, masked_diffusion_elbo
from flowgauge.errors import DistributionError, SettingsError, ShapeError

FORMS = [ContinuousTime(), RandomOrder(), KMasked()]


def inconsistent(seed, length):
    """A predictor that belongs to no joint law: one random number per (mask, position)."""
    table = np.log(np.random.default_rng(seed).random((2**length, length)))

    def predict(mask):
        return table[int(mask @ (1 << np.arange(length)))]

    return predict


@pytest.mark.parametrize("length", [1, 2, 4, 6])
def test_all_forms_are_the_mean_over_all_orders(length):
    predict = inconsistent(length, length)
    orders, mixture = mean_over_orders(predict, length)
    for form in FORMS:
        bound = masked_diffusion_elbo(predict, length, form)
        # sums of up to 63 masks and 720 orders
        assert abs(bound.value - orders) < 1e-12
        # Jensen: below the likelihood of the mixture of orders
        assert bound.value <= mixture + 1e-12
        assert (bound.standard_error, bound.draws) == (0.0, 0)


def test_forms_agree_at_the_longest_length():
    predict = inconsistent(0, 8)
    values = [masked_diffusion_elbo(predict, 8, form).value for form in FORMS]
    np.testing.assert_allclose(values, values[0], atol=1e-12)


def test_equals_log_p_where_the_predictor_is_exact():
    rng = np.random.default_rng(1)
    joint = rng.dirichlet(np.ones(27)).reshape(3, 3, 3)
    for text in np.ndindex(3, 3, 3):
        for form in FORMS:
            bound = masked_diffusion_elbo(lambda mask, x=text: conditional(joint, x, mask), 3, form)
            assert abs(bound.value - np.log(joint[text])) < 1e-13


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_draws_are_unbiased(form):
    predict = inconsistent(2, 5)
    exact = masked_diffusion_elbo(predict, 5, form)
    sampled = masked_diffusion_elbo(predict, 5, form, draws=4000, rng=np.random.default_rng(3))
    assert abs(sampled.value - exact.value) < 5 * sampled.standard_error
    assert sampled.standard_error < 0.2
    assert sampled.form == form.name


def test_k_masked_has_less_variance_than_random_time():
    predict = inconsistent(4, 8)
    errors = [
        masked_diffusion_elbo(predict, 8, form, 3000, np.random.default_rng(5)).standard_error
        for form in (KMasked(), ContinuousTime())
    ]
    assert errors[0] < 0.7 * errors[1]


def test_the_same_seed_gives_the_same_number():
    predict = inconsistent(6, 12)
    first, second = (
        masked_diffusion_elbo(predict, 12, draws=10, rng=np.random.default_rng(7)) for _ in range(2)
    )
    assert first == second


def test_an_impossible_token_gives_minus_infinity():
    bound = masked_diffusion_elbo(lambda mask: np.where(mask, -np.inf, 0.0), 3)
    assert bound.value == -np.inf


def test_bad_input_is_named():
    predict = inconsistent(0, 9)
    with pytest.raises(SettingsError, match="511 masks; enumeration ends at 8"):
        masked_diffusion_elbo(predict, 9)
    with pytest.raises(SettingsError, match="draws = 5 without rng"):
        masked_diffusion_elbo(predict, 9, draws=5)
    with pytest.raises(SettingsError, match="draws = 1"):
        masked_diffusion_elbo(predict, 9, draws=1)
    with pytest.raises(SettingsError, match="length = 0"):
        masked_diffusion_elbo(predict, 0)
    with pytest.raises(ShapeError, match=r"shape \(3,\) to a mask of shape \(2,\)"):
        masked_diffusion_elbo(lambda _: np.zeros(3), 2)
    with pytest.raises(DistributionError, match=r"gave 0\.5 at masked position 0"):
        masked_diffusion_elbo(lambda _: np.full(2, 0.5), 2)
    with pytest.raises(DistributionError, match="gave nan"):
        masked_diffusion_elbo(lambda _: np.full(2, np.nan), 2)
