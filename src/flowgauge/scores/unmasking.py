"""Columns of both laws in the order in which a response is unmasked (masked diffusion).

    step 1    prompt  M   M   M  u_4        P and Q of u_4: nothing of the response was visible
    step 2    prompt  M  u_2  M  u_4        P and Q of u_2 given u_4
    …                                       the reference row is the same without the source

The text is known, so all rows of an order that reads no laws go through the model in batches. The
columns are those of a next-token model (`TokenScores`), row k being the k-th token shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from flowgauge.errors import SettingsError, ShapeError
from flowgauge.models.masked_diffusion import MaskedLanguageModel
from flowgauge.records import FloatArray, IntArray, Tokens, TokenScores
from flowgauge.scores.plan import Context
from flowgauge.scores.reduce import Columns, Reducer
from flowgauge.scores.score import PIECE_ROWS, ScoreSettings
from flowgauge.scores.unmasking_order import BoolArray, Hidden, Unmasking

#: Most tokens of one pass: rows of one text have one length, so many go together.
BATCH_TOKENS = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class UnmaskedScores:
    """Columns of both laws along an order.

    Attributes:
        scores: Row k is the k-th token shown.
        order: (time,) position in the response of row k.
        step: (time,) the pass that showed it; rows of one step were not visible to each other.
    """

    scores: TokenScores
    order: IntArray
    step: IntArray


def masked_log_probabilities(
    context: Context,
    masks: BoolArray,
    lm: MaskedLanguageModel,
    batch_tokens: int = BATCH_TOKENS,
) -> FloatArray:
    """Log p(x_i | prefix, visible) of the tokens written, at masked positions [nats].

    Positions of one mask are not given each other, so a row's sum is no log-likelihood.

    Args:
        context: Prefix and the text written after it.
        masks: (mask, time) True where a token is hidden.
        lm: The model.
        batch_tokens: Most tokens of one pass; as many masks go together.

    Returns:
        (mask, time) float64, 0 where nothing was hidden.

    Raises:
        ShapeError: The masks do not fit the text.

    Example:
        >>> from flowgauge.models.tabular_masked import TabularMaskedDiffusion
        >>> lm = TabularMaskedDiffusion(np.array([[[0.4, 0.1], [0.1, 0.4]]]))
        >>> text = Context(np.zeros(0, dtype=np.int64), np.array([0, 1]))
        >>> masks = np.array([[True, False], [True, True]])
        >>> masked_log_probabilities(text, masks, lm).round(4)
        array([[-1.6094,  0.    ], [-0.6931, -0.6931]])
    """
    text = context.continuation
    if masks.ndim != 2 or masks.shape[1] != len(text) or masks.dtype != np.bool_:
        raise ShapeError(
            f"masks have shape {masks.shape} and dtype {masks.dtype}; (mask, {len(text)}) of bool "
            "was needed for this text"
        )
    out = np.zeros(masks.shape)
    for here in _pieces(len(masks), len(context.prefix) + len(text), batch_tokens):
        logits = _masked_logits(context, masks[here], masks[here], lm)
        wide = logits if logits.dtype == torch.float64 else logits.float()
        laws = torch.log_softmax(wide, -1)
        ids = np.broadcast_to(text, masks[here].shape)[masks[here]]
        found = laws.gather(1, torch.from_numpy(ids).to(laws.device)[:, None])[:, 0]
        out[here][masks[here]] = found.double().cpu().numpy()
    return out


def score_unmasking(
    tokens: Tokens,
    lm: MaskedLanguageModel,
    unmasking: Unmasking | None = None,
    *,
    rng: np.random.Generator,
    settings: ScoreSettings | None = None,
) -> UnmaskedScores:
    """Columns of both laws of a text that was written, along an order of unmasking [nats].

    The order must not depend on the text beyond what was shown before (`unmasking_order.py`); a
    trained model's laws in two orders belong to two joint laws, so F_N depends on the order.

    Args:
        tokens: Prompt, reference and response.
        lm: The model.
        unmasking: Order and tokens a step; by default at random, one at a time. An order that reads
            laws reads those of P.
        rng: Chooses an order at random.
        settings: λ grid, alternatives; `batch_tokens` is raised to 4,096.

    Raises:
        SettingsError: The order is not predictable.
    """
    unmasking = unmasking or Unmasking()
    if not unmasking.order.is_predictable:
        raise SettingsError(
            f"the order {unmasking.order.name!r} looks at tokens that are still hidden, so a text "
            "cannot be read in it; take AtRandom(), LeastEntropy() or LargestProbability(), or "
            "score_steps with the steps of the sampler"
        )
    if unmasking.order.reads_laws:
        steps = _steps_by_laws(Context(tokens.prompt_ids, tokens.response_ids), lm, unmasking, rng)
    else:
        steps = unmasking.blind_steps(len(tokens.response_ids), rng)
    return score_steps(tokens, lm, steps, settings)


def score_steps(
    tokens: Tokens,
    lm: MaskedLanguageModel,
    steps: Sequence[IntArray],
    settings: ScoreSettings | None = None,
) -> UnmaskedScores:
    """Columns of both laws along given steps: those in which a sampler drew the text [nats].

    If these steps were chosen by a predictable order and each token drawn from its law P, every
    test along them is exact, also for a model whose laws belong to no joint law.

    Args:
        tokens: Prompt, reference and response.
        lm: The model.
        steps: Positions shown by each pass, each position once.
        settings: As in `score_unmasking`.

    Raises:
        ShapeError: The steps are no order of the response.
    """
    settings = settings or ScoreSettings()
    time = len(tokens.response_ids)
    order = np.concatenate([np.zeros(0, dtype=np.int64), *steps])
    if not np.array_equal(np.sort(order), np.arange(time)):
        raise ShapeError(
            f"steps show the positions {np.sort(order).tolist()[:12]}; each of 0…{time - 1} once "
            "was needed"
        )
    shown_by = np.repeat(np.arange(len(steps)), [len(s) for s in steps])
    keep = np.zeros((len(steps), time), dtype=bool)
    keep[shown_by, order] = True
    masks = keep[::-1].cumsum(0)[::-1] > 0  # hidden until its own step
    # Within a step the model's rows come in rising position.
    order = np.nonzero(keep)[1]
    columns = Columns(time, settings.orders, min(settings.alternatives, lm.vocabulary_size))
    reducer = Reducer(settings.orders, settings.alternatives)
    prompted, reference = (
        Context(prefix, tokens.response_ids) for prefix in (tokens.prompt_ids, tokens.reference_ids)
    )
    longest = max(len(tokens.prompt_ids), len(tokens.reference_ids)) + time
    done = 0
    for here in _pieces(len(steps), longest, max(BATCH_TOKENS, settings.batch_tokens)):
        p = _masked_logits(prompted, masks[here], keep[here], lm)
        q = _masked_logits(reference, masks[here], keep[here], lm)
        ids = tokens.response_ids[order[done : done + len(p)]]
        with torch.inference_mode():
            reducer.reduce(p, q, ids, columns, done)
        done += len(p)
    return UnmaskedScores(scores=columns.scores(slice(0, time)), order=order, step=shown_by)


def _steps_by_laws(
    context: Context, lm: MaskedLanguageModel, unmasking: Unmasking, rng: np.random.Generator
) -> list[IntArray]:
    """Steps of an order that looks at the laws of hidden tokens: a pass a step."""
    masked, steps = np.ones(len(context.continuation), dtype=bool), []
    while masked.any():
        places = unmasking.candidates(masked)
        keep = np.zeros_like(masked)
        keep[places] = True
        logits = _masked_logits(context, masked[None], keep[None], lm)
        laws = torch.log_softmax(logits.double(), -1)
        shown = places[unmasking.choose(Hidden(positions=places, log_laws=laws), rng)]
        masked[shown] = False
        steps.append(shown)
    return steps


def _masked_logits(
    context: Context, masks: BoolArray, keep: BoolArray, lm: MaskedLanguageModel
) -> torch.Tensor:
    """Logits (kept, vocab) of a text under several masks in one pass."""
    prefix = len(context.prefix)
    ids = np.tile(np.concatenate((context.prefix, context.continuation)), (len(masks), 1))
    ids[:, prefix:][masks] = lm.mask_id
    return lm.logits(ids, np.pad(keep, ((0, 0), (prefix, 0))))


def _pieces(rows: int, length: int, batch_tokens: int) -> list[slice]:
    size = max(1, min(PIECE_ROWS, batch_tokens // max(1, length)))
    return [slice(a, min(a + size, rows)) for a in range(0, rows, size)]
