"""Texts drawn from a masked-diffusion model: all tokens hidden, then shown step by step.

    predictable order          choose positions, then draw their tokens from their laws
    low-confidence remasking   draw every hidden token, then keep those that came out most probable

Several texts with prompts of one length are drawn side by side, a pass a step for all of them.
"""

from dataclasses import dataclass

import numpy as np
import torch

from flowgauge.errors import SettingsError, ShapeError
from flowgauge.models.masked_diffusion import MaskedLanguageModel
from flowgauge.records import FloatArray, IntArray
from flowgauge.scores.unmasking_order import Hidden, Unmasking


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnText:
    """A text and how it came about.

    Attributes:
        tokens: (time,) ids.
        steps: Positions shown by each pass, in the order of the passes; for `score_steps`.
        log_laws: (time, vocab) by position, the law from which each token was drawn, temperature
            applied [nats]. Under low-confidence remasking a token was drawn from it and then kept
            for its probability, so its own law is another.
    """

    tokens: IntArray
    steps: tuple[IntArray, ...]
    log_laws: FloatArray

    @property
    def order(self) -> IntArray:
        """(time,) positions in the order in which they were shown."""
        return np.concatenate(self.steps)


def draw_unmasked(
    prefixes: IntArray,
    length: int,
    lm: MaskedLanguageModel,
    unmasking: Unmasking | None = None,
    *,
    temperature: float = 1.0,
    rng: np.random.Generator,
) -> list[DrawnText]:
    """Draw one text after each prefix by unmasking it step by step [tokens].

    Its length is fixed before. With one token a step and a predictable order at temperature 1 a
    text follows Π p(x_σ(i) | prefix, x_σ(<i)), the joint law where the model has one.

    Args:
        prefixes: (row, prompt) ids, all of one length; a row a text.
        length: Tokens of each text.
        lm: The model.
        unmasking: Order, tokens a step, blocks.
        temperature: Divides the logits before a token is drawn; 0 takes the likeliest. Orders look
            at the laws before it.
        rng: All random numbers; texts of one call share it.

    Returns:
        One `DrawnText` a row.

    Raises:
        SettingsError: No length, or a temperature below 0.
        ShapeError: The prefixes are no table of rows.

    References:
        [nie:25], §2.4 and appendix (the samplers).

    Example:
        >>> from flowgauge.models.tabular_masked import TabularMaskedDiffusion
        >>> lm = TabularMaskedDiffusion(np.array([[[0.5, 0.0], [0.0, 0.5]]]))
        >>> rng = np.random.default_rng(0)
        >>> texts = draw_unmasked(np.zeros((4, 0), dtype=np.int64), 2, lm, rng=rng)
        >>> all(t.tokens[0] == t.tokens[1] for t in texts)
        True
    """
    if length < 1 or not 0 <= temperature < np.inf:
        raise SettingsError(
            f"{length = }, {temperature = }; a length of at least 1 and a temperature of 0 or more "
            "were needed"
        )
    if prefixes.ndim != 2 or not len(prefixes):
        raise ShapeError(
            f"prefixes have shape {prefixes.shape}; (row, prompt) with at least one row was needed"
        )
    unmasking = unmasking or Unmasking()
    rows, start = len(prefixes), prefixes.shape[1]
    ids = np.concatenate((prefixes, np.full((rows, length), lm.mask_id)), axis=1)
    log_laws = np.empty((rows, length, lm.vocabulary_size))
    steps: list[list[IntArray]] = [[] for _ in range(rows)]
    while (masked := ids[:, start:] == lm.mask_id).any():
        places = [unmasking.candidates(m) for m in masked]
        if not unmasking.order.reads_laws:  # then no other law is needed
            places = [p[unmasking.choose(Hidden(positions=p), rng)] for p in places]
        keep = np.zeros(ids.shape, dtype=bool)
        for row, of_row in enumerate(places):
            keep[row, start + of_row] = True
        logits = lm.logits(ids, keep).double().cpu()
        own, drawn_from = torch.log_softmax(logits, -1), _tempered(logits, temperature)
        ends = np.cumsum([0, *map(len, places)])
        for row, of_row in enumerate(places):
            part = slice(int(ends[row]), int(ends[row + 1]))
            shown, tokens = _show(of_row, own[part], drawn_from[part], unmasking, rng)
            ids[row, start + of_row[shown]] = tokens
            log_laws[row, of_row[shown]] = drawn_from[part][shown].numpy()
            steps[row].append(of_row[shown])
    return [
        DrawnText(tokens=row[start:].copy(), steps=tuple(s), log_laws=laws)
        for row, s, laws in zip(ids, steps, log_laws, strict=True)
    ]


def _show(
    places: IntArray,
    own: torch.Tensor,
    drawn_from: torch.Tensor,
    unmasking: Unmasking,
    rng: np.random.Generator,
) -> tuple[IntArray, IntArray]:
    """Which of the tokens at these places are shown, and their values."""
    if not unmasking.order.reads_laws:
        return np.arange(len(places)), _drawn(drawn_from, rng)
    if unmasking.order.is_predictable:
        shown = unmasking.choose(Hidden(positions=places, log_laws=own), rng)
        return shown, _drawn(drawn_from[shown], rng)
    every = _drawn(drawn_from, rng)
    log_drawn: FloatArray = own.numpy()[np.arange(len(every)), every]
    hidden = Hidden(positions=places, log_laws=own, log_drawn=log_drawn)
    shown = unmasking.choose(hidden, rng)
    return shown, every[shown]


def _tempered(logits: torch.Tensor, temperature: float) -> torch.Tensor:
    if temperature > 0:
        return torch.log_softmax(logits / temperature, -1)
    best = logits.argmax(-1, keepdim=True)
    return torch.full_like(logits, -torch.inf).scatter(-1, best, 0.0)


def _drawn(log_laws: torch.Tensor, rng: np.random.Generator) -> IntArray:
    """One token from each law (rows, vocab), by inversion of its distribution."""
    sums = log_laws.exp().cumsum(-1).numpy()
    # In (0, total]: the first token whose sum reaches it has a positive probability.
    at = (1.0 - rng.random(len(sums))) * sums[:, -1]
    return np.array([np.searchsorted(s, a) for s, a in zip(sums, at, strict=True)], dtype=np.int64)
