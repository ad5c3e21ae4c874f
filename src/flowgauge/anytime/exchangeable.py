"""The pool test: exact evidence whoever wrote the text, by exchangeability.

Take K counter-sources of the same kind beside the response's own source. If the response was
written without regard to which of the K+1 is its own, its likelihood under the own source is
exchangeable with the others, whatever the observer that computes them is worth.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from flowgauge.errors import DistributionError, ShapeError
from flowgauge.math.logspace import log_mean_exp
from flowgauge.math.validate import check_log_probabilities, is_count

_NULL = (
    "the response was written without regard to which of these {n} sources is its own "
    "(its own and {k} counter-source{s})"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeableEvidence:
    """Evidence that a response was written with regard to its own source.

    Attributes:
        log_e_value: log of P(u|s_0) over its mean in the pool; at most log(K+1) [nats].
        p_value: Share of the pool at least as likely as the own source; at least 1/(K+1).
        counter_sources: K.
        null: The null hypothesis in words.
    """

    log_e_value: float
    p_value: float
    counter_sources: int
    null: str

    @property
    def e_value(self) -> float:
        """Evidence with expectation exactly 1 under the null; at most K+1."""
        return math.exp(self.log_e_value)


class ExchangeableTest:
    """Pool test fed with one token at a time under all K+1 sources.

    Each prefix has a valid e-value of its own, but their *largest* has not: no Ville inequality
    holds along the tokens here. Read it at the end, or at a token that the text alone fixes.

    Args:
        counter_sources: K, at least 1.

    Example:
        >>> test = ExchangeableTest(counter_sources=1)
        >>> test.update(np.log([0.9, 0.3])).e_value
        1.5
    """

    __slots__ = ("_total",)

    def __init__(self, counter_sources: int) -> None:
        if not is_count(counter_sources):
            raise ShapeError(f"{counter_sources} counter-sources came; at least 1 is needed")
        self._total = np.zeros(counter_sources + 1)

    def update(self, log_p: npt.ArrayLike) -> ExchangeableEvidence:
        """Take log P(token | s_k) in, own source first; the evidence so far [nats]."""
        step = check_log_probabilities(log_p, "log_p")
        if step.shape != self._total.shape:
            raise ShapeError(f"log_p has shape {step.shape}, {self._total.shape} was needed")
        evidence = exchangeable_evidence(self._total + step)
        self._total = self._total + step
        return evidence


def exchangeable_evidence(log_likelihoods: npt.ArrayLike) -> ExchangeableEvidence:
    """Evidence that the response follows its own source rather than the pool [nats].

    e = P(u|s_0) / mean_{k=0..K} P(u|s_k) has expectation exactly 1 under the null for any observer,
    and p = (1 + #{k ≥ 1 : P(u|s_k) ≥ P(u|s_0)})/(K+1) is valid. Independent records multiply their
    e-values; sentences of one response average them. It is not evidence that the response is true,
    and not a probability that the source was used.

    Args:
        log_likelihoods: (K+1,) log P(u|s_k) of the whole response, its own source first; −inf is
            legal [nats].

    Returns:
        e-value and p-value with their null in words.

    Raises:
        ShapeError: There is no counter-source.
        DistributionError: NaN, a value above 0, or −inf under every source: the observer then says
            nothing about this response.

    References:
        [vovk:21] for e-values; [phipson:10] for the p-value; docs/paper_index.md, section 3.

    Example:
        >>> evidence = exchangeable_evidence([-10.0, -12.0, -14.0])
        >>> round(evidence.e_value, 3), round(evidence.p_value, 3)
        (2.6, 0.333)
    """
    log_p = check_log_probabilities(log_likelihoods, "log_likelihoods")
    k = len(log_p) - 1
    if k < 1:
        raise ShapeError(
            f"{len(log_p)} log-likelihood(s) came; the own source and at least one counter-source "
            "are needed"
        )
    if np.isneginf(log_p).all():
        raise DistributionError(
            f"all {k + 1} log-likelihoods are −inf: the response is impossible under every source, "
            "so the pool says nothing. Score with a law that leaves every token possible."
        )
    at_least = 1 + int(np.sum(log_p[1:] >= log_p[0]))
    return ExchangeableEvidence(
        log_e_value=float(log_p[0] - log_mean_exp(log_p)),
        p_value=at_least / (k + 1),
        counter_sources=k,
        null=_NULL.format(n=k + 1, k=k, s="" if k == 1 else "s"),
    )
