"""Geometry of embeddings: how alike two spaces are and how few dimensions keep one.

Gromov–Wasserstein with bounds, Johnson–Lindenstrauss, measured projections, compressive sensing,
intrinsic dimension, neighbour overlap and CKA (section 7 of the theory). POT (extra `geometry`)
and scikit-learn are loaded by the functions that need them.
"""

from flowgauge.geometry.bounds import (
    BoundSettings,
    GromovWassersteinBounds,
    gromov_wasserstein_bounds,
)
from flowgauge.geometry.dimension import MLE, IntrinsicDimension, TwoNN, intrinsic_dimension
from flowgauge.geometry.distortion import coupling_distortion
from flowgauge.geometry.gromov import (
    GromovWasserstein,
    GromovWassersteinSettings,
    gromov_wasserstein,
)
from flowgauge.geometry.inputs import euclidean_distances
from flowgauge.geometry.johnson_lindenstrauss import (
    johnson_lindenstrauss_dimension,
    johnson_lindenstrauss_failure,
)
from flowgauge.geometry.low_rank import (
    LowRankGromovWasserstein,
    LowRankSettings,
    low_rank_gromov_wasserstein,
)
from flowgauge.geometry.neighbours import NeighbourOverlap, neighbour_overlap
from flowgauge.geometry.projection import (
    ProjectionDistortion,
    gaussian_map,
    pca_map,
    prefix_map,
    projection_distortion,
    sparse_map,
)
from flowgauge.geometry.recovery import (
    RecoveryTransition,
    TransitionSettings,
    lasso,
    orthogonal_matching_pursuit,
    sparse_recovery_transition,
    weak_threshold,
)
from flowgauge.geometry.sampled import (
    Estimate,
    SampledGromovWasserstein,
    SampledSettings,
    sampled_gromov_wasserstein,
)
from flowgauge.geometry.similarity import linear_cka
from flowgauge.geometry.solvers import (
    ConditionalGradient,
    Entropic,
    first_bound_start,
    identity_start,
    product_start,
    third_bound_start,
)

__all__ = [
    "MLE",
    "BoundSettings",
    "ConditionalGradient",
    "Entropic",
    "Estimate",
    "GromovWasserstein",
    "GromovWassersteinBounds",
    "GromovWassersteinSettings",
    "IntrinsicDimension",
    "LowRankGromovWasserstein",
    "LowRankSettings",
    "NeighbourOverlap",
    "ProjectionDistortion",
    "RecoveryTransition",
    "SampledGromovWasserstein",
    "SampledSettings",
    "TransitionSettings",
    "TwoNN",
    "coupling_distortion",
    "euclidean_distances",
    "first_bound_start",
    "gaussian_map",
    "gromov_wasserstein",
    "gromov_wasserstein_bounds",
    "identity_start",
    "intrinsic_dimension",
    "johnson_lindenstrauss_dimension",
    "johnson_lindenstrauss_failure",
    "lasso",
    "linear_cka",
    "low_rank_gromov_wasserstein",
    "neighbour_overlap",
    "orthogonal_matching_pursuit",
    "pca_map",
    "prefix_map",
    "product_start",
    "projection_distortion",
    "sampled_gromov_wasserstein",
    "sparse_map",
    "sparse_recovery_transition",
    "third_bound_start",
    "weak_threshold",
]
