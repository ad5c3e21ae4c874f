"""P(a person says supported | support) by isotonic regression, and how far it can be relied on.

The curve is the one that scikit-learn's pool-adjacent-violators finds [zadrozny:02]. How reliable
its probabilities are is measured on responses (or groups of them) that the curve was not fitted to.
Numpy here; scikit-learn loads when a curve is fitted.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from flowgauge.errors import InputError, ShapeError
from flowgauge.records import FloatArray
from flowgauge.support.proportion import Proportion, clopper_pearson, finite

#: Folds of the cross-validation, if there are as many of the rarer answer and as many groups.
MOST_FOLDS = 10
#: Bins of the picture, and the fewest responses a bin should hold.
MOST_BINS, LEAST_IN_BIN = 10, 8

Answers = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class IsotonicProbability:
    """A rising curve from support to the probability that a person says "supported".

    Attributes:
        support: (knot,) supports, rising.
        probability: (knot,) probabilities at the knots, never falling; straight lines between them,
            constant outside.
    """

    support: tuple[float, ...]
    probability: tuple[float, ...]

    def __post_init__(self) -> None:
        x, y = np.array(self.support), np.array(self.probability)
        if not (len(x) == len(y) >= 1 and np.isfinite(x).all() and np.isfinite(y).all()):
            raise ShapeError(
                f"{len(x)} supports and {len(y)} probabilities came; as many finite ones of each, "
                "at least 1, were needed"
            )
        if (np.diff(x) <= 0).any() or (np.diff(y) < 0).any() or y[0] < 0 or y[-1] > 1:
            raise InputError(
                "the knots of a probability curve must rise in support and not fall in "
                f"probability, within 0 and 1; {self.support} and {self.probability} came"
            )

    def __call__(self, support: npt.ArrayLike) -> FloatArray:
        """Probability that a person says "supported", in the shape that came [probability].

        Raises:
            InputError: A support is not a finite number.
        """
        return np.asarray(np.interp(finite(support, "support"), self.support, self.probability))


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """Responses of about one predicted probability.

    Attributes:
        lowest, highest: Predicted probabilities in it.
        predicted: Their mean.
        observed: How many of them people found supported, with the interval.
    """

    lowest: float
    highest: float
    predicted: float
    observed: Proportion


@dataclass(frozen=True, slots=True, kw_only=True)
class Reliability:
    """How far predicted probabilities agree with people, on responses not fitted to.

    Attributes:
        bins: The reliability picture, by rising prediction.
        brier: Mean squared distance of prediction and answer; 0 is best.
        brier_base: The same for the constant that predicts the base rate.
        log_loss_nats: Mean of −log of the probability given to the answer [nats].
        expected_calibration_error: Mean distance of predicted and observed share over the bins,
            weighted by their sizes. It depends on the bins, and is above 0 by chance alone.
        n: Responses.
        folds: Parts of the cross-validation.
        groups: Groups that were kept whole in it; n where every response stands alone.
    """

    bins: tuple[Bin, ...]
    brier: float
    brier_base: float
    log_loss_nats: float
    expected_calibration_error: float
    n: int
    folds: int
    groups: int


def isotonic_probability(support: npt.ArrayLike, supported: npt.ArrayLike) -> IsotonicProbability:
    """Fit P(a person says supported | support) that never falls [probability].

    Least squares under the order alone, held within 1/(n+2) and (n+1)/(n+2), Laplace's rule of
    succession: n answers do not show more. On the responses it was fitted to it looks better than
    it is; see `measure_reliability`. It is a share among responses like the labelled ones, with
    supported ones as frequent as there; it is not the chance that a response is true.

    Args:
        support: (response,) how well each is supported.
        supported: (response,) whether a person found it supported.

    Returns:
        The curve.

    Raises:
        ShapeError: Lengths differ.
        InputError: Support is not finite, answers are not booleans, or all of one class.

    References:
        [zadrozny:02].

    Example:
        >>> curve = isotonic_probability([0.1, 0.2, 0.6, 0.8], [False, True, False, True])
        >>> curve([0.0, 0.15, 0.9]).round(3)
        array([0.167, 0.333, 0.833])
    """
    x, y = _pairs(support, supported)
    return _fit(x, y)


def measure_reliability(
    support: npt.ArrayLike,
    supported: npt.ArrayLike,
    *,
    groups: Sequence[str] | None = None,
    rng: np.random.Generator | None = None,
) -> Reliability:
    """Agreement of isotonic probabilities with people, by cross-validation [probability].

    Each response is predicted by a curve fitted to the other folds. Folds hold both answers in
    about equal shares and keep groups whole. Bins hold about as many responses each; responses of
    one prediction are never parted.

    Args:
        support: (response,) how well each is supported.
        supported: (response,) whether a person found it supported.
        groups: (response,) names; responses of one group (one source, one person) stay in one
            fold. None: every response stands alone.
        rng: Deals responses to folds; np.random.default_rng(0) if absent.

    Returns:
        Bins and scores of the out-of-fold predictions.

    Raises:
        ShapeError: Lengths differ.
        InputError: As for `isotonic_probability`; or fewer than 2 of an answer, or 1 group alone.

    References:
        [brier:50]; [degroot:83] for the picture.

    Example:
        >>> x = np.linspace(0.0, 1.0, 40)
        >>> found = measure_reliability(x, x > 0.5)
        >>> len(found.bins), round(found.brier, 3), round(found.brier_base, 3)
        (3, 0.01, 0.25)
    """
    x, y = _pairs(support, supported)
    names = np.arange(len(x)) if groups is None else _group_numbers(groups, len(x))
    count = len(np.unique(names))
    folds = min(MOST_FOLDS, int(y.sum()), int((~y).sum()), count)
    if folds < 2:
        raise InputError(
            f"{int(y.sum())} supported and {int((~y).sum())} unsupported responses in {count} "
            f"group{'' if count == 1 else 's'} came; at least 2 of each answer and 2 groups are "
            "needed to check the probabilities. Label more"
        )
    predicted = _out_of_fold(x, y, names, folds, rng or np.random.default_rng(0))
    bins = _bins(predicted, y)
    gaps = [b.observed.n * abs(b.observed.share - b.predicted) for b in bins]
    return Reliability(
        bins=bins,
        brier=float(np.mean((predicted - y) ** 2)),
        brier_base=float(y.mean() * (1 - y.mean())),
        log_loss_nats=float(-np.mean(np.log(np.where(y, predicted, 1 - predicted)))),
        expected_calibration_error=sum(gaps) / len(y),
        n=len(y),
        folds=folds,
        groups=count,
    )


def _fit(x: FloatArray, y: Answers) -> IsotonicProbability:
    from sklearn.isotonic import IsotonicRegression

    least = 1 / (len(x) + 2)
    found = IsotonicRegression(y_min=least, y_max=1 - least, out_of_bounds="clip").fit(x, y)
    return IsotonicProbability(
        support=tuple(map(float, found.X_thresholds_)),
        probability=tuple(map(float, np.maximum.accumulate(found.y_thresholds_))),
    )


def _out_of_fold(
    x: FloatArray, y: Answers, names: npt.NDArray[np.int64], folds: int, rng: np.random.Generator
) -> FloatArray:
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    how = {"n_splits": folds, "shuffle": True, "random_state": int(rng.integers(2**31))}
    if len(np.unique(names)) < len(x):
        splits = StratifiedGroupKFold(**how).split(x, y, names)
    else:  # the plain splitter balances better where no group has two members
        splits = StratifiedKFold(**how).split(x, y)
    predicted = np.full(len(x), np.nan)
    for fitted, held_out in splits:
        predicted[held_out] = _fit(x[fitted], y[fitted])(x[held_out])
    return predicted


def _bins(predicted: FloatArray, y: Answers) -> tuple[Bin, ...]:
    n = len(predicted)
    count = min(MOST_BINS, max(2, n // LEAST_IN_BIN))
    _, place, sizes = np.unique(predicted, return_inverse=True, return_counts=True)
    # The middle rank of equal predictions decides, so that they stay together.
    middle = np.cumsum(sizes) - sizes / 2
    number = np.floor(middle * count / n).astype(int)[place]
    bins = []
    for k in np.unique(number):
        own = number == k
        bins.append(
            Bin(
                lowest=float(predicted[own].min()),
                highest=float(predicted[own].max()),
                predicted=float(predicted[own].mean()),
                observed=clopper_pearson(int(y[own].sum()), int(own.sum())),
            )
        )
    return tuple(bins)


def _pairs(support: npt.ArrayLike, supported: npt.ArrayLike) -> tuple[FloatArray, Answers]:
    x, y = finite(support, "support"), np.asarray(supported)
    if x.ndim != 1 or y.shape != x.shape:
        raise ShapeError(
            f"support has shape {x.shape} and supported {y.shape}; one number and one answer a "
            "response were needed"
        )
    if y.dtype != np.bool_:
        raise InputError(f"supported has dtype {y.dtype}; True or False were needed")
    if y.all() or not y.any():
        which = "supported" if y.all() else "unsupported"
        raise InputError(
            f"all {len(y)} responses are marked {which}; a probability needs both answers. Label "
            f"responses that are {'un' if y.all() else ''}supported too"
        )
    return x, y


def _group_numbers(groups: Sequence[str], n: int) -> npt.NDArray[np.int64]:
    if len(groups) != n:
        raise ShapeError(f"{len(groups)} groups came for {n} responses; one each was needed")
    return np.unique(np.array([str(g) for g in groups]), return_inverse=True)[1]
