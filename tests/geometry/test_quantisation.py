import numpy as np
import pytest

from flowgauge.geometry import euclidean_distances
from flowgauge.geometry.quantisation import MANY_POINTS, quantise


@pytest.mark.parametrize("anchors", [1, 10, 60])
def test_radius_bounds_what_the_cut_changes(anchors):
    rng = np.random.default_rng(0)
    x, p = rng.standard_normal((60, 3)), rng.dirichlet(np.ones(60))
    cut = quantise(x, p, anchors, rng)
    change = euclidean_distances(x) - euclidean_distances(cut.centres[cut.labels])
    assert p @ change**2 @ p <= cut.radius**2 + 1e-15


def test_centres_are_weighted_means_of_their_cells():
    rng = np.random.default_rng(1)
    x, p = rng.standard_normal((50, 2)), rng.dirichlet(np.ones(50))
    cut = quantise(x, p, 7, rng)
    for cell, centre in enumerate(cut.centres):
        inside = cut.labels == cell
        assert abs(cut.centre_weights[cell] - p[inside].sum()) < 1e-15
        np.testing.assert_allclose(centre, p[inside] @ x[inside] / p[inside].sum(), rtol=1e-12)


def test_points_are_drawn_by_weight_within_their_cell():
    rng = np.random.default_rng(2)
    x = np.array([[0.0], [0.1], [0.2], [9.0], [9.1]])
    p = np.array([0.1, 0.0, 0.3, 0.45, 0.15])
    cut = quantise(x, p, 2, rng)
    count = 20_000
    cell = cut.labels[0]
    drawn = np.bincount(cut.draw(np.full(count, cell), rng), minlength=5) / count
    # binomial noise: 5 standard errors; a point without weight is never drawn
    np.testing.assert_allclose(drawn, [0.25, 0, 0.75, 0, 0], atol=5 * np.sqrt(0.19 / count))
    assert drawn[1] == drawn[3] == drawn[4] == 0


def test_many_points_fall_into_few_cells():
    rng = np.random.default_rng(3)
    x = rng.random((MANY_POINTS + 1, 1))
    cut = quantise(x, np.full(len(x), 1 / len(x)), 20, rng)
    assert len(cut.centres) == 20
    # in 20 even cells the distance to the centre is uniform up to 1/40: √(2/3 + 1/2)/40 = 0.027
    assert 0.0269 < cut.radius < 0.035
