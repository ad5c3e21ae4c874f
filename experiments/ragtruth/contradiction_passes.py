"""What a response's sentence says beside the one source sentence it points at.

Two kinds of passes, both short: the pointed-at sentence alone as the document, and that sentence
with one word changed to the response's own. Only the response sentence's tokens are scored; the
response before it is read, so its tokens are those of the run.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import numpy as np

import flowgauge as fg
from flowgauge.records import IntArray, Tokens
from flowgauge.scores import ScoreSettings, score
from flowgauge.text import ChatTemplate, Omit, PlainTemplate, align
from ragtruth.contradiction_words import has_number, is_stop
from ragtruth.overlap import Words, words

MOST_SLOTS = 1  # changed words tried for one sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A sentence of a response and the source sentence it points at most.

    Attributes:
        id, sentence: The response and the place of its sentence.
        start, end: Characters of the sentence in the response.
        first, last: Its tokens in the run, [first, last).
        source: Text of the source sentence.
        weight: Share of the sentence's surprise that points at it, 0…1.
    """

    id: str
    sentence: int
    start: int
    end: int
    first: int
    last: int
    source: str
    weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """A word of the response put in the place of a word of the source sentence.

    Attributes:
        start, end: The word's characters in the response.
        changed: The source sentence with it.
    """

    start: int
    end: int
    changed: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What the observer says of one sentence, given its source sentence alone.

    Attributes:
        log_p: (tokens,) log-probability of the written tokens [nats].
        log_top: (tokens,) log-probability of the likeliest tokens [nats].
        same: (tokens,) 1 where the likeliest token says the same (by its text), else 0.
        gains: (start, end, here, elsewhere) of each changed word: its characters in the response,
            and how much log P gains on its own tokens and on the sentence's others [nats].
    """

    log_p: list[float]
    log_top: list[float]
    same: list[int]
    gains: list[list[float]]


def places(record: fg.Record, item: Any) -> list[Place]:
    """Sentences of a measured response that point at a source sentence."""
    out = []
    sentence = np.asarray(item.columns["sentence"], dtype=np.int64)
    for row in item.sentences:
        here = np.flatnonzero(sentence == row["sentence"])
        if row["sources"] and len(here):
            best = row["sources"][0]
            text = (record.documents or ())[best["document"]][best["start"] : best["end"]]
            out.append(
                Place(
                    id=record.id, sentence=row["sentence"], start=row["start"], end=row["end"],
                    first=int(here[0]), last=int(here[-1]) + 1, source=text.strip(),
                    weight=best["weight"],
                )
            )  # fmt: skip
    return out


def _partner(word: str, theirs: Words, low: int, high: int, share: float) -> int:
    """The source word in [low, high) that a word stands for: a number for a number, else by place.

    `share` is how far into its own block the word stands, 0…1.
    """
    block = [j for j in range(low, high) if has_number(theirs[j][0]) == has_number(word)]
    content = [j for j in block if not is_stop(theirs[j][0])] or block or list(range(low, high))
    return min(content, key=lambda j: abs((j - low + 0.5) / (high - low) - share))


def slots(response: str, start: int, end: int, source: str) -> list[Slot]:
    """Content words of response[start:end] absent from the source sentence, each in its place.

    Words are aligned by difflib's SequenceMatcher, lower-cased; a block that stands against a block
    of the source gives each absent word one word there; a mere insertion has no place.

    Example:
        >>> slots("The eighth day.", 0, 15, "The ninth day.")
        [Slot(start=4, end=10, changed='The eighth day.')]
    """
    ours = tuple((w, a + start, b + start) for w, a, b in words(response[start:end]))
    theirs = words(source)
    known = {w for w, _, _ in theirs}
    matcher = SequenceMatcher(None, [w for w, _, _ in ours], [w for w, _, _ in theirs], False)
    out = []
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        if tag != "replace":
            continue
        for i in range(i1, i2):
            word, a, b = ours[i]
            if word in known or is_stop(word):
                continue
            _, low, high = theirs[_partner(word, theirs, j1, j2, (i - i1 + 0.5) / (i2 - i1))]
            out.append(
                Slot(start=a, end=b, changed=f"{source[:low]}{response[a:b]}{source[high:]}")
            )
    return out


class Passes:
    """Short passes of one observer over one set of records.

    Args:
        lm: The observer.
        records: By id.
        ids: (time,) token ids of each response, as in the run.
    """

    def __init__(
        self, lm: Any, records: Mapping[str, fg.Record], ids: Mapping[str, IntArray]
    ) -> None:
        self._lm, self._records, self._ids = lm, records, ids
        self._template = ChatTemplate(lm.chat) if lm.has_chat_template else PlainTemplate()
        self._settings = ScoreSettings(orders=(-1.0,), alternatives=1, batch_tokens=2048)

    def _tokens(self, place: Place, document: str) -> Tokens:
        """The sentence's tokens after the document, the question and the response before it.

        Raises:
            ValueError: Another document changed the response's tokens.
        """
        record = self._records[place.id]
        read = replace(record, documents=(document,))
        whole = align(record.id, self._template.compose(read, Omit()), record.response, self._lm)
        if not np.array_equal(whole.response_ids, self._ids[place.id]):
            raise ValueError(
                f"{place.id} has {len(whole.response_ids)} tokens here and "
                f"{len(self._ids[place.id])} in the run; the same tokens were needed"
            )
        prefix = np.concatenate((whole.prompt_ids, whole.response_ids[: place.first]))
        here = slice(place.first, place.last)
        # Q is not needed (the run has it): an equal context costs no pass of its own.
        return replace(
            whole, prompt_ids=prefix, reference_ids=prefix,
            response_ids=whole.response_ids[here], offsets=whole.offsets[here],
            prompt_part=np.full(len(prefix), -1), prompt_offsets=np.zeros((len(prefix), 2), int),
        )  # fmt: skip

    def readings(self, todo: Sequence[Place]) -> list[Reading]:
        """Both kinds of passes for these sentences."""
        tokens = [self._tokens(p, p.source) for p in todo]
        alone = score(tokens, self._lm, self._settings)
        tried = [self._doubtful(p, t, s) for p, t, s in zip(todo, tokens, alone, strict=True)]
        pairs = [(i, slot) for i, some in enumerate(tried) for slot in some]
        altered = [self._tokens(todo[i], slot.changed) for i, slot in pairs]
        changed = score(altered, self._lm, self._settings)
        gains: list[list[list[float]]] = [[] for _ in todo]
        for (i, slot), found in zip(pairs, changed, strict=True):
            more = found.log_p - alone[i].log_p
            own = _within(tokens[i].offsets, slot)
            row = [slot.start, slot.end, float(more[own].sum()), float(more[~own].sum())]
            gains[i].append(row)
        return [
            Reading(
                log_p=s.log_p.round(5).tolist(), log_top=s.top_p_log[:, 0].round(5).tolist(),
                same=self._same(s.top_p_ids[:, 0], t.response_ids), gains=g,
            )
            for t, s, g in zip(tokens, alone, gains, strict=True)
        ]  # fmt: skip

    def _doubtful(self, place: Place, tokens: Tokens, found: Any) -> list[Slot]:
        """The slots whose words surprise most under the source sentence alone."""
        some = slots(self._records[place.id].response, place.start, place.end, place.source)
        surprise = {s: -float(found.log_p[_within(tokens.offsets, s)].sum()) for s in some}
        return sorted(some, key=lambda s: (-surprise[s], s.start))[:MOST_SLOTS]

    def _same(self, best: IntArray, written: IntArray) -> list[int]:
        one, two = self._lm.token_text(best.tolist()), self._lm.token_text(written.tolist())
        return [int(_bare(a) == _bare(b)) for a, b in zip(one, two, strict=True)]


def _within(offsets: IntArray, slot: Slot) -> np.ndarray:
    return (offsets[:, 0] < slot.end) & (offsets[:, 1] > slot.start)


def _bare(text: str) -> str:
    return text.strip().lower() or text


def stored(path: Path) -> dict[str, list[Reading]]:
    """Readings by response, kept from an earlier run of the script."""
    if not path.is_file():
        return {}
    rows = json.loads(path.read_text(encoding="utf-8"))
    return {key: [Reading(**r) for r in some] for key, some in rows.items()}


def store(found: Mapping[str, Sequence[Reading]], path: Path) -> None:
    """Keep readings."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({key: [asdict(r) for r in some] for key, some in found.items()})
    path.write_text(text, encoding="utf-8")
