"""`score`: tokens in, float64 columns out.

    contexts (P and Q of every record) → plan → states (body) → logits (head) → law → columns

The body runs in batches with shared prefixes; the head multiplies many rows at once into one
buffer; the reductions walk that buffer a few rows at a time. Memory does not grow with a response.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from flowgauge.errors import SettingsError
from flowgauge.models.protocol import LanguageModel
from flowgauge.records import ORDERS, IntArray, Tokens, TokenScores
from flowgauge.scores.law import ChangedRows, Law, ModelLaw, Prompted
from flowgauge.scores.plan import Context, plan
from flowgauge.scores.probe import Probe, Renumbered, Taps
from flowgauge.scores.reduce import Columns, Reducer

#: Positions whose logits exist at a time: 128 rows for both laws keep the head's product fast
#: (134 MB for a vocabulary of 262,144), more would only take memory.
PIECE_ROWS = 64
#: The states of the records in flight may take this much.
STATES_BYTES = 16 * 2**20
NO_TAPS = Taps(())


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreSettings:
    """How columns are computed; what they are does not depend on it beyond rounding.

    Args:
        orders: λ grid of the log moments.
        alternatives: How many likeliest tokens of each law are kept.
        batch_tokens: Most tokens of one pass through the body, padding included.
        share_prefixes: Compute a common prefix once; off only to check that it changes nothing.
    """

    orders: tuple[float, ...] = ORDERS
    alternatives: int = 5
    batch_tokens: int = 512
    share_prefixes: bool = True

    def __post_init__(self) -> None:
        if self.batch_tokens < 1 or self.alternatives < 1 or not np.isfinite(self.orders).all():
            raise SettingsError(
                f"{self}: batch_tokens and alternatives must be at least 1, orders finite"
            )


def score(
    tokens: Sequence[Tokens],
    lm: LanguageModel,
    settings: ScoreSettings | None = None,
    advance: Callable[[int], None] | None = None,
    probe: Probe | None = None,
    law: Law | None = None,
) -> list[TokenScores]:
    """Columns of both laws for each record, in the order given [nats].

    Args:
        tokens: Records as token ids; one without response tokens gets empty columns.
        lm: The model.
        settings: See `ScoreSettings`.
        advance: Told the number of records finished since the last call.
        probe: Looks inside the prompted passes (`flowgauge.lens.SourcePointers`).
        law: Which law P is; the model's own by default. Q is always the model's own.

    Returns:
        One `TokenScores` a record, float64, whatever the precision of the model.

    Example:
        >>> from flowgauge.models import TabularModel
        >>> from flowgauge.records import Record
        >>> from flowgauge.text import Omit, PlainTemplate, align
        >>> model = TabularModel(np.array([[0.9, 0.1], [0.1, 0.9]]))
        >>> c = PlainTemplate().compose(Record(id="1", question="0", response="a"), Omit())
        >>> [s] = score([align("1", c, "a", model)], model)
        >>> (s.log_p - s.log_q).round(6), s.drift.round(6)
        (array([0.587787]), array([0.368064]))
    """
    settings, law = settings or ScoreSettings(), law or ModelLaw()
    done: list[TokenScores | None] = [None] * len(tokens)
    for group in _groups(tokens, lm):
        for i, result in zip(
            group, _score_group([tokens[i] for i in group], lm, settings, probe, law), strict=True
        ):
            done[i] = result
        if advance:
            advance(len(group))
    return [d for d in done if d is not None]


def _groups(tokens: Sequence[Tokens], lm: LanguageModel) -> list[list[int]]:
    """Records in order of their prefixes, cut where their states would take too much memory."""
    order = sorted(range(len(tokens)), key=lambda i: tokens[i].prompt_ids.tolist())
    most = max(1, STATES_BYTES // (8 * lm.state_width))
    groups: list[list[int]] = []
    size = 0
    for i in order:
        n = len(tokens[i].response_ids)
        if not groups or size + n > most:
            groups.append([])
            size = 0
        groups[-1].append(i)
        size += n
    return groups


def run_states(
    contexts: Sequence[Context],
    lm: LanguageModel,
    settings: ScoreSettings,
    taps: Taps = NO_TAPS,
    watched: int = 0,
) -> tuple[list[torch.Tensor], list[int]]:
    """States (continuation, width) of each context, and the context that stands for it.

    Equal contexts are computed once, in the place of the first; `taps` see the first `watched`.
    """
    place: dict[tuple[bytes, ...], int] = {}
    where = [place.setdefault(_key(c), i) for i, c in enumerate(contexts)]
    firsts = list(place.values())
    states: dict[int, torch.Tensor] = {i: torch.empty(0) for i in firsts}
    share = settings.share_prefixes and lm.can_share_prefix
    different = [contexts[i] for i in firsts]
    for planned in plan(different, batch_tokens=settings.batch_tokens, share_prefixes=share):
        numbers = tuple(firsts[i] for i in planned.contexts)
        seen = Renumbered(taps, numbers, watched) if taps.taps else None
        for i, s in zip(numbers, lm.states(planned.batch, seen), strict=True):
            states[i] = s
    return [states[i] for i in where], where


def _key(context: Context) -> tuple[bytes, ...]:
    """Equal for contexts with equal laws; a prompt without a source is like a reference."""
    source = context.source.tobytes() if isinstance(context, Prompted) else b""
    return context.prefix.tobytes(), context.continuation.tobytes(), source


def _score_group(
    tokens: Sequence[Tokens],
    lm: LanguageModel,
    settings: ScoreSettings,
    probe: Probe | None,
    law: Law,
) -> list[TokenScores]:
    prompted = [law.context(t, t.response_ids) for t in tokens]
    reference = [Context(t.reference_ids, t.response_ids) for t in tokens]
    tap, of_law = probe.tap(tokens, lm) if probe else None, law.tap(prompted, lm)
    taps = Taps(tuple(t for t in (tap, of_law) if t))
    states, where = run_states([*prompted, *reference], lm, settings, taps, len(tokens))
    of_p, of_q = states[: len(tokens)], states[len(tokens) :]
    lengths = [len(t.response_ids) for t in tokens]
    columns = Columns(sum(lengths), settings.orders, min(settings.alternatives, lm.vocabulary_size))
    if sum(lengths):
        present = [i for i, n in enumerate(lengths) if n]
        p, q = torch.cat([of_p[i] for i in present]), torch.cat([of_q[i] for i in present])
        del states, of_p, of_q
        ids = np.concatenate([t.response_ids for t in tokens])
        changed = ChangedRows(of_law, where[: len(tokens)], lengths) if of_law else None
        _reduce_pieces(p, q, ids, lm, settings, columns, changed)
    ends = np.cumsum([0, *lengths])
    found = [columns.scores(slice(int(a), int(b))) for a, b in itertools.pairwise(ends)]
    if tap is None:
        return found
    return [replace(f, pointers=tap.pointers(i)) for f, i in zip(found, where, strict=False)]


def _reduce_pieces(
    p: torch.Tensor,
    q: torch.Tensor,
    ids: IntArray,
    lm: LanguageModel,
    settings: ScoreSettings,
    columns: Columns,
    changed: ChangedRows | None,
) -> None:
    reducer = Reducer(settings.orders, settings.alternatives)
    rows = PIECE_ROWS
    with torch.inference_mode():
        # Fresh memory for every piece would cost a page fault every thousand numbers.
        buffer = torch.empty(2 * min(rows, len(ids)), lm.vocabulary_size, dtype=p.dtype)
        buffer = buffer.to(p.device)
        for start in range(0, len(ids), rows):
            here = slice(start, min(start + rows, len(ids)))
            n = here.stop - here.start
            # One product for both laws reads the head's weights once.
            both = lm.logits(torch.cat((p[here], q[here])), buffer[: 2 * n])
            if changed:
                changed.change(both[:n], start)
            reducer.reduce(both[:n], both[n:], ids[here], columns, start)
