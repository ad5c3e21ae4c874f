"""`read_lens`: one record's direct effects, with the texts they belong to and totals of them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from flowgauge.errors import AlignmentError, SettingsError
from flowgauge.lens.aggregate import (
    SentenceEffects,
    sentence_of_tokens,
    sentences_in,
    sum_groups,
)
from flowgauge.lens.contributions import Float32Array
from flowgauge.lens.effects import direct_effects
from flowgauge.models.protocol import LanguageModel
from flowgauge.records import FloatArray, Record, Tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One source token and one response token.

    Attributes:
        source, response: Their places on the axes of `Lens.effects`.
        source_text, response_text: Their texts.
        effect: Summed over layers [nats].
    """

    source: int
    response: int
    source_text: str
    response_text: str
    effect: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Lens:
    """Direct effects of earlier tokens on the response's, for one record.

    Attributes:
        effects: (layer, source, response) float32 [nats, to first order]. Source positions are the
            prompt's and then the response's own but for its last token.
        layers: Numbers of the layers, from 0.
        source_text: (source,) text of each token.
        response_text: (response,) text of each token.
        tokens: As the model read them.
        record: What it read.
        model: Its name.
    """

    effects: Float32Array
    layers: tuple[int, ...]
    source_text: tuple[str, ...]
    response_text: tuple[str, ...]
    tokens: Tokens
    record: Record
    model: str

    @property
    def totals(self) -> FloatArray:
        """(source, response) summed over layers [nats]."""
        return self.effects.sum(axis=0, dtype=np.float64)

    @property
    def documents(self) -> FloatArray:
        """(document,) each document's total over the whole response [nats].

        Raises:
            AlignmentError: The template rewrote the documents, so their tokens are not known.
        """
        return self._by_document().sum(axis=1)

    @property
    def document_sentences(self) -> FloatArray:
        """(document, response sentence) totals [nats].

        Raises:
            AlignmentError: The template rewrote the documents, so their tokens are not known.
        """
        sentences = sentences_in(self.record.response, -1)
        return sum_groups(self._by_document(), self._response_sentence(), len(sentences), axis=1)

    @property
    def sentences(self) -> SentenceEffects:
        """Totals by sentence of the documents and sentence of the response [nats].

        Raises:
            AlignmentError: The template rewrote the documents, so their tokens are not known.
        """
        self._check_documents()
        texts = self.record.documents or ()
        source = tuple(s for d, text in enumerate(texts) for s in sentences_in(text, d))
        response = sentences_in(self.record.response, -1)
        t = self.tokens
        of_source = sentence_of_tokens(texts, t.prompt_part, t.prompt_offsets, source)
        prompt = self.totals[: len(t.prompt_ids)]
        by_source = sum_groups(prompt, of_source, len(source), axis=0)
        effects = sum_groups(by_source, self._response_sentence(), len(response), axis=1)
        return SentenceEffects(source=source, response=response, effects=effects)

    def top(self, k: int) -> tuple[Link, ...]:
        """The k pairs of a prompt token and a response token with the largest effects, signed.

        Raises:
            SettingsError: k is below 1.
        """
        if k < 1:
            raise SettingsError(f"{k} pairs were asked for; 1 at least was needed")
        prompt = self.totals[: len(self.tokens.prompt_ids)]
        order = np.argsort(-prompt, axis=None, kind="stable")[:k]
        pairs = [divmod(int(at), prompt.shape[1]) for at in order]
        return tuple(
            Link(
                source=j,
                response=i,
                source_text=self.source_text[j],
                response_text=self.response_text[i],
                effect=float(prompt[j, i]),
            )
            for j, i in pairs
        )

    def _by_document(self) -> FloatArray:
        self._check_documents()
        part = self.tokens.prompt_part
        count = len(self.record.documents or ())
        return sum_groups(self.totals[: len(part)], part, count, axis=0)

    def _response_sentence(self) -> np.ndarray:
        sentences = sentences_in(self.record.response, -1)
        zero = np.zeros(len(self.tokens.offsets), dtype=np.int64)
        return sentence_of_tokens((self.record.response,), zero, self.tokens.offsets, sentences)

    def _check_documents(self) -> None:
        has_words = any(d.strip() for d in self.record.documents or ())
        if has_words and not (self.tokens.prompt_part >= 0).any():
            raise AlignmentError(
                f"no prompt token of record {self.record.id} is known to stand in a document: the "
                "template rewrote them; use a template that keeps them, or read `effects` itself"
            )


def read_lens(
    tokens: Tokens,
    record: Record,
    lm: LanguageModel,
    *,
    layers: Sequence[int] | None = None,
    heads: Collection[tuple[int, int]] | None = None,
) -> Lens:
    """Direct effects of every earlier token on every response token, to first order [nats].

    What they are, and what not (no causal effect), stands at `direct_effects`.

    Args:
        tokens: The record's, from `flowgauge.text.align`.
        record: What the model read: shorter documents where they were truncated.
        lm: A transformers model.
        layers: Numbers of the layers, from 0; all for None.
        heads: (layer, head) pairs that are summed; all for None.

    Returns:
        `Lens`: effects (layer, source, response), totals by document and sentence, largest pairs.

    Raises:
        ModelError: The model's mixers are of no known kind; says which are and how to add one.
        RecordError: The response has no token.
        SettingsError: No such layer or head.

    References:
        [bai:25] section V; theory §8.

    Example:
        >>> from flowgauge.models import load_model
        >>> from flowgauge.text import Omit, PlainTemplate, align
        >>> lm = load_model("stories-260k")
        >>> record = Record(id="1", response="Tom ran.", documents=("Tom ran.", "It rained."))
        >>> tokens = align("1", PlainTemplate().compose(record, Omit()), record.response, lm)
        >>> read_lens(tokens, record, lm).documents.shape
        (2,)
    """
    found = direct_effects(tokens, lm, layers=layers, heads=heads)
    source = [*tokens.prompt_ids.tolist(), *tokens.response_ids[:-1].tolist()]
    return Lens(
        effects=found.values,
        layers=found.layers,
        source_text=tuple(lm.token_text(source)),
        response_text=tuple(lm.token_text(tokens.response_ids.tolist())),
        tokens=tokens,
        record=record,
        model=lm.name,
    )
