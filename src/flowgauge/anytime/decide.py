"""The verdict on one response: two anytime-valid tests with their nulls in words.

    test 1   null: drawn from Q, the reference law       e = exp(F_j)
    test 2   null: drawn from P, the prompted law        e = λ mixture; exp(−F_j) without moments

Both speak of which law the tokens follow, never about truth. Their level is exact only if the very
model that scores also drew the text, from the law that was scored.
"""

import math

from flowgauge.anytime.e_process import e_process
from flowgauge.anytime.tilted import tilted_e_process
from flowgauge.anytime.ville import VilleTest, check_alpha, ville
from flowgauge.records import Author, FloatArray, Flow, Sampling, Verdict

NULL_REFERENCE = "the text was drawn from the reference law Q (the source made no difference)"
NULL_PROMPTED = "the text was drawn from the prompted law P (it was written from this source)"


def decide(
    flow: Flow,
    *,
    alpha: float = 0.01,
    author: Author = Author.SOMEBODY_ELSE,
    sampling: Sampling | None = None,
    is_models_law: bool = True,
    is_sampled_law: bool = False,
) -> Verdict:
    """Which of the two laws the response contradicts, at any length [nats].

    "Neither" means that the tokens are too few or too alike under both laws to tell; it is not
    evidence that the source was ignored. Nothing here says whether the response is right.

    Args:
        flow: The flow of the response; its log moments, if any, sharpen the second test.
        alpha: Level of each of the two tests.
        author: Who wrote the response. Only `Author.OBSERVER` can make the levels exact.
        sampling: How the observer drew it; only plain sampling (temperature 1, no top-k, no top-p)
            draws from the law that was scored.
        is_models_law: Whether P is the observer's own law, not one made from it (a cache).
        is_sampled_law: Whether P is the law under these very sampling settings, as it is where a
            text was measured while it was drawn (`flowgauge.live.SamplingLaw`).

    Returns:
        The verdict: outcome, words, nulls, both evidences and their first crossings.

    Raises:
        SettingsError: `alpha` is not between 0 and 1.

    References:
        [bai:25] III-D; [ville:39]; docs/paper_index.md, section 3.

    Example:
        >>> import numpy as np
        >>> density = np.full(10, 0.6)
        >>> f = Flow(density=density, flow=np.cumsum(density), surprisal_q=np.full(10, 2.0))
        >>> verdict = decide(f, alpha=0.01)
        >>> verdict.outcome, verdict.first_crossing, verdict.is_exact
        ('driven by the source', 7, False)
    """
    check_alpha(alpha)
    with_source = ville(e_process(flow.density), alpha)
    against = ville(_evidence_against_prompted(flow), alpha)
    is_plain = sampling is not None and sampling.is_plain and is_models_law
    is_exact = author is Author.OBSERVER and (is_sampled_law or is_plain)
    outcome = _outcome(with_source, against)
    return Verdict(
        outcome=outcome,
        words=f"{_finding(outcome, with_source, against)} {_standing(author, sampling, is_exact)}",
        null=f"test 1: {NULL_REFERENCE}; test 2: {NULL_PROMPTED}",
        is_exact=is_exact,
        alpha=alpha,
        log_e_value=with_source.log_e_value,
        first_crossing=with_source.first_crossing,
        log_e_value_against=against.log_e_value,
        first_crossing_against=against.first_crossing,
    )


def _evidence_against_prompted(flow: Flow) -> FloatArray:
    if flow.log_moments is not None and flow.orders is not None:
        return tilted_e_process(flow.density, flow.log_moments, flow.orders)
    return e_process(-flow.density)


def _outcome(with_source: VilleTest, against: VilleTest) -> str:
    if with_source.rejects and against.rejects:
        return "both"
    if with_source.rejects:
        return "driven by the source"
    return "not from this source" if against.rejects else "neither"


def _finding(outcome: str, with_source: VilleTest, against: VilleTest) -> str:
    level = f"at level {with_source.alpha:g}"
    for_words = f"{_reached(with_source)} against the null that {NULL_REFERENCE}"
    against_words = f"{_reached(against)} against the null that {NULL_PROMPTED}"
    if outcome == "driven by the source":
        return f"Driven by the source {level}: {for_words}."
    if outcome == "not from this source":
        return f"Not from this source {level}: {against_words}."
    if outcome == "both":
        return f"Neither law fits {level}: {for_words}, and {against_words}."
    return f"Neither null is rejected {level}: {for_words}; {against_words}."


def _reached(test: VilleTest) -> str:
    reached = f"log e reached {test.log_e_value:.3g} nats"
    if test.first_crossing is None:
        return f"{reached} (log 1/alpha = {-math.log(test.alpha):.3g} was needed)"
    return f"{reached}, crossing log 1/alpha at token {test.first_crossing}"


def _standing(author: Author, sampling: Sampling | None, is_exact: bool) -> str:
    if is_exact:
        return "The level is exact: the model that scored the text drew it from the law scored."
    if author is Author.SOMEBODY_ELSE:
        reason = "somebody else wrote the text"
    elif sampling is None:
        reason = "how the text was drawn is not known"
    else:
        reason = "the law scored is not the law sampled from"
    return (
        f"The level is not exact: {reason}, so this is evidence relative to the observer; the "
        "exact test is the pool test."
    )
