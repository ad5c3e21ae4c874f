"""A threshold on support with a finite-sample guarantee, from labels (split conformal).

Rank the n calibration responses that people found unsupported. At most a share α of further ones
passes a threshold set just above one of the highest ranks; which rank follows exactly from α and
the confidence, whatever the law of the scores: the share of the long run above a rank has a beta
law, the number among the next m a beta-binomial one [vovk:12, marques:25]. Numpy and scipy alone.
"""

import math
from bisect import bisect_left
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from flowgauge.errors import SettingsError, UnreachableError
from flowgauge.math.validate import is_count
from flowgauge.records import FloatArray
from flowgauge.support.proportion import check_share, finite

#: What a tail probability may be off by, relatively; keeps 19/20 from missing 0.95.
_ROUNDING = 1e-9
#: Up to here logarithms of binomials are right to more digits than that.
MOST_FUTURE = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ConformalThreshold:
    """A threshold on support and what it guarantees about unsupported responses.

    Attributes:
        threshold: The lowest support that passes.
        alpha: Largest share of unsupported responses that may pass.
        confidence: Confidence that was asked.
        confidence_held: Confidence that holds, at least `confidence`; exact if no scores tie.
        n: Unsupported calibration responses.
        passing: How many of these pass.
        future: The guarantee is about the next `future` unsupported responses; None: about all that
            will ever come.
    """

    threshold: float
    alpha: float
    confidence: float
    confidence_held: float
    n: int
    passing: int
    future: int | None

    @property
    def shown(self) -> str:
        """The threshold at four decimals, rounded up, so that what is printed keeps its word."""
        return str(Decimal(self.threshold).quantize(Decimal("0.0001"), ROUND_CEILING))

    @property
    def words(self) -> str:
        """The guarantee as sentences."""
        of = "Of all unsupported responses to come, at most"
        most = f"{100 * self.alpha:g} %"
        if self.future is not None:
            of = f"Of the next {self.future} unsupported responses, at most"
            most = f"{most} ({_most_passing(self.alpha, self.future)})"
        # Rounded down, so that no more is promised than there is.
        held = max(100 * self.confidence, math.floor(1e4 * self.confidence_held) / 100)
        return (
            f"{of} {most} reach a support of {self.shown}. This holds with confidence {held:g} % "
            f"({100 * self.confidence:g} % was asked): so often does a fresh draw of {self.n} "
            "unsupported responses to label lead to a threshold that keeps it. It speaks of "
            "responses that come as the labelled ones came, seen by the same model."
        )

    def passes(self, support: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Whether each support reaches the threshold, in the shape that came.

        Raises:
            InputError: A support is not a finite number.
        """
        return np.asarray(finite(support, "support") >= self.threshold)


def conformal_threshold(
    unsupported: npt.ArrayLike,
    *,
    alpha: float = 0.1,
    confidence: float = 0.95,
    future: int | None = None,
) -> ConformalThreshold:
    """Lowest threshold that at most a share alpha of unsupported responses passes [support].

    Exactly, with S_(1) ≥ S_(2) ≥ … the scores that came: the threshold stands just above S_(k+1),
    with the largest k for which, when no scores tie,

        long run     P(Beta(k+1, n−k) ≤ α) ≥ confidence
        next m       P(BetaBinomial(m, k+1, n−k) ≤ ⌊αm⌋) ≥ confidence

    Ties only make fewer responses pass. The probability is over the draw of the calibration
    responses (and of the next m), once: it is no probability that a given response is supported,
    says nothing of supported responses, and is void for text, models or labelling unlike those of
    the calibration. Several responses to one source are not independent draws; where sources are
    few, label one response of each.

    Args:
        unsupported: (response,) support of the responses that people found unsupported.
        alpha: Largest share of unsupported responses that may pass, between 0 and 1.
        confidence: Least confidence that it holds, between 0 and 1.
        future: m, to guarantee the share among the next m unsupported responses, which needs them
            to be exchangeable with the labelled ones and no more; None for the long run, which
            needs independent draws.

    Returns:
        The threshold, with the confidence that really holds.

    Raises:
        InputError: A score is not a finite number.
        SettingsError: alpha, confidence or future out of range.
        UnreachableError: Too few unsupported responses; shows how many are needed.

    References:
        [vovk:12] for guarantees that hold given the calibration set; [angelopoulos:23];
        [marques:25] for both laws; docs/paper_index.md, section Support.

    Example:
        >>> found = conformal_threshold(np.linspace(0.0, 0.5, 51), alpha=0.1, confidence=0.9)
        >>> found.shown, found.passing, round(found.confidence_held, 3)
        ('0.4901', 1, 0.969)
    """
    scores = np.sort(finite(unsupported, "unsupported").ravel())
    _check_settings(alpha, confidence, future)
    n, bearable = len(scores), _bearable(confidence)
    if n == 0 or _miss(0, n, alpha, future) > bearable:
        needed = labels_needed(alpha=alpha, confidence=confidence, future=future)
        raise UnreachableError(
            f"{n} response{'' if n == 1 else 's'} marked unsupported came; {needed} are needed to "
            f"guarantee alpha = {alpha:g} with confidence {confidence:g}"
            f"{'' if future is None else f' for the next {future}'}. Label "
            f"{needed - n} more, or ask for a larger alpha or a lower confidence"
        )
    # Misses grow with k: the last k that misses seldom enough, of which 0 is one.
    k = bisect_left(range(1, n), True, key=lambda k: _miss(k, n, alpha, future) > bearable)
    threshold = float(np.nextafter(scores[n - 1 - k], np.inf))
    return ConformalThreshold(
        threshold=threshold,
        alpha=float(alpha),
        confidence=float(confidence),
        confidence_held=1.0 - _miss(k, n, alpha, future),
        n=n,
        passing=int(np.sum(scores >= threshold)),
        future=None if future is None else int(future),
    )


def labels_needed(
    *, alpha: float = 0.1, confidence: float = 0.95, future: int | None = None
) -> int:
    """Least number of unsupported responses for which a threshold exists [responses].

    For the long run ⌈log(1 − confidence)/log(1 − α)⌉: with so many, the highest score of the
    calibration is enough. For the next m it is searched; it always exists. More labels than these
    lower the threshold, so that fewer supported responses are held back.

    Args:
        alpha: Largest share of unsupported responses that may pass, between 0 and 1.
        confidence: Least confidence that it holds, between 0 and 1.
        future: Number of unsupported responses to come that it is about; None for all.

    Returns:
        Number of responses that people found unsupported, not of all responses.

    Raises:
        SettingsError: alpha, confidence or future out of range.

    Example:
        >>> labels_needed(), labels_needed(alpha=0.05), labels_needed(future=20)
        (29, 59, 33)
    """
    _check_settings(alpha, confidence, future)
    bearable = _bearable(confidence)
    if future is None:
        return max(1, math.ceil(math.log(bearable) / math.log1p(-alpha)))

    def is_enough(n: int) -> bool:
        return _miss(0, n, alpha, future) <= bearable

    most = 1
    while not is_enough(most):
        most *= 2
    return most // 2 + 1 + bisect_left(range(most // 2 + 1, most), True, key=is_enough)


def _miss(k: int, n: int, alpha: float, future: int | None) -> float:
    """P(more than a share alpha lies above the (k+1)-th highest of n), without ties.

    Among the next m: of the highest k+1+⌊αm⌋ of all n+m, at most k are calibration ones. This
    urn has k+1 terms; scipy's betabinom and hypergeom give the same a hundred times slower.
    """
    from scipy.special import betainc

    if future is None:
        return float(betainc(n - k, k + 1, 1.0 - alpha))
    m = int(future)
    top = k + 1 + _most_passing(alpha, m)
    drawn = np.arange(max(0, top - m), k + 1)
    log_p = _log_choose(n, drawn) + _log_choose(m, top - drawn) - _log_choose(n + m, top)
    return float(np.exp(log_p).sum())


def _log_choose(n: int, k: npt.ArrayLike) -> FloatArray:
    from scipy.special import betaln

    k = np.asarray(k, dtype=np.float64)
    return np.asarray(-betaln(n - k + 1, k + 1) - math.log(n + 1))


def _bearable(confidence: float) -> float:
    """Largest chance of a miss, with room for rounding."""
    return (1.0 - confidence) * (1.0 + _ROUNDING)


def _most_passing(alpha: float, future: int) -> int:
    """⌊αm⌋ of the decimal number that was asked: 0.29 of 100 is 29."""
    return math.floor(Fraction(str(float(alpha))) * int(future))


def _check_settings(alpha: float, confidence: float, future: int | None) -> None:
    check_share("alpha", alpha)
    check_share("confidence", confidence)
    if future is None:
        return
    if isinstance(future, bool) or not is_count(future) or future > MOST_FUTURE:
        raise SettingsError(
            f"future is {future!r}; a number of responses from 1 to {MOST_FUTURE} was needed, or "
            "None for all to come"
        )
