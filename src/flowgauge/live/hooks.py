"""Inside somebody's own `model.generate`: a processor sees the laws, a criterion the tokens.

    scores of generate → processor: P, and Q of the references → generate draws → criterion: steps,
    monitors, rows to end → next pass

Custom processors of transformers stand after the repetition penalty and before temperature, top-k,
top-p and min-p. The scores are given back as they came, so what is generated does not change.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from transformers import LogitsProcessor, RepetitionPenaltyLogitsProcessor, StoppingCriteria

from flowgauge.errors import ContextLengthError, SettingsError, ShapeError
from flowgauge.live.columns import LiveColumns
from flowgauge.live.monitor import Monitor
from flowgauge.live.sampling_law import SamplingLaw, Transform
from flowgauge.live.sampling_of_config import sampling_of as sampling_of
from flowgauge.live.step import flow_of
from flowgauge.live.watched import MOST_TOKENS, WatchedText
from flowgauge.models.decoding import check_prefixes
from flowgauge.models.protocol import Decoder, LanguageModel
from flowgauge.records import Flow, IntArray, Sampling
from flowgauge.scores import ModelLaw

OTHER_CRITERION = "another criterion ended it"
FULL_REFERENCE = "the context of the model is full under the reference"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HookSettings:
    """What hooks cannot see of the call to `generate`.

    Args:
        end_ids: Tokens that end a row there (its `eos_token_id`); the model's own by default.
        max_tokens: Most tokens of a row there (its `max_new_tokens`). The row that has them has
            ended, and the last characters are given out even if they are not complete.
        criteria: Criteria of transformers that end single rows, such as stop strings; the hooks ask
            them. Where `generate` alone has one, the padding after it would be read as text.
        attention_mask: (row, prompt) of the prompts, 0 on padding. Under `ModelLaw` with a
            repetition penalty it says whose penalties are to be undone; else it is not read.
    """

    end_ids: tuple[int, ...] | None = None
    max_tokens: int | None = None
    criteria: tuple[Any, ...] = ()
    attention_mask: Any = None

    def __post_init__(self) -> None:
        if self.max_tokens is not None and self.max_tokens < 1:
            raise SettingsError(f"max_tokens is {self.max_tokens}, at least 1 was needed")


class FlowHooks:
    """Watches one call of `model.generate`, row by row, as `flowgauge.live.generate` would [nats].

    It does not draw: the tokens are those of `generate`, unchanged to the last bit. It watches
    greedy decoding and sampling, not beams and not assisted decoding, and cannot see the settings
    of `generate`: pass the same ones here (`sampling_of`). Put the processor last in its list.

    Args:
        lm: The model that generates, as `HuggingFaceModel(model, tokenizer, name)`, or another of
            the same vocabulary; Q is its law after the references.
        references: Ids that stand before each row under Q, one reference a row, without padding.
        sampling: The settings that `generate` draws with; plain by default.
        monitors: Each row has its own. One whose action is `stop` ends its row.
        law: `SamplingLaw()`, the default: P and Q under the sampling settings. `ModelLaw()`: the
            model's own laws.
        settings: End tokens, most tokens, other criteria, padding.

    Attributes:
        processor: For `generate(logits_processor=[…])`.
        criteria: For `generate(stopping_criteria=[…])`.
        texts: One `WatchedText` a row; `stopped_by` stays "" where `generate` ends it unseen.

    Raises:
        SettingsError: Another law, or a repetition penalty under `ModelLaw` without the attention
            mask; in `generate`: hooks that were used already, one half alone, beams or assisted
            decoding, a token that cannot be drawn under `sampling`.
        ShapeError: A reference is no row of ids; in `generate`: not one reference a row, another
            vocabulary, a mask of another shape.
        RecordError: A reference is empty or, in `generate`, longer than the model can read.

    References:
        [bai:25] III-D; docs/paper_index.md, section 2.

    Example:
        >>> from transformers import AutoModelForCausalLM, AutoTokenizer
        >>> from flowgauge.models import HuggingFaceModel
        >>> from flowgauge.models.presets import bundled_folder
        >>> folder = bundled_folder("stories-260k")
        >>> model = AutoModelForCausalLM.from_pretrained(folder)
        >>> tokenizer = AutoTokenizer.from_pretrained(folder)
        >>> lm = HuggingFaceModel(model, tokenizer, "stories")
        >>> hooks = FlowHooks(lm, references=[[1]], sampling=Sampling(temperature=0))
        >>> inputs = tokenizer("Once upon a", return_tensors="pt", return_token_type_ids=False)
        >>> _ = model.generate(
        ...     **inputs, logits_processor=[hooks.processor], stopping_criteria=[hooks.criteria],
        ...     do_sample=False, max_new_tokens=3, pad_token_id=0,
        ... )
        >>> hooks.texts[0].text, len(hooks.texts[0].steps), hooks.flows[0].total_nats > 5
        (' time, there', 3, True)
    """

    def __init__(
        self,
        lm: LanguageModel,
        references: Sequence[Any],
        *,
        sampling: Sampling | None = None,
        monitors: Sequence[Monitor] = (),
        law: SamplingLaw | ModelLaw | None = None,
        settings: HookSettings | None = None,
    ) -> None:
        self._lm, self._monitors = lm, tuple(monitors)
        self._references = [_ids(r, i) for i, r in enumerate(references)]
        check_prefixes(self._references)
        self._sampling, self._law = sampling or Sampling(), law or SamplingLaw()
        self._settings = settings or HookSettings()
        if not isinstance(self._law, SamplingLaw | ModelLaw):
            raise SettingsError(f"law is {law!r}; SamplingLaw() or ModelLaw() was needed")
        is_penalised = isinstance(law, ModelLaw) and self._sampling.repetition_penalty != 1.0
        if is_penalised and self._settings.attention_mask is None:
            raise SettingsError(
                "ModelLaw() with a repetition penalty came without the attention mask, by which it "
                "is undone: pass settings=HookSettings(attention_mask=inputs['attention_mask'])"
            )
        ends = self._settings.end_ids
        self._end_ids = lm.end_ids if ends is None else ends
        self._most = lm.context_length or float("inf")
        # The penalty has been applied when the scores come.
        self._transform = Transform(replace(self._sampling, repetition_penalty=1.0))
        self._columns = LiveColumns()
        self.processor, self.criteria = FlowProcessor(self), FlowCriteria(self)
        self.reset()

    def reset(self) -> None:
        """Forget what was watched; the next `generate` starts anew with the same references."""
        self.texts = tuple(
            WatchedText(self._lm, self._monitors, r[-1:].tolist()) for r in self._references
        )
        self._going = list(range(len(self.texts)))  # rows of generate that the decoder holds
        self._decoder: Decoder | None = None
        self._seen: torch.Tensor | None = None  # ids up to here are watched
        self._laws: tuple[torch.Tensor, torch.Tensor] | None = None  # P and Q, token not yet known

    @property
    def flows(self) -> tuple[Flow, ...]:
        """The flow of each row so far [nats]."""
        return tuple(flow_of(t.steps) for t in self.texts)

    def read(self, input_ids: torch.Tensor, scores: torch.Tensor) -> None:
        """Take the laws of the next token of each row; the processor calls it."""
        if self._laws is not None:
            raise SettingsError(
                "laws came twice and no token between them. Pass stopping_criteria=[hooks.criteria]"
                " as well; assisted decoding cannot be watched; reset() after a call that failed"
            )
        if self._seen is None:
            self._check_start(input_ids, scores)
        elif not torch.equal(input_ids, self._seen):
            raise SettingsError(
                f"rows {tuple(input_ids.shape)} came, not the rows {tuple(self._seen.shape)} "
                "watched so far. These hooks have watched a generation already: call reset() or "
                "make new ones for the next; beams cannot be watched"
            )
        with torch.inference_mode():
            self._move(input_ids)
            # Indexed rows are a copy: what stands behind us may write into the scores.
            self._seen, p, q = input_ids, scores[self._going], scores[:0]
            if self._decoder is not None:
                p = self._prompted(input_ids[self._going], p)
                q = self._lm.logits(self._decoder.states).to(scores)
            if isinstance(self._law, SamplingLaw):
                q = self._law.reference(q, self._sampling)
            self._laws = p, q

    def take(self, input_ids: torch.Tensor, scores: Any) -> torch.Tensor:
        """Take the token drawn for each row; the criterion calls it.

        Returns:
            (row,) whether a monitor or another criterion ends the row here.
        """
        if self._laws is None or self._seen is None:
            raise SettingsError(
                "a token came before its laws. Pass logits_processor=[hooks.processor] as well"
            )
        if input_ids.shape[0] != len(self._seen) or not torch.equal(input_ids[:, :-1], self._seen):
            raise SettingsError(
                f"rows {tuple(input_ids.shape)} came after laws of the rows "
                f"{tuple(self._seen.shape)}; one token more of each was needed. Beams "
                "(num_beams > 1) and assisted decoding cannot be watched"
            )
        tokens = input_ids[self._going, -1]
        if isinstance(self._law, SamplingLaw) and self._going:
            self._check_possible(tokens, self._laws[0].gather(1, tokens[:, None])[:, 0])
        columns = self._columns.reduce(*self._laws, tokens.cpu().numpy())
        ends = torch.zeros(len(input_ids), dtype=torch.bool, device=input_ids.device)
        for place, (row, token) in enumerate(zip(self._going, tokens.tolist(), strict=True)):
            text = self.texts[row]
            limit = MOST_TOKENS if len(text.ids) + 1 == self._settings.max_tokens else ""
            said = text.add(token, columns, place, end_ids=self._end_ids, limit=limit)
            ends[row] = any(event.stops for event in said)
        for criterion in self._settings.criteria:
            ends |= criterion(input_ids, scores)
        self._seen, self._laws = input_ids, None
        for row in self._going:
            if ends[row]:
                self.texts[row].end(OTHER_CRITERION)
            if len(self._references[row]) + len(self.texts[row].ids) > self._most:
                self.texts[row].end(FULL_REFERENCE)
        return ends

    def _move(self, input_ids: torch.Tensor) -> None:
        """Read the references, or give the tokens drawn last to the rows that go on."""
        if self._seen is None:
            self._decoder = self._lm.decoder(self._references)
            return
        places = [i for i, row in enumerate(self._going) if not self.texts[row].stopped_by]
        is_fewer = len(places) < len(self._going)
        self._going = [self._going[i] for i in places]
        if not places or self._decoder is None:
            self._decoder = None
            return
        if is_fewer:
            self._decoder.keep(places)
        self._decoder.step(input_ids[self._going, -1].cpu().numpy().astype(np.int64))

    def _prompted(self, ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        if isinstance(self._law, SamplingLaw):
            return self._transform(scores, [])
        if self._sampling.repetition_penalty == 1.0:
            return scores
        mask = torch.as_tensor(self._settings.attention_mask)[self._going]
        # A penalty keeps the sign, so its inverse undoes it.
        return RepetitionPenaltyLogitsProcessor(
            1.0 / self._sampling.repetition_penalty, (mask != 0).int().argmax(1)
        )(ids, scores)

    def _check_start(self, input_ids: torch.Tensor, scores: torch.Tensor) -> None:
        if len(scores) != len(self.texts):
            raise ShapeError(
                f"generate works on {len(scores)} rows and {len(self.texts)} references came; one "
                "a row was needed. With num_return_sequences=n repeat each n times, one after the "
                "other; beams (num_beams > 1) cannot be watched"
            )
        if scores.shape[1] != self._lm.vocabulary_size:
            raise ShapeError(
                f"generate gives {scores.shape[1]} scores a row and {self._lm.name} has "
                f"{self._lm.vocabulary_size} tokens; one vocabulary was needed"
            )
        mask = self._settings.attention_mask
        if mask is not None and tuple(mask.shape) != tuple(input_ids.shape):
            raise ShapeError(
                f"attention_mask {tuple(mask.shape)} came for prompts {tuple(input_ids.shape)}; "
                "the mask that generate was given was needed"
            )
        longest = max(map(len, self._references))
        if longest > self._most:
            raise ContextLengthError(
                f"a reference has {longest} tokens, {self._lm.name} reads {self._most}; shorten it"
            )

    def _check_possible(self, tokens: torch.Tensor, logits: torch.Tensor) -> None:
        for row, token, x in zip(self._going, tokens.tolist(), logits.tolist(), strict=True):
            if x == -float("inf"):
                raise SettingsError(
                    f"token {token} of row {row} cannot be drawn under {self._sampling}. Pass the "
                    "settings that generate draws with: sampling_of reads them (top_k is 50 there "
                    "unless it is set)"
                )


class FlowProcessor(LogitsProcessor):
    """The half of `FlowHooks` that sees the scores; gives them back as they came."""

    def __init__(self, hooks: FlowHooks) -> None:
        self._hooks = hooks

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """The same scores (row, vocab)."""
        self._hooks.read(input_ids, scores)
        return scores


class FlowCriteria(StoppingCriteria):
    """The half of `FlowHooks` that sees the tokens; (row,) True where a monitor ends the text."""

    def __init__(self, hooks: FlowHooks) -> None:
        self._hooks = hooks

    def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
        """Which rows end here."""
        return self._hooks.take(input_ids, scores)


def _ids(given: Any, row: int) -> IntArray:
    found = np.asarray(given)
    if found.ndim != 1 or (len(found) and found.dtype.kind not in "iu"):
        raise ShapeError(
            f"reference {row} is {found.shape} of {found.dtype}; one row of ids was needed"
        )
    return found.astype(np.int64)
