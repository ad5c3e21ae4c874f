"""The lens at the door for records: prompts are composed here, effects are read in `lens/`."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from flowgauge.errors import InputError, RecordError
from flowgauge.lens import Lens, read_lens
from flowgauge.lens.ablation import (
    AblationComparison,
    BootstrapSettings,
    compare_with_ablation,
    sentence_falls,
)
from flowgauge.models.protocol import LanguageModel
from flowgauge.pipeline.prepare import Prepared, prepare
from flowgauge.records import FailedRow, FloatArray, Record
from flowgauge.text import Omit, Reference, Template, default_template


@dataclass(frozen=True, slots=True)
class LeaveOut:
    """The record without one document; those after it move up, their numbers too.

    Args:
        document: Its index, from 0.

    Example:
        >>> LeaveOut(0).reads(Record(id="1", response="x", documents=("a", "b"))).documents
        ('b',)
    """

    document: int

    @property
    def name(self) -> str:
        """How results name it."""
        return f"without document {self.document}"

    def reads(self, record: Record) -> Record:
        """The record without the document."""
        documents = list(record.documents or ())
        del documents[self.document]
        return replace(record, documents=tuple(documents))


def lens_of(
    record: Record,
    lm: LanguageModel,
    *,
    layers: Sequence[int] | None = None,
    heads: Collection[tuple[int, int]] | None = None,
    template: Template | None = None,
) -> Lens:
    """Direct effects of a record's tokens on its response, to first order [nats].

    Args:
        record: Its response is read after its prompt; at most as long as the model reads.
        lm: A transformers model.
        layers: Numbers of the layers, from 0; all for None.
        heads: (layer, head) pairs that are summed; all for None.
        template: The model's chat template where it has one, else plain text.

    Raises:
        RecordError: The record cannot be read (too long, an empty response); says why.
        ModelError: The model's mixers are of no known kind.

    References:
        What the effects are, and what not: `flowgauge.lens.direct_effects`.

    Example:
        >>> from flowgauge.models import load_model
        >>> record = Record(id="1", response="Tom ran.", documents=("Tom ran.", "It rained."))
        >>> lens_of(record, load_model("stories-260k")).documents.shape
        (2,)
    """
    item = _prepared(record, lm, template or default_template(lm), Omit())
    return read_lens(item.tokens, item.read, lm, layers=layers, heads=heads)


def document_ablation(
    record: Record, lm: LanguageModel, *, template: Template | None = None
) -> FloatArray:
    """By how much log P of each response sentence falls without each document [nats].

    The document is taken out and the prompt composed anew, so documents after it move up. Two
    documents that say the same have little effect each.

    Args:
        record: With documents.
        lm: Any model.
        template: As for `lens_of`.

    Returns:
        (document, response sentence).

    Raises:
        RecordError: The record has no documents, or cannot be read.
    """
    if not record.documents:
        raise RecordError(f"record {record.id} has no documents, so none can be left out")
    template = template or default_template(lm)
    without = [
        _prepared(record, lm, template, LeaveOut(d)).tokens for d in range(len(record.documents))
    ]
    return sentence_falls(without, record.response, lm)


def lens_against_ablation(
    records: Sequence[Record],
    lm: LanguageModel,
    *,
    layers: Sequence[int] | None = None,
    template: Template | None = None,
    bootstrap: BootstrapSettings | None = None,
) -> AblationComparison:
    """Rank correlation of documents' direct effects with what leaving them out does.

    Args:
        records: With documents; at most as long as the model reads.
        lm: A transformers model.
        layers: Whose effects are summed; all for None.
        template: As for `lens_of`.
        bootstrap: Of the intervals, over records.

    Returns:
        `AblationComparison`: all pairs, their correlations with intervals, the number of records.

    Raises:
        InputError: There is no record.
        RecordError: A record has no documents, or cannot be read.
    """
    if not records:
        raise InputError("no record was given; one with documents at least was needed")
    ablation = [document_ablation(r, lm, template=template) for r in records]
    found = [lens_of(r, lm, layers=layers, template=template) for r in records]
    return compare_with_ablation([f.document_sentences for f in found], ablation, bootstrap)


def _prepared(
    record: Record, lm: LanguageModel, template: Template, reference: Reference
) -> Prepared:
    item = prepare(0, record, lm, template, reference, truncate=False)
    if isinstance(item, FailedRow):
        raise RecordError(f"record {record.id} cannot be read: {item.reason}")
    return item
