"""Tokens of a record: which ids each law reads, which characters each id covers.

The response's tokens are those of the joint text prompt + response, for many tokenizers add a
space or merge across the boundary when texts are encoded apart. Both laws score the same ids:

    prompt    + response  →  … p p p | u_1 u_2 … u_N
    reference + response  →      … r | u_1 u_2 … u_N
"""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from flowgauge.errors import AlignmentError
from flowgauge.records import IntArray, Tokens
from flowgauge.text.compose import Composition


@dataclass(frozen=True, slots=True)
class Encoding:
    """Token ids (token,) and the characters (token, 2) they cover."""

    ids: IntArray
    offsets: IntArray


class TextTokenizer(Protocol):
    """What alignment needs to know of a tokenizer."""

    @property
    def bos_id(self) -> int | None:
        """Token that starts a text, if the model has one."""
        ...

    @property
    def adds_bos(self) -> bool:
        """Whether the model expects it before every text."""
        ...

    @property
    def has_empty_context_law(self) -> bool:
        """Whether the model has a next-token law with nothing before it."""
        ...

    def tokenize(self, text: str) -> Encoding:
        """Encode `text` as it stands, special tokens written in it included, none added."""
        ...


class _Joint(NamedTuple):
    """A joint text cut where the response begins."""

    prefix: IntArray
    prefix_offsets: IntArray
    response: IntArray
    offsets: IntArray  # in the response; the first may start below 0
    straddles: bool


def _cut(tokenizer: TextTokenizer, prefix: str, response: str) -> _Joint:
    encoding = tokenizer.tokenize(prefix + response)
    offsets = encoding.offsets.reshape(-1, 2)
    inside = offsets[:, 1] > len(prefix)
    first = int(np.argmax(inside)) if inside.any() else len(inside)
    shifted = offsets[first:] - len(prefix)
    return _Joint(
        encoding.ids[:first],
        offsets[:first],
        encoding.ids[first:],
        shifted,
        bool(len(shifted) and shifted[0, 0] < 0),
    )


def _same(a: _Joint, b: _Joint) -> bool:
    return np.array_equal(a.response, b.response) and np.array_equal(a.offsets, b.offsets)


def align(
    record_id: str, composition: Composition, response: str, tokenizer: TextTokenizer
) -> Tokens:
    """Tokens of one response under both laws.

    Args:
        record_id: Goes into the result and into messages.
        composition: The two prefixes.
        response: Not empty.
        tokenizer: The model's.

    Returns:
        `Tokens`; `notes` say where the boundary merged or a token was left out.

    Raises:
        AlignmentError: The response has no tokens or characters are missing from its tokens.

    Example:
        >>> from flowgauge.models import TabularModel
        >>> model = TabularModel.random(sources=2, vocabulary=3, length=2, seed=0)
        >>> from flowgauge.text import Omit, PlainTemplate
        >>> from flowgauge.records import Record
        >>> c = PlainTemplate().compose(Record(id="1", question="1", response="ac"), Omit())
        >>> align("1", c, "ac", model).response_ids
        array([0, 2])
    """
    if not response:
        raise AlignmentError("the response is empty, so it has no token; give a text")
    prompted = _cut(tokenizer, composition.prompt, response)
    reference = _cut(tokenizer, composition.reference, response)
    notes: list[str] = []
    if composition.source == "nothing":
        notes.append("the source is empty, so both laws are the same and the flow is 0")
    if composition.prompt[-1:].isalnum() and response[:1].isalnum():
        notes.append(
            "prompt and response stand together without a space, as given; start the response "
            "with one if a space was meant"
        )
    if prompted.straddles and _same(prompted, reference):
        width = -int(prompted.offsets[0, 0])
        tail = composition.prompt[-width:]
        notes.append(
            f"boundary merged: the first response token also covers {tail!r} of the prompt; "
            "both laws score it whole"
        )
    elif not _same(prompted, reference) or prompted.straddles:
        prompted, reference = _separate(tokenizer, composition, response, prompted, reference)
        notes.append(
            "boundary forced: the response's first tokens differ between the two joint texts; "
            "both laws score the same tokens, encoded apart from what stands before"
        )
    return _finish(record_id, composition, response, tokenizer, prompted, reference, notes)


def align_prefixes(record_id: str, composition: Composition, tokenizer: TextTokenizer) -> Tokens:
    """Tokens that stand before a response yet to be written; both laws go on from there.

    Raises:
        AlignmentError: One of the prefixes has no token and the model no law for that.

    Example:
        >>> from flowgauge.models import TabularModel
        >>> from flowgauge.records import Record
        >>> from flowgauge.text import Omit, PlainTemplate
        >>> model = TabularModel.random(sources=2, vocabulary=3, length=2, seed=0)
        >>> c = PlainTemplate().compose(Record(id="1", question="1", response=""), Omit())
        >>> align_prefixes("1", c, model).prompt_ids
        array([4])
    """
    texts = composition.prompt, composition.reference
    p, q = (_cut(tokenizer, text, "") for text in texts)
    notes = ["the source is empty, so both laws are the same"] * (composition.source == "nothing")
    found = _finish(record_id, composition, "", tokenizer, p, q, notes)
    if found.left_out:
        raise AlignmentError(
            "the reference has no token before the response and the model no BOS token, so it has "
            "no law for the first token; give an instruction or a question beside the documents"
        )
    return found


def _separate(
    tokenizer: TextTokenizer, composition: Composition, response: str, p: _Joint, q: _Joint
) -> tuple[_Joint, _Joint]:
    """Cut both prefixes off and give both laws one encoding of the response."""
    chosen = next((j for j in (p, q) if not j.straddles and len(j.response)), None)
    if chosen is None:
        chosen = _cut(tokenizer, "", response)
    if len(chosen.offsets) and chosen.offsets[0, 0] < 0:
        raise AlignmentError(f"the response {response[:40]!r} cannot be separated from its prompt")
    joints = []
    for text in (composition.prompt, composition.reference):
        alone = tokenizer.tokenize(text)
        joints.append(_Joint(alone.ids, alone.offsets, chosen.response, chosen.offsets, False))
    return joints[0], joints[1]


def _finish(
    record_id: str,
    composition: Composition,
    response: str,
    tokenizer: TextTokenizer,
    p: _Joint,
    q: _Joint,
    notes: list[str],
) -> Tokens:
    offsets = _covering(np.clip(p.offsets, 0, None), response)
    prefixes = [p.prefix, q.prefix]
    starts = tokenizer.bos_id is not None and all(
        len(x) and x[0] == tokenizer.bos_id for x in prefixes
    )
    is_empty = any(len(x) == 0 for x in prefixes) and not tokenizer.has_empty_context_law
    left_out = bos = 0
    if tokenizer.bos_id is not None and not starts and (tokenizer.adds_bos or is_empty):
        bos = 1
        if is_empty and not tokenizer.adds_bos:
            notes.append("the BOS token stands before both prefixes, for one of them is empty")
        prefixes = [np.concatenate(([tokenizer.bos_id], x)).astype(np.int64) for x in prefixes]
    elif is_empty:
        left_out = 1
        prefixes = [np.concatenate((x, p.response[:1])) for x in prefixes]
        notes.append(
            "the first response token is left out of both laws: the reference has nothing before "
            "it and the model has no BOS token"
        )
    part, part_offsets = _document_offsets(p.prefix_offsets, composition.documents)
    pad = len(prefixes[0]) - len(part)
    before, after = (bos, pad - bos)
    return Tokens(
        record_id=record_id,
        prompt_ids=prefixes[0],
        reference_ids=prefixes[1],
        response_ids=p.response[left_out:],
        offsets=offsets[left_out:],
        prompt_part=np.pad(part, (before, after), constant_values=-1),
        prompt_offsets=np.pad(part_offsets, ((before, after), (0, 0))),
        left_out=left_out,
        notes=tuple(notes),
    )


def _covering(offsets: IntArray, response: str) -> IntArray:
    """Offsets without gaps: white space that a tokenizer trims belongs to the token after it."""
    if not response:
        return offsets
    if len(offsets) == 0:
        raise AlignmentError(f"the response {response[:40]!r} has no token of this model")
    covered = offsets.copy()
    end = 0
    for j, (start, stop) in enumerate(offsets.tolist()):
        if response[end:start].strip():
            raise _dropped(response, end, start)
        covered[j, 0] = min(start, end)
        end = max(end, stop)
    if end < len(response):
        raise _dropped(response, end, len(response))
    return covered


def _dropped(response: str, start: int, end: int) -> AlignmentError:
    return AlignmentError(
        f"the tokens of the response leave out characters {start} to {end} of {len(response)}: the "
        f"tokenizer dropped {response[start:end][:20]!r}; remove these characters from the response"
    )


def _document_offsets(
    offsets: IntArray, documents: tuple[tuple[int, int], ...] | None
) -> tuple[IntArray, IntArray]:
    """For each prefix token: index of the document it stands in (−1: none), characters there."""
    part = np.full(len(offsets), -1, dtype=np.int64)
    inside = np.zeros((len(offsets), 2), dtype=np.int64)
    for index, (start, end) in enumerate(documents or ()):
        hit = (offsets[:, 1] > start) & (offsets[:, 0] < end)
        part[hit] = index
        inside[hit] = np.clip(offsets[hit] - start, 0, end - start)
    return part, inside
