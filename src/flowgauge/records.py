"""The records that travel through flowgauge: frozen, slotted, keyword-only; imports errors alone.

    Record --compose--> Tokens --score--> TokenScores --flow--> Flow --decide--> Verdict

Shapes are written (time, vocab) as in docs/notation.md; all information is in nats.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import numpy as np
import numpy.typing as npt

from flowgauge.errors import SettingsError, ShapeError

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

#: Orders λ of the log moments ψ(λ) that `score` records; −1 is the plain likelihood ratio.
ORDERS = (-1.0, -0.75, -0.5, -0.25, 0.25, 0.5, 0.75, 1.0)


class Author(Enum):
    """Who wrote the response: it decides what an e-value may claim."""

    SOMEBODY_ELSE = "somebody else"
    OBSERVER = "observer"  # the very model that scores it


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How a response was drawn from the model's law; transformers' names and order.

    Args:
        temperature: Divides the logits; 0 means greedy.
        top_k: Only the k likeliest tokens were allowed; 0 means all.
        top_p: Only the smallest set of tokens with this mass was allowed; 1 means all.
        min_p: Only tokens with at least this share of the likeliest one's probability; 0 means all.
        repetition_penalty: Divides positive and multiplies negative logits of the tokens that
            stand in the prompt or the response already; 1 means none.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    repetition_penalty: float = 1.0

    def __post_init__(self) -> None:
        # Logits divided by less would leave the range of single precision.
        is_way = self.temperature == 0 or 1e-6 <= self.temperature < float("inf")
        is_way = is_way and self.top_k >= 0
        is_way = is_way and 0 < self.top_p <= 1 and 0 <= self.min_p <= 1
        if not is_way or not 0 < self.repetition_penalty < float("inf"):
            raise SettingsError(
                f"{self} is no way to sample: temperature 0 (greedy) or ≥ 1e-6, top_k ≥ 0, "
                "0 < top_p ≤ 1, 0 ≤ min_p ≤ 1 and repetition_penalty > 0 are needed"
            )

    @property
    def is_plain(self) -> bool:
        """Whether tokens were drawn from the model's law itself, unchanged."""
        return self == Sampling()


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One earlier message of a dialogue."""

    role: str
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """What a person said about response[start:end]; never seen by a score."""

    start: int
    end: int
    kind: str = "unsupported"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One response and what it was given.

    `documents=None` means the record has no documents and its source is the whole prompt
    (instruction, turns, question); `documents=()` means retrieval brought nothing, so the source
    is empty and the flow exactly 0.
    """

    id: str
    response: str
    question: str = ""
    documents: tuple[str, ...] | None = None
    instruction: str = ""
    turns: tuple[Turn, ...] = ()
    reasoning: str = ""
    author: Author = Author.SOMEBODY_ELSE
    sampling: Sampling | None = None
    labels: tuple[Label, ...] = ()
    meta: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedRow:
    """A row of input that could not be measured: kept, counted, never dropped."""

    row: int
    id: str
    kind: str
    reason: str
    raw: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """A record as the model reads it: two prefixes, one response.

        prompt    [scaffold  source  question  scaffold] u_1 u_2 … u_N      → P
        reference [scaffold          question  scaffold] u_1 u_2 … u_N      → Q

    The same `response_ids` are scored under both. `offsets[j]` are the characters of the response
    that token j covers; several tokens of one character share them.

    Attributes:
        record_id: The record's id.
        prompt_ids, reference_ids: What stands before the response; never empty unless the model
            has a law for the empty context.
        response_ids: (time,) the tokens scored.
        offsets: (time, 2) their characters in the response.
        prompt_part: (prompt,) index of the document a prompt token belongs to, −1 for none.
        prompt_offsets: (prompt, 2) its characters in that document; 0 where there is none.
        left_out: Response tokens at the start that neither law could score.
        notes: What a reader should know (merged boundary, truncation, empty source).
    """

    record_id: str
    prompt_ids: IntArray
    reference_ids: IntArray
    response_ids: IntArray
    offsets: IntArray
    prompt_part: IntArray
    prompt_offsets: IntArray
    left_out: int = 0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pointers:
    """Where in the source a model's copy heads look while it reads a response.

    Attributes:
        mass: (time,) attention mass on prompt positions that hold this very token, 0…1: the
            largest over the copy heads.
        position: (time,) prompt token with most of it; −1 where there is none.
    """

    mass: FloatArray
    position: IntArray


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenScores:
    """What the two laws say at each response position; the vocabulary is gone.

    Attributes:
        log_p, log_q: (time,) log-probability of the token written [nats].
        drift: (time,) KL(P‖Q) [nats].
        variance: (time,) Var_P[log P/Q] [nats²].
        entropy_p, entropy_q: (time,) [nats].
        log_moments: (time, order) ψ(λ) = log E_P[(P/Q)^λ] [nats].
        orders: (order,) the λ grid.
        top_p_ids, top_q_ids: (time, k) likeliest tokens of each law, best first.
        top_p_log, top_q_log: (time, k) their log-probabilities [nats].
        pointers: Where the copy heads look; None where nobody asked or the model has none.
    """

    log_p: FloatArray
    log_q: FloatArray
    drift: FloatArray
    variance: FloatArray
    entropy_p: FloatArray
    entropy_q: FloatArray
    log_moments: FloatArray
    orders: FloatArray
    top_p_ids: IntArray
    top_p_log: FloatArray
    top_q_ids: IntArray
    top_q_log: FloatArray
    pointers: Pointers | None = None

    def __post_init__(self) -> None:
        time = len(self.log_p)
        for name in self.__slots__:
            value = getattr(self, name)
            if name == "pointers":  # absent, or made beside these columns from the same tokens
                value = value.mass if value is not None else self.log_p
            wanted = len(self.orders) if name == "orders" else time
            if len(value) != wanted:
                raise ShapeError(f"{name} has {len(value)} rows, {wanted} were needed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """Semantic information flow of one response and its Doob decomposition F = A + M.

    Attributes:
        density: (time,) log P/Q of the token written [nats].
        flow: (time,) F, running sum of the density [nats].
        surprisal_q: (time,) −log Q of the token written [nats].
        drift: (time,) KL(P‖Q), or None where only realised log-probabilities were known [nats].
        compensator: (time,) A, running sum of the drift [nats].
        martingale: (time,) M = F − A [nats].
        variance: (time,) Var_P[log P/Q] [nats²].
        log_moments: (time, order) ψ(λ) [nats], orders: (order,) the grid.
        residual: (F_N − A_N)/√Σv, about N(0,1) if the text was drawn from P; nan if Σv = 0.
    """

    density: FloatArray
    flow: FloatArray
    surprisal_q: FloatArray
    drift: FloatArray | None = None
    compensator: FloatArray | None = None
    martingale: FloatArray | None = None
    variance: FloatArray | None = None
    log_moments: FloatArray | None = None
    orders: FloatArray | None = None
    residual: float = float("nan")

    @property
    def total_nats(self) -> float:
        """F_N [nats]."""
        return float(self.flow[-1]) if len(self.flow) else 0.0

    @property
    def fraction(self) -> float:
        """F / −log Q: share of the text's surprise the source explains; nan if there was none."""
        surprise = float(self.surprisal_q.sum())
        return self.total_nats / surprise if surprise > 0 else float("nan")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What an anytime-valid test says, with its null in words.

    Attributes:
        outcome: One of "driven by the source", "not from this source", "neither", "both".
        words: The verdict as a sentence.
        null: The null hypothesis in words.
        is_exact: Whether the level is exact for this record, or only relative to the observer.
        alpha: Level of each of the two tests.
        log_e_value: Largest log e-value against "the source made no difference" [nats].
        first_crossing: First token (0-based) at which it reached log(1/alpha); None if never.
        log_e_value_against: Largest log e-value against "drawn from the prompted law" [nats].
        first_crossing_against: First token at which that reached 1/alpha; None if never.
    """

    outcome: str
    words: str
    null: str
    is_exact: bool
    alpha: float
    log_e_value: float
    first_crossing: int | None
    log_e_value_against: float
    first_crossing_against: int | None
