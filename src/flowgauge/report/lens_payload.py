"""A record's direct effects as the lens page's data: sums of sentences, and tokens, by layer.

Rows of the overview are the sentences of the documents, then the rest of the prompt and the
response's own earlier tokens; so nothing of the effects is left out of the sums.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from flowgauge.lens.aggregate import Sentence, sentence_of_tokens, sentences_in, sum_groups
from flowgauge.records import FloatArray, IntArray, Record, Tokens
from flowgauge.report.lens_packing import Packed, pack, pack_within

#: Steps of rounding [nats]: sums of documents and sentences, then cells of tokens.
SUM_STEP = 1e-4
TOKEN_STEP = 1e-3
COARSEST_TOKEN_STEP = 0.064
COARSEST_SUM_STEP = 1.0


class LensView(Protocol):
    """What the page needs of `flowgauge.lens.Lens`."""

    @property
    def effects(self) -> npt.NDArray[np.float32]:
        """(layer, source, response) [nats]."""
        ...

    @property
    def layers(self) -> tuple[int, ...]:
        """Numbers of the layers."""
        ...

    @property
    def source_text(self) -> tuple[str, ...]:
        """(source,) text of each token."""
        ...

    @property
    def response_text(self) -> tuple[str, ...]:
        """(response,) text of each token."""
        ...

    @property
    def tokens(self) -> Tokens:
        """As the model read them."""
        ...

    @property
    def record(self) -> Record:
        """What it read."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where source tokens stand: their group and their row of the overview.

    Attributes:
        documents: Number of documents, which are the first groups; then come two groups: the rest
            of the prompt, the response's own tokens.
        group: (source,) group of each token.
        row: (source,) row of each token.
        row_group: Group of each row.
        row_text: Text of each row; "" for the last two.
    """

    documents: int
    group: IntArray
    row: IntArray
    row_group: tuple[int, ...]
    row_text: tuple[str, ...]


def lens_block(
    lens: LensView, row: int, limit: int, falls: FloatArray | None = None
) -> dict[str, Any]:
    """One record's block of the page's data.

    Args:
        lens: The record's effects.
        row: Its row in the file.
        limit: About how many characters the packed numbers may take. Tokens are rounded more
            coarsely, and at last left out, so that they do.
        falls: (document,) by how much log P of the response falls without each document [nats].
    """
    places = places_of(lens)
    columns, column = _columns(lens)
    effects = lens.effects
    totals = sum_groups(effects.sum(axis=2, dtype=np.float64), places.group, places.documents + 2,
                        axis=1)  # fmt: skip
    rows = sum_groups(effects, places.row, len(places.row_text), axis=1)
    overview = sum_groups(rows, column, len(columns), axis=2)
    kept, cells = _packed(overview, effects, limit)
    return {
        "row": row,
        "id": lens.record.id,
        "question": lens.record.question or lens.record.instruction,
        "layers": list(lens.layers),
        "notes": [*lens.tokens.notes, *_notes(lens, places)],
        "documents": places.documents,
        "text": lens.record.response,
        "source": {"text": _source_texts(lens), "row": places.row.tolist()},
        "response": {"text": _response_texts(lens), "column": column.tolist()},
        "rows": {"group": places.row_group, "text": places.row_text},
        "columns": [s.text for s in columns],
        "totals": pack(totals[:, :, None], SUM_STEP).as_json(),
        "overview": _json(kept),
        "tokens": _json(cells),
        "falls": None if falls is None else [round(float(x), 6) for x in falls],
    }


def _packed(
    overview: FloatArray, effects: npt.NDArray[np.float32], limit: int
) -> tuple[Packed | None, Packed | None]:
    """Sentences and tokens within a limit; sentences alone where tokens do not fit."""
    kept = pack_within(overview, limit // 3, finest=SUM_STEP, coarsest=COARSEST_SUM_STEP)
    rest = limit - (len(kept.data) if kept else 0)
    cells = pack_within(effects, rest, finest=TOKEN_STEP, coarsest=COARSEST_TOKEN_STEP)
    if cells is None:
        kept = pack_within(overview, limit, finest=SUM_STEP, coarsest=COARSEST_SUM_STEP)
    return kept, cells


def _json(packed: Packed | None) -> dict[str, Any] | None:
    return None if packed is None else packed.as_json()


def places_of(lens: LensView) -> Places:
    """Group and row of each source token."""
    texts = lens.record.documents or ()
    tokens, prompt = lens.tokens, len(lens.tokens.prompt_ids)
    known = bool((tokens.prompt_part >= 0).any())
    texts = texts if known else ()
    sentences = [s for d, text in enumerate(texts) for s in _sentences(text, d)]
    group = np.full(len(lens.source_text), len(texts) + 1, dtype=np.int64)
    row = np.full(len(lens.source_text), len(sentences) + 1, dtype=np.int64)
    part = tokens.prompt_part
    group[:prompt] = np.where(part >= 0, part, len(texts))
    found = sentence_of_tokens(texts, part, tokens.prompt_offsets, sentences) if known else part
    row[:prompt] = np.where(found >= 0, found, len(sentences))
    return Places(
        documents=len(texts),
        group=group,
        row=row,
        row_group=(*(s.document for s in sentences), len(texts), len(texts) + 1),
        row_text=(*(s.text for s in sentences), "", ""),
    )


def _response_texts(lens: LensView) -> list[str]:
    return written(lens.record.response, lens.tokens.offsets.tolist())


def _source_texts(lens: LensView) -> list[str]:
    """Texts of the source tokens as they are written; a token's own where that is not known."""
    prompt = len(lens.tokens.prompt_ids)
    texts = [*lens.source_text[:prompt], *_response_texts(lens)[:-1]]
    for document, whole in enumerate(lens.record.documents or ()):
        mine = np.flatnonzero(lens.tokens.prompt_part == document)
        spans = lens.tokens.prompt_offsets[mine].tolist()
        for j, text in zip(mine.tolist(), written(whole, spans), strict=True):
            texts[j] = text
    return texts


def written(text: str, spans: Sequence[Sequence[int]]) -> list[str]:
    """The characters of tokens, each with what no token before it has; every character once.

    Tokenizers may drop white space from a token's own text.

    Example:
        >>> written("It ran.", [(0, 2), (3, 6), (6, 7), (6, 7)])
        ['It', ' ran', '.', '']
    """
    out, last = [], spans[0][0] if len(spans) else 0
    for _, end in spans:
        out.append(text[last : max(end, last)])
        last = max(last, end)
    return out


def _sentences(text: str, document: int) -> Sequence[Sentence]:
    """Its sentences; a document that has none is one row all the same."""
    whole = Sentence(document=document, start=0, end=len(text), text=text)
    return sentences_in(text, document) or (whole,)


def _columns(lens: LensView) -> tuple[Sequence[Sentence], IntArray]:
    """Sentences of the response, and (response,) the one of each token."""
    text = lens.record.response
    sentences = sentences_in(text, -1)
    zero = np.zeros(len(lens.tokens.offsets), dtype=np.int64)
    return sentences, sentence_of_tokens((text,), zero, lens.tokens.offsets, sentences)


def _notes(lens: LensView, places: Places) -> list[str]:
    if places.documents or not any(d.strip() for d in lens.record.documents or ()):
        return []
    return ["the model's chat template rewrote the documents, so their tokens are not known apart"]
