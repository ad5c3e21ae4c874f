"""From a record to the two texts a model reads before the response: prompted and reference.

The source of a record is its documents if it has any field for them, otherwise its whole prompt.
Which text the reference law reads is an object (`Omit`: the same scaffold without the source).
Documents come first and the question last, so that both laws read the question right before the
response and records about the same documents share a prefix.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from flowgauge.errors import RecordError
from flowgauge.records import Record

Messages = list[dict[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Composition:
    """The two prefixes of a record as text.

    Attributes:
        prompt: What the model is given before the response.
        reference: The same without the source.
        documents: Characters (start, end) of each document in `prompt`; None when the template
            rewrote them so that they cannot be found.
        source: "documents", "prompt" or "nothing": what the reference goes without.
    """

    prompt: str
    reference: str
    documents: tuple[tuple[int, int], ...] | None
    source: str


def source_of(record: Record) -> str:
    """What the reference law goes without: "documents", "prompt" or "nothing".

    Example:
        >>> source_of(Record(id="1", response="x", question="q", documents=("d",)))
        'documents'
        >>> source_of(Record(id="1", response="x", question="q"))
        'prompt'
        >>> source_of(Record(id="1", response="x", question="q", documents=()))
        'nothing'
    """
    if record.documents is not None:
        return "documents" if any(d.strip() for d in record.documents) else "nothing"
    has_prompt = record.question or record.instruction or any(t.content for t in record.turns)
    return "prompt" if has_prompt else "nothing"


class Reference(Protocol):
    """Which law Q is: the record that the reference law reads in place of the given one."""

    @property
    def name(self) -> str:
        """How the manifest names it."""
        ...

    def reads(self, record: Record) -> Record:
        """The record as the reference law reads it."""
        ...


class Template(Protocol):
    """Turns a record into two prefixes; `name` goes into the run's manifest."""

    @property
    def name(self) -> str:
        """How the manifest names it."""
        ...

    def compose(self, record: Record, reference: Reference) -> Composition:
        """The prefixes of `record` and of what the reference law reads."""
        ...


@dataclass(frozen=True, slots=True)
class Omit:
    """The same model without the source: an upper bound of the information, in expectation.

    `E[log P/Q] = I(S;U) + KL(P_U ‖ Q)` (theory §1).

    Example:
        >>> Omit().reads(Record(id="1", response="x", question="q", documents=("d",))).documents
        ()
    """

    name: str = "omit"

    def reads(self, record: Record) -> Record:
        """The record without its source."""
        if record.documents is not None:
            return replace(record, documents=())
        return replace(record, question="", instruction="", turns=())


def with_source_of(record: Record, other: Record) -> Record:
    """`record` with the source of `other` in place of its own."""
    if record.documents is not None:
        return replace(record, documents=other.documents)
    return replace(
        record, question=other.question, instruction=other.instruction, turns=other.turns
    )


def source_key(record: Record) -> str:
    """Equal for records with equal sources."""
    parts: list[object] = [source_of(record)]
    if record.documents is not None:
        parts += record.documents
    else:
        parts += [record.instruction, record.question, *((t.role, t.content) for t in record.turns)]
    return repr(parts)


def _user_text(record: Record) -> tuple[str, list[tuple[int, int]]]:
    """Instruction, documents, question as one message, and where each document stands in it."""
    text = record.instruction.strip() and f"{record.instruction.strip()}\n\n"
    spans = []
    number = 0
    for document in record.documents or ():
        if not document.strip():
            spans.append((len(text), len(text)))
            continue
        number += 1
        text += f"Document {number}: "
        spans.append((len(text), len(text) + len(document)))
        text += f"{document}\n\n"
    return text + record.question, spans


def _shift(spans: Sequence[tuple[int, int]], by: int) -> tuple[tuple[int, int], ...]:
    return tuple((start + by, end + by) for start, end in spans)


@dataclass(frozen=True, slots=True)
class PlainTemplate:
    r"""Plain text for models without a chat template.

    A record that is a bare prompt is continued as it stands. One with documents or turns gets
    `Question:` and `Answer:` lines.

    Example:
        >>> record = Record(id="1", question="Why?", documents=("So.",), response="x")
        >>> PlainTemplate().compose(record, Omit())
        Composition(prompt='Document 1: So.\n\nQuestion: Why?\nAnswer:\n',
            reference='Question: Why?\nAnswer:\n', documents=((12, 15),), source='documents')
    """

    name: str = "plain"

    def compose(self, record: Record, reference: Reference) -> Composition:
        """The prefixes of `record` and of what the reference law reads."""
        # The form is the record's own, so that the reference keeps the scaffold of the prompt.
        is_bare = record.documents is None and not record.turns
        prompt, spans = self._text(record, is_bare)
        return Composition(
            prompt=prompt,
            reference=self._text(reference.reads(record), is_bare)[0],
            documents=tuple(spans),
            source=source_of(record),
        )

    @staticmethod
    def _text(record: Record, is_bare: bool) -> tuple[str, list[tuple[int, int]]]:
        if is_bare:
            head = record.instruction.strip() and f"{record.instruction.strip()}\n\n"
            return head + record.question, []
        history = "".join(f"{t.role}: {t.content}\n\n" for t in record.turns)
        question = record.question and f"Question: {record.question}\n"
        body, spans = _user_text(replace(record, question=""))
        # A newline, not a space, for most tokenizers would merge a space into the response.
        return f"{history}{body}{question}Answer:\n", list(_shift(spans, len(history)))


@dataclass(frozen=True, slots=True)
class ChatTemplate:
    """The model's own chat template; `render` turns messages into text, reply prompt included."""

    render: Callable[[Messages], str]
    name: str = "chat"

    def compose(self, record: Record, reference: Reference) -> Composition:
        """The prefixes of `record` and of what the reference law reads."""
        prompt, spans = self._text(record)
        bare, _ = self._text(reference.reads(record))
        return Composition(prompt=prompt, reference=bare, documents=spans, source=source_of(record))

    def _text(self, record: Record) -> tuple[str, tuple[tuple[int, int], ...] | None]:
        content, spans = _user_text(record)
        messages = [{"role": t.role, "content": t.content} for t in record.turns]
        if content or not messages:
            messages.append({"role": "user", "content": content})
        text = self.render(messages)
        if not spans:
            return text, ()
        # Some templates strip the message; it begins with text of ours, so only its end can go.
        for body in (content, content.rstrip()):
            at = text.rfind(body)
            if at >= 0:
                ends = [(start, min(end, len(body))) for start, end in spans]
                return text, _shift(ends, at)
        return text, None


class Chatting(Protocol):
    """What the default template needs to know of a model."""

    @property
    def has_chat_template(self) -> bool:
        """Whether `chat` can be called."""
        ...

    def chat(self, messages: Messages) -> str:
        """Messages through the model's own chat template."""
        ...


def default_template(lm: Chatting) -> Template:
    """The model's own chat template, or plain text where it has none.

    Example:
        >>> from flowgauge.models import TabularModel
        >>> default_template(TabularModel.random(sources=2, vocabulary=3, length=2, seed=0)).name
        'plain'
    """
    return ChatTemplate(lm.chat) if lm.has_chat_template else PlainTemplate()


def truncate_documents(record: Record, characters: int) -> Record:
    """`record` with the last `characters` characters of its documents cut off.

    Raises:
        RecordError: The documents are shorter than what must go.
    """
    documents = list(record.documents or ())
    total = sum(map(len, documents))
    if characters > total:
        raise RecordError(
            f"{characters} characters would have to be cut but the documents have {total}; "
            "shorten the question or the response, or use a model with a longer context"
        )
    for i in range(len(documents) - 1, -1, -1):
        cut = min(characters, len(documents[i]))
        documents[i] = documents[i][: len(documents[i]) - cut]
        characters -= cut
    return replace(record, documents=tuple(documents))
