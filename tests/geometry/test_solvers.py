import numpy as np
import pytest

from flowgauge.errors import SettingsError
from flowgauge.geometry import (
    ConditionalGradient,
    Entropic,
    GromovWassersteinSettings,
    coupling_distortion,
    euclidean_distances,
    gromov_wasserstein,
    gromov_wasserstein_bounds,
)
from flowgauge.geometry import solvers as module


@pytest.fixture
def spaces():
    rng = np.random.default_rng(0)
    c = euclidean_distances(rng.standard_normal((12, 3)))
    d = euclidean_distances(rng.standard_normal((9, 2)))
    p, q = rng.dirichlet(np.ones(12)), rng.dirichlet(np.ones(9))
    return module.Spaces(c1=c, c2=d, p=p, q=q, bounds=gromov_wasserstein_bounds(c, d, p, q))


@pytest.mark.parametrize(
    "solver",
    [
        ConditionalGradient(),
        Entropic(),
        Entropic(epsilon=0.05, refine=None),
        Entropic(epsilon=1e-9),
    ],
)
@pytest.mark.parametrize(
    "start",
    [
        module.product_start,
        module.first_bound_start,
        module.third_bound_start,
        module.random_start(np.random.default_rng(1)),
    ],
)
def test_every_solver_returns_a_coupling(spaces, solver, start):
    end = solver(spaces, start(spaces))
    np.testing.assert_allclose(end.coupling.sum(axis=1), spaces.p, atol=1e-12)
    np.testing.assert_allclose(end.coupling.sum(axis=0), spaces.q, atol=1e-12)
    assert np.all(end.coupling >= 0)
    assert end.iterations >= 1


@pytest.mark.parametrize("start", [module.product_start, module.third_bound_start])
def test_conditional_gradient_never_gets_worse(spaces, start):
    before = coupling_distortion(spaces.c1, spaces.c2, start(spaces))
    end = ConditionalGradient()(spaces, start(spaces))
    assert end.converged
    assert coupling_distortion(spaces.c1, spaces.c2, end.coupling) <= before + 1e-12


def test_one_step_is_not_called_converged(spaces):
    end = ConditionalGradient(max_iterations=1)(spaces, module.product_start(spaces))
    assert (end.iterations, end.converged) == (1, False)


def test_an_unfinished_transport_is_not_called_converged(spaces, monkeypatch):
    assert ConditionalGradient()(spaces, module.product_start(spaces)).converged
    monkeypatch.setattr(module, "MAX_PIVOTS", 1)
    assert not ConditionalGradient()(spaces, module.product_start(spaces)).converged


def test_a_collapsed_entropic_run_is_not_called_converged(spaces):
    # exp(−cost/ε) underflows in every entry, so POT's plan cannot be used
    end = Entropic(epsilon=1e-9, refine=None)(spaces, module.product_start(spaces))
    assert not end.converged


def test_refinement_improves_on_the_blurred_coupling(spaces):
    start = module.product_start(spaces)
    blurred = Entropic(epsilon=0.05, refine=None)(spaces, start)
    refined = Entropic(epsilon=0.05)(spaces, start)
    values = [coupling_distortion(spaces.c1, spaces.c2, e.coupling) for e in (refined, blurred)]
    assert blurred.converged
    assert values[0] < values[1]


def test_solvers_do_not_depend_on_the_unit():
    rng = np.random.default_rng(5)
    c, d = (euclidean_distances(rng.standard_normal((10, k))) for k in (2, 3))
    for solver in (ConditionalGradient(), Entropic()):
        chosen = GromovWassersteinSettings(solver=solver)
        one, large = (gromov_wasserstein(s * c, s * d, settings=chosen) for s in (1.0, 1e6))
        # same vertices, values scaled by 1e12
        assert abs(large.value / one.value / 1e12 - 1) < 1e-9


def test_identity_start_only_where_it_applies(spaces):
    assert module.identity_start(spaces) is None


@pytest.mark.parametrize("bad", [{"max_iterations": 0}, {"tolerance": 0.0}, {"tolerance": np.nan}])
def test_settings_out_of_range_are_refused(bad):
    with pytest.raises(SettingsError, match=r"max_iterations ≥ 1 and tolerance > 0"):
        ConditionalGradient(**bad)
    with pytest.raises(SettingsError, match=r"epsilon > 0, outer and inner iterations ≥ 1"):
        Entropic(**bad)


def test_epsilon_must_be_positive():
    with pytest.raises(SettingsError, match=r"epsilon > 0"):
        Entropic(epsilon=0.0)
