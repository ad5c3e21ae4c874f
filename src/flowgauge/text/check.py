"""Whether a record's texts can be tokenized and stored as they stand; read from a file or not."""

import json
import re

from flowgauge.errors import RecordError
from flowgauge.records import Label, Record, Turn

# Tokenizers drop or rewrite these, so the text scored would no longer be the text given.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")


def storable(text: str) -> str:
    """`text` with lone surrogates, which UTF-8 cannot hold, replaced."""
    return _SURROGATE.sub("\ufffd", text)


def check_text(value: object, where: str) -> None:
    """Whether a value is a string that tokenizers keep whole.

    Raises:
        RecordError: It is no string, or holds a control character or a lone surrogate.
    """
    if not isinstance(value, str):
        raise RecordError(f"{where} is {type(value).__name__} {value!r:.60}, a string was needed")
    for pattern, what in ((_CONTROL, "control character"), (_SURROGATE, "lone surrogate")):
        bad = pattern.search(value)
        if bad:
            raise RecordError(
                f"{where} holds the {what} U+{ord(bad.group()):04X} at character {bad.start()}: "
                "tokenizers drop or rewrite it; remove it from the text"
            )


def check_record(record: Record) -> None:
    """Whether every text of a record can be tokenized and stored as it stands.

    Raises:
        RecordError: A text is no string, holds a control character or a lone surrogate, the
            response is empty, or `meta` cannot be written as JSON; says where.

    Example:
        >>> check_record(Record(id="1", question="Why?", response="So."))
    """
    for where in ("id", "response", "question", "instruction", "reasoning"):
        check_text(getattr(record, where), where)
    if not record.response.strip():
        raise RecordError("the response is empty, so there is nothing to measure")
    _check_parts(record)
    try:
        meta = json.dumps(dict(record.meta), ensure_ascii=False, default=str)
    except (TypeError, ValueError, RecursionError) as error:
        raise RecordError(f"meta cannot be written as JSON: {error}") from error
    if _SURROGATE.search(meta):
        raise RecordError("meta holds a lone surrogate, which no file can store; remove it")


def _check_parts(record: Record) -> None:
    if isinstance(record.documents, str):
        raise RecordError(
            f"documents is the string {record.documents[:40]!r}, a tuple of strings was needed"
        )
    for i, document in enumerate(record.documents or ()):
        check_text(document, f"document {i}")
    for i, turn in enumerate(record.turns):
        if not isinstance(turn, Turn):
            raise RecordError(f"turn {i} is {turn!r:.60}, a flowgauge.Turn was needed")
        check_text(turn.role, f"the role of turn {i}")
        check_text(turn.content, f"the content of turn {i}")
    for i, label in enumerate(record.labels):
        if not isinstance(label, Label):
            raise RecordError(f"label {i} is {label!r:.60}, a flowgauge.Label was needed")
        check_text(label.kind, f"the kind of label {i}")
