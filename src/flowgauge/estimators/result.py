"""What every estimator of this folder returns, and how terms become a value with its error.

An estimator evaluates n pairs it has not been fitted to and gives one value with one influence per
pair; the standard error is the spread of the influences over √n. Sums and differences of estimates
made on the same pairs add and subtract influences, so that errors of terms that share pairs are not
counted as independent. Numpy alone.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from flowgauge.errors import SettingsError
from flowgauge.estimators.samples import Context, Variable
from flowgauge.records import FloatArray

#: What sums of thousands of terms of order 1 may be off by; keeps 0 ± 0 from excluding 0 [nats].
_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class InformationEstimate:
    """An estimate of information from samples, with its error and what it may claim [nats].

    The interval is the normal one around `value_nats`. It covers the quantity that the fitted
    critic or density stands for (a bound, a difference of cross-entropies), not the true
    information: misfit is not in it.

    Attributes:
        value_nats: The estimate; may be below 0 where the truth is 0.
        standard_error: Of the value, over fresh evaluation pairs, the fit held fixed; over fresh
            fits as well the spread was 1.2 to 1.3 times that on Gaussians [nats].
        confidence_interval: Lower and upper end; the upper one is at least 0 [nats].
        confidence_level: Coverage asked of the interval.
        n: Pairs (or sequences) evaluated; those used to fit and to stop are not among them.
        log_n_limit: log n: the order no distribution-free high-confidence lower bound can pass.
        is_lower_bound: Whether the quantity estimated is at most the true information; sampling
            error aside.
        converged: Whether every fit stopped by itself before its last step.
        steps: Gradient steps of all fits together; 0 where nothing is fitted by steps.
        warning: What a reader must know, "" if nothing.
        estimator: Name of the estimator.
        terms_nats: The conditional terms that were added, one per time step; the value itself for a
            single pair.
    """

    value_nats: float
    standard_error: float
    confidence_interval: tuple[float, float]
    confidence_level: float
    n: int
    log_n_limit: float
    is_lower_bound: bool
    converged: bool
    steps: int
    warning: str
    estimator: str
    terms_nats: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """One term as an estimator hands it over.

    Attributes:
        value: The term [nats].
        influence: (n,) influence of each evaluated pair, up to a constant [nats].
        is_lower_bound: Whether the quantity estimated is at most the true information.
        steps, converged: Of the fits.
        warnings: What a reader must know.
    """

    value: float
    influence: FloatArray
    is_lower_bound: bool
    steps: int = 0
    converged: bool = True
    warnings: tuple[str, ...] = field(default=())


class Estimator(Protocol):
    """What `estimate_mutual_information` and `estimate_directed_information` ask of an estimator.

    Rows arrive shuffled; the estimator cuts its own splits by position, so that terms made from the
    same rows are evaluated on the same pairs.
    """

    @property
    def is_variational(self) -> bool:
        """Whether log n is the order of the largest value that can be certified."""

    def evaluate(
        self, x: Context, y: Variable, z: Context, *, rng: np.random.Generator
    ) -> Evaluation:
        """I(x; y | z), z possibly empty [nats]."""


def subtract(whole: Evaluation, part: Evaluation) -> Evaluation:
    """Difference of two terms made on the same pairs; never a bound."""
    return Evaluation(
        value=whole.value - part.value,
        influence=whole.influence - part.influence,
        is_lower_bound=False,
        steps=whole.steps + part.steps,
        converged=whole.converged and part.converged,
        warnings=(*whole.warnings, *part.warnings),
    )


def summarise(
    terms: Sequence[Evaluation], *, estimator: Estimator, confidence_level: float
) -> InformationEstimate:
    """Adds terms made on the same pairs and states value, error, interval and warnings."""
    from scipy.special import ndtri

    if not 0 < confidence_level < 1:
        raise SettingsError(
            f"{confidence_level=}: a level strictly between 0 and 1 is needed, such as 0.95"
        )
    value = math.fsum(term.value for term in terms)
    influence = np.sum([term.influence for term in terms], axis=0)
    n = len(influence)
    standard_error = float(np.std(influence, ddof=1)) / math.sqrt(n)
    half = float(ndtri(0.5 + confidence_level / 2)) * standard_error + _ROUNDING
    warnings = [text for term in terms for text in term.warnings]
    if estimator.is_variational and value > math.log(n):
        warnings.insert(0, _log_n_warning(value, n))
    return InformationEstimate(
        value_nats=value,
        standard_error=standard_error,
        # information is never below 0: an interval wholly below it is stretched to meet it
        confidence_interval=(value - half, max(value + half, 0.0)),
        confidence_level=confidence_level,
        n=n,
        log_n_limit=math.log(n),
        is_lower_bound=all(term.is_lower_bound for term in terms),
        converged=all(term.converged for term in terms),
        steps=sum(term.steps for term in terms),
        warning=" ".join(dict.fromkeys(warnings)),
        estimator=type(estimator).__name__,
        terms_nats=tuple(term.value for term in terms),
    )


def _log_n_warning(value: float, n: int) -> str:
    """The limit of McAllester & Stratos (2020) in words."""
    return (
        f"The estimate of {value:.3f} nats is above log n = {math.log(n):.3f} for the n = {n} "
        "pairs evaluated: no distribution-free high-confidence lower bound from n samples can "
        "exceed O(log n) (McAllester & Stratos 2020), so it certifies nothing of this size. "
        "Evaluate more pairs, or use DifferenceOfEntropies."
    )
