"""Masked diffusion, joined: likelihood bound of a response, its flow, a verdict over many orders.

Record --compose, align--> Tokens --score_unmasking--> columns --flow--> Flow --decide--> …
Context --log p of masked tokens--> predictor --masked_diffusion_elbo--> bound
"""

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from flowgauge.anytime import merge_e_values
from flowgauge.anytime.ville import check_alpha
from flowgauge.bounds import KMasked, MaskedDiffusionElbo, masked_diffusion_elbo
from flowgauge.bounds.masked_diffusion import ElboForm
from flowgauge.errors import RecordError, ShapeError
from flowgauge.flow import flow
from flowgauge.models.masked_diffusion import MaskedLanguageModel
from flowgauge.pipeline.prepare import prepare
from flowgauge.records import FailedRow, FloatArray, Flow, IntArray, Record, Tokens
from flowgauge.scores.plan import Context
from flowgauge.scores.unmasking import (
    BATCH_TOKENS,
    UnmaskedScores,
    masked_log_probabilities,
    score_unmasking,
)
from flowgauge.scores.unmasking_order import BoolArray, Unmasking
from flowgauge.text import Omit, Reference, Template, default_template


def response_elbo(
    context: Context,
    lm: MaskedLanguageModel,
    form: ElboForm | None = None,
    draws: int = 0,
    rng: np.random.Generator | None = None,
    batch_tokens: int = BATCH_TOKENS,
) -> MaskedDiffusionElbo:
    """Lower bound on log p(response | prompt) of a masked-diffusion model [nats].

    The response's length is given, and no end token is counted. See `masked_diffusion_elbo` for
    what the bound is a bound of. Masks are drawn first and then go through the model in batches.

    Args:
        context: Prompt and response as ids.
        lm: The model.
        form: `ContinuousTime()`, `RandomOrder()` or, by default, `KMasked()`.
        draws: 0 enumerates all masks, for responses of at most 8 tokens; otherwise how many to
            draw, 2 or more.
        rng: Needed with draws.
        batch_tokens: Most tokens of one pass.

    Returns:
        The bound with its standard error.

    Raises:
        SettingsError: More than 8 tokens without draws, draws without rng, or a single draw.

    References:
        [nie:25], Eq. 3, 5, 6 and 14; [ou:25]; docs/paper_index.md, section 8.

    Example:
        >>> from flowgauge.models.tabular_masked import TabularMaskedDiffusion
        >>> lm = TabularMaskedDiffusion(np.array([[[0.4, 0.1], [0.1, 0.4]]]))
        >>> text = Context(np.zeros(0, dtype=np.int64), np.array([0, 1]))
        >>> round(math.exp(response_elbo(text, lm).value), 6)
        0.1
    """
    form = form or KMasked()
    length, asked = len(context.continuation), list[BoolArray]()

    def note(mask: BoolArray) -> FloatArray:
        asked.append(mask)
        return np.zeros(length)

    # Which masks a form asks for does not depend on the answers, so they can be noted before.
    masked_diffusion_elbo(note, length, form, draws, copy.deepcopy(rng))
    answers = iter(masked_log_probabilities(context, np.array(asked), lm, batch_tokens))
    return masked_diffusion_elbo(lambda _: next(answers), length, form, draws, rng)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnmaskingFlow:
    """The flow of one response along an order of unmasking.

    Attributes:
        flow: Entry k is the k-th token shown; for `flowgauge.decide`.
        order: (time,) its position in the response.
        step: (time,) the pass that showed it.
        tokens: What was read.
        unmasked: All columns.
    """

    flow: Flow
    order: IntArray
    step: IntArray
    tokens: Tokens
    unmasked: UnmaskedScores


def unmasking_flow(
    record: Record,
    lm: MaskedLanguageModel,
    unmasking: Unmasking | None = None,
    *,
    rng: np.random.Generator,
    template: Template | None = None,
    reference: Reference | None = None,
) -> UnmaskingFlow:
    """Semantic information flow of a response along an order of unmasking [nats].

    Its sum is no log-likelihood ratio of one joint law unless the model has one: another order
    gives another F_N. For a text somebody wrote take an order at random, independent of the text.
    For a text the model drew, the level is exact along the very steps in which it was drawn
    (`score_steps` and `flow_of`), provided their order was predictable; texts drawn by
    low-confidence remasking follow neither law in any order (`unmasking_order.py`).

    Args:
        record: What was asked and answered.
        lm: The model.
        unmasking: Order and tokens a step; by default at random, one at a time.
        rng: Chooses the order.
        template: How the record becomes text; by default the model's own, or plain text.
        reference: Which law Q is; by default the model without the source.

    Returns:
        The flow and its order.

    Raises:
        RecordError: The record cannot be scored; says why.

    References:
        [bai:25] III-D; [nie:25]; docs/paper_index.md, section 8.

    Example:
        >>> from flowgauge.models.tabular_masked import TabularMaskedDiffusion
        >>> lm = TabularMaskedDiffusion(np.array([[[0.8, 0.0], [0.0, 0.2]], [[0.2, 0], [0, 0.8]]]))
        >>> record = Record(id="1", question="0", response="aa")
        >>> unmasking_flow(record, lm, rng=np.random.default_rng(0)).flow.density.round(3)
        array([0.47, 0.  ])
    """
    template, reference = template or default_template(lm), reference or Omit()
    found = prepare(0, record, lm, template, reference, truncate=False)
    if isinstance(found, FailedRow):
        raise RecordError(f"record {record.id!r} cannot be scored: {found.reason}")
    unmasked = score_unmasking(found.tokens, lm, unmasking, rng=rng)
    return UnmaskingFlow(
        flow=flow_of(unmasked),
        order=unmasked.order,
        step=unmasked.step,
        tokens=found.tokens,
        unmasked=unmasked,
    )


def flow_of(unmasked: UnmaskedScores) -> Flow:
    """The flow of columns along an order, tokens as they were shown [nats]."""
    s = unmasked.scores
    return flow(s.log_p, s.log_q, s.drift, s.variance, log_moments=s.log_moments, orders=s.orders)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrdersVerdict:
    """What the whole response says, averaged over several orders.

    Attributes:
        outcome: "driven by the source", "not from this source", "neither" or "both".
        alpha: Level of each of the two tests.
        orders: How many orders were averaged.
        log_e_value: Log of the mean over orders of exp(F_N), against "drawn from Q" [nats].
        log_e_value_against: Log of the mean of exp(−F_N), against "drawn from P" [nats].
    """

    outcome: str
    alpha: float
    orders: int
    log_e_value: float
    log_e_value_against: float


def decide_over_orders(flows: Sequence[Flow], alpha: float = 0.01) -> OrdersVerdict:
    """Which of the two laws a whole response contradicts, over several orders at once [nats].

    A mean of e-values is an e-value, whatever the orders share. It is of the whole response: the
    mean of paths along different orders may not be stopped early, so no first crossing is given.
    Each e-value keeps its mean under a text drawn along that very order; where the model's laws
    belong to no joint law this holds approximately for the others, like everything said of a text
    that somebody else wrote.

    Args:
        flows: Of one response along orders that were chosen before looking at their values.
        alpha: Level of each test.

    Raises:
        ShapeError: No flow, or flows of different lengths.
        SettingsError: `alpha` is not between 0 and 1.

    References:
        [vovk:21]; docs/paper_index.md, section 8.

    Example:
        >>> two = [flow([math.log(0.8)], [math.log(q)]) for q in (0.001, 0.4)]
        >>> verdict = decide_over_orders(two, alpha=0.01)
        >>> verdict.outcome, round(verdict.log_e_value, 3)
        ('driven by the source', 5.994)
    """
    check_alpha(alpha)
    lengths = sorted({len(f.density) for f in flows})
    if len(lengths) != 1 or lengths[0] == 0:
        raise ShapeError(
            f"{len(flows)} flows with lengths {lengths} came; at least one, all of one response "
            "and so of one length, were needed"
        )
    totals = np.array([f.total_nats for f in flows])
    with_source, against = merge_e_values(totals), merge_e_values(-totals)
    threshold = math.log(1.0 / alpha)
    names = {
        (True, True): "both",
        (True, False): "driven by the source",
        (False, True): "not from this source",
        (False, False): "neither",
    }
    return OrdersVerdict(
        outcome=names[with_source >= threshold, against >= threshold],
        alpha=alpha,
        orders=len(flows),
        log_e_value=with_source,
        log_e_value_against=against,
    )
