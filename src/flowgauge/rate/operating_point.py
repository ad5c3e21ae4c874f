"""Where a compressed or aligned model stands against R(D): its distortion, as people report it.

Theory §§5, 6: a quantized, pruned, distilled or fine-tuned model is an operating point with the
distortion KL(P‖P′) to the law it replaces and the rate I(S→U) under P′. Beside the mean stand the
numbers that the field usually prints: median and 99.9 % KL, top-1 agreement, perplexity ratio.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from flowgauge.errors import ShapeError
from flowgauge.math import check_log_distribution, kl_divergence
from flowgauge.records import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatingPoint:
    """Distortion of a model P′ against the law P it stands for, over some tokens.

    Attributes:
        distortion: Mean KL(P‖P′) per token [nats].
        standard_error: Of that mean, tokens taken as independent; within a text they are not, so it
            is too small there [nats].
        median: Median KL [nats].
        high: 99.9 % quantile of the KL [nats].
        largest: Largest KL [nats].
        top_1_agreement: Share of tokens whose likeliest token is the same.
        log_perplexity_ratio: Mean log P(u) − log P′(u) of the tokens written [nats]; its
            exponential is the ratio of perplexities. Negative when P′ likes the text better.
        tokens: How many.
    """

    distortion: float
    standard_error: float
    median: float
    high: float
    largest: float
    top_1_agreement: float
    log_perplexity_ratio: float
    tokens: int


def operating_point(
    log_p: npt.ArrayLike, log_p_model: npt.ArrayLike, written: npt.ArrayLike
) -> OperatingPoint:
    """Distortion of one model against another on the same tokens [nats].

    It is a distance between laws on these tokens, not a loss of quality; and no rate: that is the
    flow measured under P′ on the same texts (`flowgauge.pipeline.measure`).

    Args:
        log_p: (time, vocab) log laws of the model that is taken as true [nats].
        log_p_model: (time, vocab) log laws of its replacement on the same contexts [nats].
        written: (time,) ids of the tokens written.

    Returns:
        Mean, spread and the usual companions. +∞ where P′ forbids what P allows.

    Raises:
        DistributionError: A row is no log law; shows it.
        ShapeError: The shapes differ, or there is no token.

    References:
        [bai:25] III-B; docs/paper_index.md, section 5.

    Example:
        >>> p = np.log([[0.5, 0.5], [0.9, 0.1]])
        >>> point = operating_point(p, np.log([[0.5, 0.5], [0.8, 0.2]]), [0, 0])
        >>> round(point.distortion, 4), point.top_1_agreement, round(point.log_perplexity_ratio, 4)
        (0.0183, 1.0, 0.0589)
    """
    p, q = np.asarray(log_p, dtype=np.float64), np.asarray(log_p_model, dtype=np.float64)
    ids = np.asarray(written)
    if p.ndim != 2 or p.shape != q.shape or ids.shape != p.shape[:1] or not len(ids):
        raise ShapeError(
            f"log_p has shape {p.shape}, log_p_model {q.shape}, written {ids.shape}; "
            "(time, vocab) twice and (time,) with at least one token were needed"
        )
    if ids.dtype.kind not in "iu" or (ids < 0).any() or (ids >= p.shape[1]).any():
        raise ShapeError(
            f"written holds {ids.min()} … {ids.max()} of type {ids.dtype}; whole numbers from 0 to "
            f"{p.shape[1] - 1} were needed"
        )
    check_log_distribution(p, "log_p")
    check_log_distribution(q, "log_p_model")
    kl: FloatArray = kl_divergence(p, q)
    at = np.arange(len(ids))
    spread = float(kl.std(ddof=1)) if len(kl) > 1 and np.isfinite(kl).all() else float("inf")
    return OperatingPoint(
        distortion=float(kl.mean()),
        standard_error=spread / float(np.sqrt(len(kl))),
        median=float(np.median(kl)),
        high=float(np.quantile(kl, 0.999, method="higher")),
        largest=float(kl.max()),
        top_1_agreement=float((p.argmax(-1) == q.argmax(-1)).mean()),
        log_perplexity_ratio=float((p[at, ids] - q[at, ids]).mean()),
        tokens=len(ids),
    )
