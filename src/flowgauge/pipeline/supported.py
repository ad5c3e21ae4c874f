"""`fg.support`: one answer in hand, one object with what stands on the documents and what does not.

It measures the answer as `measure` does and reads the run; there is no second way to compute.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from flowgauge import errors
from flowgauge.errors import RecordError, SettingsError
from flowgauge.models.protocol import LanguageModel
from flowgauge.pipeline.findings import (
    SUPPORTED,
    UNSUPPORTED,
    SentenceSupport,
    sentence_lines,
    sentence_supports,
    shown_support,
    thresholds,
    why_no_support,
)
from flowgauge.pipeline.measuring import measure
from flowgauge.pipeline.settings import Settings
from flowgauge.records import FloatArray, IntArray, Record
from flowgauge.store import Item, Run
from flowgauge.text import check_record

DEFAULT_MODEL = "smollm2-135m"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TokenSupport:
    """Columns over the tokens of a response, as they stand in a run.

    Attributes:
        start, end: (time,) characters in the response.
        support: (time,) of the text around each token, 0…1.
        local_fraction: (time,) flow fraction of the text around it, −1…1.
        density_nats: (time,) log P/Q [nats].
        copied_words: (time,) length of the verbatim run of words that stands in a document; nan for
            a token without a word.
        pointer: (time,) mass of the copy heads, 0…1; None without copy heads.
        pointer_document: (time,) document it points at, from 0; −1 for none.
        pointer_start, pointer_end: (time,) characters in that document; −1 for none.
    """

    start: IntArray
    end: IntArray
    support: FloatArray
    local_fraction: FloatArray
    density_nats: FloatArray
    copied_words: FloatArray
    pointer: FloatArray | None
    pointer_document: IntArray
    pointer_start: IntArray
    pointer_end: IntArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Support:
    """How well a response is supported by its documents, as one observer model sees it.

    It is no statement about truth: documents can be wrong, and a sentence that contradicts its
    source in the source's own words looks supported.

    Attributes:
        response: As given.
        documents: As given.
        support: 0…1; weighs the worst span. 0.2: four in five ordinary responses are better.
        threshold: Support below this is called unsupported.
        sentences: The sentences in their order.
        tokens: Columns over the tokens.
        model: The observer's name.
        words: What support is made of here, and what is missing.
    """

    response: str
    documents: tuple[str, ...]
    support: float
    threshold: float
    sentences: tuple[SentenceSupport, ...]
    tokens: TokenSupport
    model: str
    words: str

    @property
    def is_supported(self) -> bool:
        """Whether the support of the whole reaches the threshold."""
        return self.support >= self.threshold

    @property
    def unsupported(self) -> tuple[SentenceSupport, ...]:
        """Sentences whose support is below the threshold; a supported response may have some."""
        return tuple(s for s in self.sentences if not s.is_supported)

    def __str__(self) -> str:
        """The whole as lines for a terminal."""
        sign = f"{SUPPORTED} supported" if self.is_supported else UNSUPPORTED
        lines = [
            f"{sign}: support {shown_support(self.support, self.threshold)} of the response, "
            f"threshold {self.threshold:.4g}, as {self.model} sees it"
        ]
        for s in self.sentences:
            own = sentence_lines(s, self.threshold)
            lines += own[:1] if s.is_supported else own
        return "\n".join([*lines, f"({self.words})"])


def support(
    question: str,
    documents: str | Sequence[str],
    response: str,
    *,
    lm: LanguageModel | None = None,
    instruction: str = "",
    settings: Settings | None = None,
) -> Support:
    """How well a response is supported by its documents, 0…1, with the places.

    Also as `flowgauge.support(…)`.

    Args:
        question: What was asked; may be empty.
        documents: One document or several; at least one must hold text.
        response: The answer.
        lm: The observer, from `load_model`; by default smollm2-135m, loaded once a process.
        instruction: What stood before the documents in the prompt, if anything.
        settings: How it is measured, e.g. `Settings(truncate=True)` for long documents.

    Returns:
        A `Support`; printed, it is readable.

    Raises:
        RecordError: Documents without text, an empty response, no strings, or text that the model
            cannot read; ContextLengthError when it is too long for it.
        SettingsError: `lm` is a name and no model.

    References:
        See `flowgauge.support.support_scores` for the definition.

    Example:
        >>> from flowgauge.models import load_model
        >>> lm = load_model("stories-260k")
        >>> found = support("Who?", "Tom had a cat.", "Tom had a cat.", lm=lm)
        >>> len(found.sentences), found.tokens.support.shape == found.tokens.start.shape
        (1, True)
        >>> 0 <= found.support <= 1
        True
    """
    record = Record(
        id="response",
        question=question,
        documents=_documents(documents),
        response=response,
        instruction=instruction,
    )
    check_record(record)
    if isinstance(lm, str | Path):
        raise SettingsError(
            f"lm is {str(lm)!r}, a loaded model was needed: flowgauge.load_model({str(lm)!r})"
        )
    return _from_run(measure([record], lm or default_model(), settings=settings), record.id)


@cache
def default_model() -> Any:
    """The default observer, loaded once a process."""
    from flowgauge.models import load_model

    return load_model(DEFAULT_MODEL)


def _documents(documents: object) -> tuple[str, ...]:
    given = (documents,) if isinstance(documents, str) else documents
    if not isinstance(given, Sequence) or isinstance(given, bytes):
        raise RecordError(
            f"documents is {type(documents).__name__} {documents!r:.60}, a string or a list of "
            "strings was needed"
        )
    texts = tuple(given)
    # What is no string is refused by `check_record`, which says which one it is.
    if all(isinstance(d, str) and not d.strip() for d in texts):
        what = "no document came" if not texts else f"none of the {len(texts)} documents holds text"
        raise RecordError(
            f"{what}; support says how well documents support a response, so give at least one "
            "with text"
        )
    return texts


def _from_run(run: Run, name: str) -> Support:
    for row in run.failed:
        kind = getattr(errors, row["kind"], RecordError)
        raise kind(row["reason"])
    item = run[name]
    record = item.record
    if record["support"] is None:
        raise RecordError(f"the response has no support: {why_no_support(record)}")
    of_response, of_sentence = thresholds(run)
    return Support(
        response=record["response"],
        documents=tuple(record["documents"]),
        support=record["support"],
        threshold=of_response,
        sentences=sentence_supports(record, item.sentences, of_sentence),
        tokens=_tokens(item),
        model=run.manifest["model"]["name"],
        words=run.manifest["support"]["words"],
    )


def _tokens(item: Item) -> TokenSupport:
    def numbers(name: str) -> FloatArray:
        return np.asarray(item.columns[name], dtype=np.float64)

    def places(name: str) -> IntArray:
        values = numbers(name)
        return np.where(np.isnan(values), -1, values).astype(np.int64)

    pointer = numbers("pointer")
    return TokenSupport(
        start=places("start"),
        end=places("end"),
        support=numbers("support"),
        local_fraction=numbers("local_fraction"),
        density_nats=numbers("density_nats"),
        copied_words=numbers("copied_words"),
        pointer=None if np.isnan(pointer).any() else pointer,
        pointer_document=places("pointer_document"),
        pointer_start=places("pointer_start"),
        pointer_end=places("pointer_end"),
    )
